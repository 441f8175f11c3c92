import { statSync } from 'node:fs';
import { DataDirFault, prepareDataDir } from '../config/data-dir.ts';
import type { Config } from '../config/schema.ts';
import type { OpenOptions } from './stores-port.ts';

/** Makes the data folder ready to remember a registry. Throws `DataDirFault`. */
export function prepareForMarker({ instance }: Config, note: OpenOptions['note']): void {
  for (const line of prepareDataDir(instance.dataDir)) note(line);
  mustNotLeaveRootsFiles(instance.dataDir);
}

/**
 * What root creates in another user's folder, the gate that runs as that user could not open any
 * more.
 */
function mustNotLeaveRootsFiles(dataDir: string): void {
  const owner = statSync(dataDir).uid;
  if (process.getuid?.() !== 0 || owner === 0) return;
  throw new DataDirFault(
    `${dataDir} belongs to user ${owner}: run this command as that user, not as root`,
  );
}

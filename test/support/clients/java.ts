import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { findProgram } from '../system.ts';
import type { Client } from './client.ts';

/**
 * Java's HttpClient, compiled into a folder. Null where no JDK is: one is not installed for it,
 * because it is larger than all the rest together.
 */
export function compileJavaClient(folder: string): Client | null {
  const source = join(import.meta.dirname, 'programs', 'JavaClient.java');
  const [javac, java] = [findProgram('javac'), findProgram('java')];
  if (javac === null || java === null) return null;
  const compiled = spawnSync(javac, ['-d', folder, source], { encoding: 'utf8' });
  if (compiled.status !== 0) throw new Error(`javac: ${compiled.stderr}`);
  return {
    name: "Java's HttpClient",
    part: null,
    command: ({ method, url, caFile, headers = {}, bodyFile = '' }, saveTo) => {
      const fields = Object.entries(headers).map(([name, value]) => `${name}:${value}`);
      const own = ['-XX:TieredStopAtLevel=1', '-cp', folder, 'JavaClient'];
      return {
        words: [java, ...own, method, url, saveTo, bodyFile, ...fields],
        env: { CA_FILE: caFile },
      };
    },
  };
}

import { existsSync, writeFileSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';

/**
 * An audit worker that fails as its file name says: `die` ends on its first batch and works when
 * started again, `hang` never answers.
 */
const { path } = workerData as { path: string };
const first = !existsSync(path);
writeFileSync(path, '');

parentPort?.on('message', ({ id }: { id: number }) => {
  if (path.endsWith('hang')) return;
  if (path.endsWith('die') && first) throw new Error('the disk is gone');
  parentPort?.postMessage({ id, ok: true });
});
parentPort?.postMessage({ id: 0, ok: true });

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { ConfigFaults } from '../config/faults.ts';
import { type HandedSecret, withSecrets } from '../config/handover.ts';
import type { LoadedConfig } from '../config/load.ts';

/** What the thread answers: the configuration, or all that is wrong with it. */
export type LoadAnswer =
  | { readonly loaded: LoadedConfig; readonly secrets: readonly HandedSecret[] }
  | { readonly faults: Pick<ConfigFaults, 'file' | 'faults' | 'files'> };

/** Beside this file, with its own ending: `.ts` in the repository, `.js` when compiled. */
const ENTRY = import.meta.url.endsWith('.ts')
  ? new URL('./load-thread.ts', import.meta.url)
  : new URL('./load-thread.js', import.meta.url);

/**
 * `loadChecked` on a thread of its own: a running gate answers calls while a configuration of a
 * thousand routes is read, which takes longer than a call may wait. Throws `ConfigFaults`.
 */
export async function loadApart(file: string): Promise<LoadedConfig> {
  const thread = new Worker(ENTRY, { workerData: file });
  try {
    const [answer] = (await once(thread, 'message')) as [LoadAnswer];
    if ('loaded' in answer) {
      const { loaded, secrets } = answer;
      return { ...loaded, config: withSecrets(loaded.config, secrets) };
    }
    const { faults, files } = answer.faults;
    throw new ConfigFaults(answer.faults.file, faults, files);
  } finally {
    await thread.terminate();
  }
}

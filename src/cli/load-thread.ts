/** The thread of `loadApart`: reads one configuration, answers, and ends. */
import { parentPort, workerData } from 'node:worker_threads';
import { ConfigFaults } from '../config/faults.ts';
import { secretsIn } from '../config/handover.ts';
import { loadChecked } from './load.ts';
import type { LoadAnswer } from './load-apart.ts';

parentPort?.postMessage(answerFor(workerData as string));

/** What is no fault of the configuration ends the thread, and is thrown on the other side. */
function answerFor(file: string): LoadAnswer {
  try {
    const loaded = loadChecked(file);
    return { loaded, secrets: secretsIn(loaded.config) };
  } catch (error) {
    if (!(error instanceof ConfigFaults)) throw error;
    return { faults: { file: error.file, faults: error.faults, files: error.files } };
  }
}

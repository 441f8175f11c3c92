import type { LoadedConfig } from '../config/load.ts';

/** What changes while a supervisor runs. */
export interface WorkersState {
  /** The configuration in force; new processes are started with it. */
  loaded: LoadedConfig;
  /** All workers have been open. */
  open: boolean;
  draining: boolean;
  /** Why the last reload was refused; null when it was not. */
  reloadFault: string | null;
  /** Workers that ended without being asked to, so far. */
  deaths: number;
  /** Processes that were started in the place of one that had ended, so far. */
  restarts: number;
}

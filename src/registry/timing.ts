import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Waiting and chance as a port, so that what happens between instances can be run again exactly as
 * it happened.
 */
export interface Timing {
  /** Resolves after the delay or when the signal aborts, whichever comes first. Never rejects. */
  sleep(delayMs: number, until: AbortSignal | null): Promise<void>;
  /** From 0 to below 1. */
  random(): number;
}

export const systemTiming: Timing = {
  sleep: async (delayMs, until) => {
    await sleep(delayMs, undefined, until === null ? {} : { signal: until }).catch(() => undefined);
  },
  random: () => Math.random(),
};

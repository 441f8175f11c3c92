import { setTimeout as sleep } from 'node:timers/promises';
import type { StoreUnavailable } from './fault.ts';
import type { ServerDriver } from './redis-server-driver.ts';

export interface SuccessionParts {
  /** Whether the connection works with other secrets than the newest. */
  isDue(): boolean;
  open(): ServerDriver;
  /** It was let in, and takes the place of the one before. */
  succeed(next: ServerDriver): void;
  refused(fault: StoreUnavailable): void;
}

/** Between two tries: doubling from the first, up to half of it shaved off at random. */
const PAUSE = { firstMs: 250, longestMs: 5_000 } as const;

/**
 * Tries the newest secrets over a connection of its own, at once and then ever more seldom, until a
 * server takes them or there is no need any more. The connection that stands is not touched before.
 */
export class Succession {
  readonly #parts: SuccessionParts;
  #trying: AbortController | null = null;
  #trial: ServerDriver | null = null;

  constructor(parts: SuccessionParts) {
    this.#parts = parts;
  }

  /** Begins anew where it is under way: there may be newer secrets. */
  begin(): void {
    this.close();
    if (!this.#parts.isDue()) return;
    const stopped = new AbortController();
    this.#trying = stopped;
    void this.#try(stopped.signal);
  }

  close(): void {
    this.#trying?.abort();
    this.#trying = null;
    this.#trial?.disconnect();
    this.#trial = null;
  }

  async #try(stopped: AbortSignal): Promise<void> {
    for (let pauseMs: number = PAUSE.firstMs; this.#parts.isDue(); ) {
      const trial = this.#parts.open();
      this.#trial = trial;
      const fault = await trial.tried();
      if (stopped.aborted) return trial.disconnect();
      this.#trial = null;
      if (fault === null && this.#parts.isDue()) return this.#parts.succeed(trial);
      trial.disconnect();
      if (fault !== null) this.#parts.refused(fault);
      const waitMs = pauseMs * (1 - Math.random() / 2);
      await sleep(waitMs, undefined, { signal: stopped, ref: false }).catch(() => {});
      if (stopped.aborted) return;
      pauseMs = Math.min(PAUSE.longestMs, pauseMs * 2);
    }
  }
}

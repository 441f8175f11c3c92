import { setTimeout as sleep } from 'node:timers/promises';
import type { CheckResult } from '../ops/readiness.ts';
import { type RegistryStore, RegistryUnavailable } from '../registry/port.ts';
import type { Log } from '../telemetry/log.ts';

const RETRY_MS = 2_000;

/** Finds out, in the background, whether this process may change the registry. */
export class Rights {
  readonly #store: RegistryStore;
  readonly #log: Log;
  readonly #closed = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #why: string | null = null;

  constructor(store: RegistryStore, log: Log) {
    this.#store = store;
    this.#log = log;
  }

  /** Asks until the store has said yes or no. */
  start(): void {
    this.#running = this.#find().catch((error: unknown) =>
      this.#log.error('whether the registry may be written could not be found out', { error }),
    );
  }

  /** For readiness: a warning when it may not. */
  result(): CheckResult {
    return this.#why === null ? { state: 'ok' } : { state: 'warning', why: this.#why };
  }

  async close(): Promise<void> {
    this.#closed.abort();
    await this.#running;
  }

  async #find(): Promise<void> {
    while (!this.#closed.signal.aborted) {
      try {
        await this.#store.assertWritable();
        return;
      } catch (error) {
        if (!(error instanceof RegistryUnavailable)) throw error;
        if (error.why === 'forbidden') {
          this.#why =
            'listen.admin can change nothing: the store user has no right to write the registry (use the user manager)';
          this.#log.error(this.#why);
          return;
        }
        // The registry's own check says that the store is away.
        await sleep(RETRY_MS, undefined, { signal: this.#closed.signal }).catch(() => {});
      }
    }
  }
}

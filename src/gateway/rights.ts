import { setTimeout as sleep } from 'node:timers/promises';
import type { CheckResult } from '../ops/readiness.ts';
import { type RegistryStore, RegistryUnavailable } from '../registry/port.ts';
import { StoreUnavailable } from '../store/fault.ts';
import type { Log } from '../telemetry/log.ts';

const RETRY_MS = 2_000;

/** Finds out, in the background, whether this process may change the registry. */
export class Rights {
  readonly #store: Pick<RegistryStore, 'assertWritable'>;
  readonly #log: Log;
  readonly #closed = new AbortController();
  readonly #retryMs: number;
  #running: Promise<void> = Promise.resolve();
  #why: string | null = null;

  constructor(store: Pick<RegistryStore, 'assertWritable'>, log: Log, retryMs = RETRY_MS) {
    this.#store = store;
    this.#log = log;
    this.#retryMs = retryMs;
  }

  /** Asks until the store says yes: users and passwords change while a gate runs. */
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
        if (this.#why !== null) this.#log.info('listen.admin can change the registry now');
        this.#why = null;
        return;
      } catch (error) {
        if (!(error instanceof RegistryUnavailable)) throw error;
        // Of a store that is away the registry's own check says so.
        if (error.why === 'forbidden') this.#tell(error);
        await sleep(this.#retryMs, undefined, { signal: this.#closed.signal }).catch(() => {});
      }
    }
  }

  /** Once for each thing that it says. */
  #tell({ cause, message }: RegistryUnavailable): void {
    const lacksRight = cause instanceof StoreUnavailable && cause.code === 'NOPERM';
    const words = lacksRight ? NO_RIGHT : message;
    const why = `listen.admin can change nothing: ${words}`;
    if (why !== this.#why) this.#log.error(why);
    this.#why = why;
  }
}

const NO_RIGHT = 'the store user has no right to write the registry (use the user manager)';

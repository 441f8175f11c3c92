import type { Clock } from '../clock.ts';
import { Periodic } from '../periodic.ts';
import type { RegistryStore } from '../registry/port.ts';
import type { Log } from '../telemetry/log.ts';

const INTERVAL_MS = 10_000;
/** At one time; the rest of the interval belongs to others. */
const AT_A_TIME_MS = 9_000;

/**
 * Keeps the lists of accounts ready in the background, so that nobody who asks for one waits until
 * they are made. In slices of a few milliseconds, each of which gives way to calls.
 */
export class ListUpkeep {
  readonly #store: RegistryStore;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #upkeep: Periodic;
  #isOpen = true;
  #hasFailed = false;

  constructor(store: RegistryStore, clock: Clock, log: Log) {
    this.#store = store;
    this.#clock = clock;
    this.#log = log;
    this.#upkeep = new Periodic(() => this.#run(), INTERVAL_MS);
    void this.#upkeep.now();
  }

  close(): Promise<void> {
    this.#isOpen = false;
    return this.#upkeep.close();
  }

  async #run(): Promise<void> {
    if (!this.#isOpen) return;
    const endMs = this.#clock.monotonicMs() + AT_A_TIME_MS;
    try {
      await this.#store.tendLists(() => this.#isOpen && this.#clock.monotonicMs() < endMs);
      this.#hasFailed = false;
    } catch (error) {
      // Told once: a store that is away is told by others too.
      if (!this.#hasFailed && this.#isOpen)
        this.#log.warn('the lists of accounts could not be kept ready', { error });
      this.#hasFailed = true;
    }
  }
}

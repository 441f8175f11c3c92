import { aggregateSnapshots, countedIn, type MetricsSnapshot } from '../telemetry/aggregate.ts';
import type { Log } from '../telemetry/log.ts';

/** What workers that are no more have counted: a sum never falls. */
export class FormerCounts {
  readonly #log: Log;
  #counts: MetricsSnapshot = [];
  #adding: Promise<void> = Promise.resolve();

  constructor(log: Log) {
    this.#log = log;
  }

  get counts(): MetricsSnapshot {
    return this.#counts;
  }

  /** At once, so that no sum falls meanwhile; added up afterwards. */
  add(snapshot: MetricsSnapshot): void {
    this.#counts = [...this.#counts, ...countedIn(snapshot)];
    this.#adding = this.#adding.then(() => this.#addUp());
  }

  /** One at a time: meanwhile there is only more at the end. */
  async #addUp(): Promise<void> {
    const all = this.#counts;
    try {
      const sum = await aggregateSnapshots([all]);
      this.#counts = [...sum, ...this.#counts.slice(all.length)];
    } catch (error) {
      this.#log.error('what workers have counted could not be added up', { error });
    }
  }
}

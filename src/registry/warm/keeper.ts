import type { Clock } from '../../clock.ts';
import { Periodic } from '../../periodic.ts';
import { type Holdings, writeWarmSnapshot } from './snapshot.ts';

export interface WarmKeeperOptions {
  readonly folder: string;
  readonly program: string;
  readonly clock: Clock;
  /** What is known now; null while nothing is. */
  holdings(): Holdings | null;
  /** It could not be written; it will be tried again. */
  onFault(fault: unknown): void;
}

/**
 * How often it is written. A crash costs what was learned since; the change feed reaches further
 * back than that.
 */
const INTERVAL_MS = 300_000;

/** Writes down what is cached every few minutes and at the end, for the next start. */
export class WarmKeeper {
  readonly #options: WarmKeeperOptions;
  readonly #writing: Periodic;

  constructor(options: WarmKeeperOptions) {
    this.#options = options;
    // Instances that were started together do not write together.
    this.#writing = new Periodic(() => this.#save(), INTERVAL_MS * (0.9 + Math.random() / 5));
  }

  /** Never rejects. */
  save(): Promise<void> {
    return this.#writing.now();
  }

  /** Writes a last time. To be called while what is cached is still there. */
  close(): Promise<void> {
    return this.#writing.close();
  }

  async #save(): Promise<void> {
    const { folder, program, clock, holdings, onFault } = this.#options;
    const held = holdings();
    if (held === null || held.ids.length === 0) return;
    try {
      await writeWarmSnapshot(held, { folder, program, nowMs: clock.wallMs() });
    } catch (fault) {
      onFault(fault);
    }
  }
}

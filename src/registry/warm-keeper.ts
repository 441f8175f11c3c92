import type { Clock } from '../clock.ts';
import { type Holdings, writeWarmSnapshot } from './warm-snapshot.ts';

export interface WarmKeeperOptions {
  readonly folder: string;
  readonly program: string;
  readonly clock: Clock;
  /** What is known now; null while nothing is. */
  holdings(): Holdings | null;
  /** It could not be written; it will be tried again. */
  onFault(fault: unknown): void;
}

/** How often it is written. A crash costs what was learned since; the change feed reaches further back than that. */
const INTERVAL_MS = 300_000;

/** Writes down what is cached every few minutes and at the end, for the next start. */
export class WarmKeeper {
  readonly #options: WarmKeeperOptions;
  readonly #timer: NodeJS.Timeout;
  #running: Promise<void> | null = null;

  constructor(options: WarmKeeperOptions) {
    this.#options = options;
    // Instances that were started together do not write together.
    this.#timer = setInterval(() => void this.save(), INTERVAL_MS * (0.9 + Math.random() / 5));
    this.#timer.unref();
  }

  /** One writing is under way at a time; who asks meanwhile waits for that one. Never rejects. */
  save(): Promise<void> {
    this.#running ??= this.#save().finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  /** Writes a last time. To be called while what is cached is still there. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#running;
    await this.save();
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

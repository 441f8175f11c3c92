import type { RegistrySource } from '../port.ts';
import type { Position } from '../position.ts';
import type { Timing } from '../timing.ts';

/**
 * An acknowledgement outlives a few renewals, so that a slow store does not make an instance look
 * as if it had said nothing.
 */
const KEPT = { leases: 3, leastMs: 60_000 } as const;
const RETRY = { firstMs: 20, longestMs: 1_000 } as const;

export interface AcknowledgerOptions {
  readonly source: Pick<RegistrySource, 'acknowledge'>;
  readonly instance: string;
  readonly leaseMs: number;
  readonly timing: Timing;
  /**
   * Whether everybody who was shut out by what is applied is cut off. Asked before each
   * acknowledgement.
   */
  settled(): boolean | Promise<boolean>;
  onFault(fault: unknown): void;
}

/**
 * Tells the store how far this instance has come: only ever what is applied and acted on. One
 * message is under way at a time, and the next one carries the newest position, so a storm of
 * changes costs no more than the store's pace.
 */
export class Acknowledger {
  readonly #options: AcknowledgerOptions;
  readonly #keepMs: number;
  readonly #closed = new AbortController();
  #newest: Position | null = null;
  #told: Position | null = null;
  /**
   * Counts how often everything was forgotten: what was applied before must not be acknowledged
   * after.
   */
  #lives = 0;
  #running: Promise<void> | null = null;

  constructor(options: AcknowledgerOptions) {
    this.#options = options;
    this.#keepMs = Math.max(KEPT.leastMs, options.leaseMs * KEPT.leases);
  }

  /** Everything up to `position` is applied. */
  applied(position: Position): void {
    this.#newest = position;
    this.#running ??= this.#run().finally(() => {
      this.#running = null;
    });
  }

  /** What was applied counts no more: nothing is acknowledged until something is applied again. */
  forget(): void {
    this.#newest = null;
    this.#told = null;
    this.#lives += 1;
  }

  /** Says it again, so that it does not run out. */
  refresh(): void {
    if (this.#newest === null || this.#running !== null) return;
    this.#told = null;
    this.applied(this.#newest);
  }

  async close(): Promise<void> {
    this.#newest = null;
    this.#closed.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    let failures = 0;
    while (this.#newest !== null && this.#newest !== this.#told && !this.#closed.signal.aborted) {
      if (await this.#tell(this.#newest)) failures = 0;
      else
        await this.#options.timing.sleep(
          Math.min(RETRY.longestMs, RETRY.firstMs * 2 ** failures++),
          this.#closed.signal,
        );
    }
  }

  async #tell(position: Position): Promise<boolean> {
    try {
      const life = this.#lives;
      const settled = this.#options.settled();
      if (settled !== true && !(await settled)) return false;
      if (this.#lives !== life) return true;
      await this.#options.source.acknowledge(this.#options.instance, position, this.#keepMs);
      if (this.#lives === life) this.#told = position;
      return true;
    } catch (fault) {
      this.#options.onFault(fault);
      return false;
    }
  }
}

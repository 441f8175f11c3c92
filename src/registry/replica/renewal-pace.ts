import type { Timing } from '../timing.ts';

/**
 * Three attempts fit into one lease; a change that the feed fails to bring is found after 5 s at
 * the latest.
 */
const RENEWAL = { attemptsPerLease: 3, longestMs: 5_000, shortestMs: 20 } as const;
const RETRY = { firstMs: 50, longestMs: 1_000 } as const;

/**
 * When the lease is renewed next: regularly, at once when somebody finds it over, and with growing
 * pauses while renewals fail.
 */
export class RenewalPace {
  readonly #intervalMs: number;
  readonly #timing: Timing;
  /** Ends the pause that is under way, if it may be ended. */
  #end: () => void = () => undefined;

  constructor(leaseMs: number, timing: Timing) {
    this.#intervalMs = Math.max(
      RENEWAL.shortestMs,
      Math.min(RENEWAL.longestMs, leaseMs / RENEWAL.attemptsPerLease),
    );
    this.#timing = timing;
  }

  /**
   * The lease was found to be over, as after a machine's sleep: no use in waiting for the next
   * turn.
   */
  wake(): void {
    this.#end();
  }

  /**
   * Resolves when the next renewal is due, or `ended` is aborted.
   *
   * @param failures renewals that have failed since the last one that did not; while they do,
   * nobody's `wake` makes them fail faster
   */
  async pause(failures: number, ended: AbortSignal): Promise<void> {
    const waitMs =
      failures === 0
        ? this.#intervalMs
        : Math.min(this.#intervalMs, backoffMs(failures, RETRY, this.#timing));
    const shortestMs = Math.min(waitMs, RENEWAL.shortestMs);
    await this.#timing.sleep(shortestMs, ended);
    if (ended.aborted || waitMs <= shortestMs) return;
    const over = new AbortController();
    const end = () => over.abort();
    ended.addEventListener('abort', end, { once: true });
    if (failures === 0) this.#end = end;
    await this.#timing.sleep(waitMs - shortestMs, over.signal);
    this.#end = () => undefined;
    ended.removeEventListener('abort', end);
  }
}

/**
 * Doubling, with up to half of it shaved off at random so that a fleet does not come back in step.
 * In milliseconds.
 */
export function backoffMs(
  failures: number,
  { firstMs, longestMs }: { readonly firstMs: number; readonly longestMs: number },
  timing: Timing,
): number {
  return Math.min(longestMs, firstMs * 2 ** Math.min(failures - 1, 16)) * (1 - timing.random() / 2);
}

import type { Clock } from '../../clock.ts';
import type { Timing } from '../timing.ts';
import type { Lease } from './lease.ts';

/** How often is looked, at least, whether what is open is still covered. */
const LOOK_MS = 250;

interface CoverOptions {
  readonly lease: Lease;
  readonly clock: Clock;
  readonly timing: Timing;
  /** Whether everything that is open was judged by what is applied. */
  judged(): boolean;
  /** The lease has ended under which what is open was permitted. */
  onLapsed(): void;
}

/** Whether what was permitted and is open may go on: the lease under which it was last judged. */
export class Cover {
  readonly #options: CoverOptions;

  constructor(options: CoverOptions) {
    this.#options = options;
  }

  /** A lease covers what is open once all of it was judged by what is applied. */
  extend(): void {
    const { lease, clock, judged } = this.#options;
    if (lease.valid(clock) && judged()) lease.cover();
  }

  /**
   * Says when the lease has ended under which what is open was permitted, at that moment and
   * whether or not anything else happens: receipts count with it. One timer, which a renewal leaves
   * alone.
   */
  async watch(closed: AbortSignal): Promise<void> {
    const { lease, clock, timing, onLapsed } = this.#options;
    let covered = false;
    while (!closed.aborted) {
      const leftMs = lease.coversMs(clock);
      if (leftMs <= 0 && covered) {
        onLapsed();
        // What was in doubt has ended, so that nothing keeps a later lease from covering.
        this.extend();
      }
      covered = leftMs > 0;
      // Not longer, because a machine that was asleep has counted no time.
      await timing.sleep(covered ? Math.min(leftMs, LOOK_MS) : LOOK_MS, closed);
    }
  }
}

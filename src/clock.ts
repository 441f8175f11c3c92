// Named here, because the global of the same name is fetched anew by each who asks for it.
import { performance } from 'node:perf_hooks';

/**
 * Time as a port, so that leases, deadlines and expiries can be tested without waiting.
 *
 * Two clocks with two uses that must not be mixed: `wallMs` is what people read (audit times,
 * expiry of an account) and may jump; `monotonicMs` only moves forward and is the only one a lease
 * or a deadline may be counted on.
 */
export interface Clock {
  /** Milliseconds since the Unix epoch. May jump in either direction. */
  wallMs(): number;
  /**
   * Milliseconds since an arbitrary moment of this process. Never goes back; goes on while the
   * process is stopped.
   */
  monotonicMs(): number;
}

export const systemClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
};

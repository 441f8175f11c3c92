import type { AddressHealth } from './address-health.ts';
import type { UpstreamChannel } from './port.ts';

/** The connections to one place, whatever their protocol. */
export interface PlacePool {
  readonly health: AddressHealth;
  /** No connection is left. */
  readonly isEmpty: boolean;
  /** Exchanges under way, those of former pools included. */
  readonly pending: number;
  addCounts(sum: { idle: number; active: number; connecting: number }): void;
  /**
   * A channel for one exchange; null when there are as many as there may be.
   *
   * @param mustBeFresh the request cannot be sent twice
   */
  take(mustBeFresh: boolean): UpstreamChannel | null;
  /** The same on a new connection: those that there are may be as dead as the one that failed. */
  takeNew(): UpstreamChannel | null;
  /** Keeps nothing any more: what is idle closes now, what is busy after its exchanges. */
  retire(): void;
  closeAll(): void;
}

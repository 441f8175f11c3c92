import type { UpstreamPool } from '../wire/upstream-pool.ts';
import type { UpstreamShares } from './upstream-shares.ts';

/** A deployment service behind the gate. */
export interface Upstream {
  readonly name: string;
  /** Host towards it; null = as the client sent it. */
  readonly host: string | null;
  /** Its own authority (`host:port` of the first address). */
  readonly authority: string;
  readonly pool: UpstreamPool;
  readonly shares: UpstreamShares;
}

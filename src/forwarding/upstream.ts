import type { UpstreamPool } from '../upstream/pool.ts';
import type { UpstreamShares } from '../upstream/shares.ts';
import type { UpstreamFieldRules } from './field-rules.ts';

/** A deployment service behind the gate. */
export interface Upstream {
  readonly name: string;
  /** Host towards it; null = as the client sent it. */
  readonly host: string | null;
  /** Its own authority (`host:port` of the first address). */
  readonly authority: string;
  /** A call takes a stream of a connection, and not a whole one. */
  readonly streams: boolean;
  /** What is set on requests to it; null = nothing, on no route. */
  readonly fields: UpstreamFieldRules | null;
  readonly pool: UpstreamPool;
  readonly shares: UpstreamShares;
  /** A request is sent again. */
  retried(): void;
}

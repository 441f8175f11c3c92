import type { AccountKind } from '../../account/model.ts';
import type { Reason } from '../../refusal.ts';
import type { RecordedHeaders } from './recorded-headers.ts';

/*
 * What events about calls are written from. It is never a request: there is no field for a query, a
 * body or a header that the configuration does not name, so none can be written.
 */

/**
 * Who: any account record will do. The object is a cache key: the same one for the same account.
 */
export interface AccountFacts {
  readonly id: string;
  readonly name: string;
  readonly kind: AccountKind;
}

/** The route that matched: decision/route.ts's `Route` will do. The object is a cache key. */
export interface RouteFacts {
  readonly name: string;
  readonly permission: string | null;
  readonly upstream: string;
}

/**
 * What a call was about, where it is more than one application and the permission that the route
 * names: decision/demand.ts's `Demand` will do.
 */
export interface DemandFacts {
  readonly applications: readonly string[] | null;
  readonly permissions: readonly string[];
}

/** What was asked: calls/record.ts's `CallRecord` will do. */
export interface CallFacts {
  /** By which door it came; null or absent: the proxied APIs' own, by HTTP/1.1. */
  readonly door?: 'decision' | 'http2' | 'tunnel' | null;
  /** The request id. */
  readonly id: string;
  readonly method: string | null;
  /** Without the query: whatever follows a `?` or `#` is dropped here too. */
  readonly path: string | null;
  readonly clientAddress: string | null;
  readonly userAgent: string | null;
  /** What `audit.headers` names of what came; null or absent: nothing. */
  readonly headers?: RecordedHeaders | null;
  readonly traceId: string | null;
  /** Of the assertion by which the upstream is told who calls; null or absent: none. */
  readonly assertionId?: string | null;
  /** A token came over plain HTTP: whoever listened has it. */
  readonly exposed: boolean;
}

/** What was found out and decided: decision/verdict.ts's `Verdict` will do. */
export interface VerdictFacts {
  readonly permitted: boolean;
  /** Why not; a permit has none. */
  readonly reason?: Reason;
  /** One fixed phrase that says more than the reason. */
  readonly detail?: string | null;
  /** The authenticated account, or null. Never an account that was merely claimed. */
  readonly account: { readonly account: AccountFacts } | null;
  readonly claimedAccountId: string | null;
  readonly tokenId: string | null;
  /** How the token was presented, where not with `Bearer`. */
  readonly scheme: string | null;
  /** The method that a browser's preflight asked about; the gate has answered it. */
  readonly preflight?: string | null;
  readonly route: RouteFacts | null;
  readonly application: string | null;
  /** Null: the route and the application say it all. */
  readonly demand: DemandFacts | null;
  /** The effective role that decided. */
  readonly role: string | null;
}

/** How a permitted call ended. */
export interface EndFacts {
  /**
   * `permitted` = ended well; `client-aborted`, `outcome-unknown`, or the refusal that replaced the
   * answer (`upstream-timeout`, …).
   */
  readonly reason: Reason;
  /** What the client was told; 0 = nothing. */
  readonly status: number;
  /** What the upstream said; null when it said nothing. */
  readonly upstreamStatus: number | null;
  /** From the first byte of the request to the last of the answer; kept to the microsecond. */
  readonly durationMs: number;
  /** The gate's part of it; null or absent: it was not given to an upstream. */
  readonly gateMs?: number | null;
  /** The upstream's, until the head of its response; null or absent: there was none. */
  readonly upstreamMs?: number | null;
  /** Body bytes, without framing. */
  readonly requestBytes: number;
  readonly responseBytes: number;
  /** Of another assertion than the decision names, which was sent; null or absent: none. */
  readonly laterAssertionId?: string | null;
}

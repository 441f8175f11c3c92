import type { Account } from '../account/model.ts';
import type { Principal } from '../account/principal.ts';
import type { RateStanding } from '../limits/rate-limit.ts';
import type { RefusalReason } from '../refusal.ts';
import type { OtherScheme } from './credential.ts';
import type { Demand } from './demand.ts';
import type { Route } from './route.ts';

/**
 * What the decision learned about a request on its way, whatever the verdict: the audit event is
 * written from it.
 */
export interface Findings {
  /**
   * The route that matched, also when the caller was refused; null when none did or none was looked
   * for. Of a permitted `OPTIONS *` it is `WHOLE_SERVER`.
   */
  readonly route: Route | null;
  /**
   * The account that the caller proved to be: its live token's digest matched. Also set when the
   * account was then refused for its expiry or status; null for public routes and for every token
   * that did not match, a retired one included.
   */
  readonly account: Principal | null;
  /** The account id that a token named without proving it. Never set together with `account`. */
  readonly claimedAccountId: string | null;
  /**
   * The first 16 hex digits of the presented token's digest, once it has matched (live or retired).
   */
  readonly tokenId: string | null;
  /**
   * The bait whose token was shown, which is refused like any retired one: only the record and who
   * watches it are told. Null: none was.
   */
  readonly honey: Account | null;
  /** How the token was presented, where not with `Bearer`. */
  readonly scheme: OtherScheme | null;
  /**
   * The application that was judged, in the registry's spelling where it knows one; null where the
   * route is about any.
   */
  readonly application: string | null;
  /** The effective role that decided, by name; null where several did that are not the same. */
  readonly role: string | null;
  /**
   * What was asked of the roles, where it is more than the one application and the permission that
   * the route names.
   */
  readonly demand: Demand | null;
  /**
   * How the caller stands with the limits that cover the call: told in every answer. Null: none
   * does, or the call did not come so far.
   */
  readonly rate: RateStanding | null;
}

/** Of a request of which nothing but its head is known. */
export const NOTHING_FOUND: Findings = {
  route: null,
  account: null,
  claimedAccountId: null,
  tokenId: null,
  honey: null,
  scheme: null,
  application: null,
  role: null,
  demand: null,
  rate: null,
};

/**
 * A verdict in the making. What is found about a request is written down where it is found, and in
 * the end the draft is the verdict: one object a request, and all of one shape for whoever reads
 * them.
 */
export class Draft implements Findings {
  permitted = false;
  route: Route | null = null;
  account: Principal | null = null;
  claimedAccountId: string | null = null;
  tokenId: string | null = null;
  honey: Account | null = null;
  scheme: OtherScheme | null = null;
  application: string | null = null;
  role: string | null = null;
  demand: Demand | null = null;
  rate: RateStanding | null = null;
  // Of a permit.
  unsafe = false;
  upgrade: string | null = null;
  preflight: string | null = null;
  // Of a refusal.
  reason: RefusalReason | null = null;
  allow: readonly string[] = NO_METHODS;
  detail: string | null = null;
}

const NO_METHODS: readonly string[] = [];

/**
 * Not exported: a value of type `Permit` cannot be written down outside of this room, only asked
 * for.
 */
declare const issued: unique symbol;

/** Leave to forward one request. Only `decide()` makes one; whoever forwards must hold one. */
export interface Permit extends Findings {
  readonly [issued]: true;
  readonly permitted: true;
  readonly route: Route;
  /**
   * Whether the decision record must be accepted before anything goes upstream (unsafe methods,
   * upgrades).
   */
  readonly unsafe: boolean;
  /**
   * Not the call itself, but a browser's question whether it may send one with this method: the
   * gate answers it. Null: the call itself.
   */
  readonly preflight: string | null;
  /** The protocol to which the request may change its connection, in lower case; null: none. */
  readonly upgrade: string | null;
}

/** A "no" with its stable reason. The doors turn it into bytes, from the table in refusal.ts. */
export interface Refusal extends Findings {
  readonly permitted: false;
  readonly reason: RefusalReason;
  /**
   * RFC 9110 §15.5.6: the methods that the path does allow; only for `method-refused`. Empty for
   * CONNECT and TRACE: no path takes them.
   */
  readonly allow: readonly string[];
  /**
   * What more can be said: one fixed phrase of a closed list, without a byte of the request. Null:
   * nothing.
   */
  readonly detail: string | null;
}

export type Verdict = Permit | Refusal;

/**
 * No verdict yet: the route is decided by the body, of a caller who is known. Once all of it is
 * here, the decision is reached anew, with it.
 */
export interface BodyWish {
  readonly permitted: null;
  /** What is known so far, for whatever happens before the body is here. */
  readonly found: Findings;
  /** Of the caller. */
  readonly account: string;
  /** The largest body that the route reads. */
  readonly limitBytes: number;
}

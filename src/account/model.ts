/** The registry's records, as they are stored: plain data, immutable, JSON all the way down. */

/** Digests of retired tokens that an account keeps, and that a presented token is compared with. */
export const RETIRED_MAX = 8;

export type AccountKind = 'service' | 'user';
export type AccountStatus = 'active' | 'inactive';

/** What is kept of a token: enough to recognise it, nothing to rebuild it from. */
export interface StoredToken {
  /** SHA-256 of all 66 bytes of the token, 64 lower-case hex digits. */
  readonly digest: string;
  /** ISO 8601, UTC. */
  readonly createdAt: string;
}

/**
 * Of the client certificate to which a token is bound (RFC 8705): its SHA-256 thumbprint in
 * base64url, whoever issued it; or its subject as `readName` spells it, which a CA must vouch for.
 */
export type CertificateBinding = { readonly thumbprint: string } | { readonly subject: string };

/** The token before the live one, while a rotation with overlap lets both in. */
export interface PreviousToken extends StoredToken {
  /**
   * ISO 8601, UTC: from then on it counts for nothing, whether or not anybody does anything about
   * it.
   */
  readonly validUntil: string;
}

export interface TeamMembership {
  readonly team: string;
  readonly role: string;
}

export interface Grant {
  readonly application: string;
  readonly role: string;
}

export interface Account {
  /** 12 characters `[0-9A-Za-z]`, never reused. */
  readonly id: string;
  /**
   * Sequence number of the registry change that wrote this record; 0 before it is stored. Fences
   * stale reads.
   */
  readonly version: number;
  readonly kind: AccountKind;
  /** Unique among all accounts. See `isName`. */
  readonly name: string;
  readonly description: string;
  readonly status: AccountStatus;
  /** The default role: decides wherever neither a grant nor a team says otherwise. */
  readonly role: string;
  readonly teams: readonly TeamMembership[];
  readonly grants: readonly Grant[];
  /** ISO 8601, UTC. */
  readonly createdAt: string;
  readonly updatedAt: string;
  /** ISO 8601, UTC; null = never. */
  readonly expiresAt: string | null;
  /**
   * The live token of a service account; null for users, and for a service account that has none.
   */
  readonly token: StoredToken | null;
  /**
   * The token before the live one, during a rotation with overlap and until the next change of
   * tokens; null or absent: there is none.
   */
  readonly previous?: PreviousToken | null;
  /**
   * Digests of the last `RETIRED_MAX` retired tokens, newest first: they tell `token-revoked` from
   * `token-unknown`.
   */
  readonly retired: readonly string[];
  /** Password verifier of a user (scrypt, PHC string format); null for service accounts. */
  readonly password: string | null;
  /**
   * How often a user's sessions were all ended at once (deactivated, password set, signed out
   * everywhere); a session from before counts no more. Absent: never.
   */
  readonly signOuts?: number;
  /**
   * Who the user is at the identity provider, `issuer#sub`: the account is that person's and nobody
   * else's. Absent: not made by a sign-in there.
   */
  readonly subject?: string;
  /**
   * From where a service account is let in: addresses and ranges as `readNetwork` spells them, at
   * least one. Absent: from anywhere.
   */
  readonly allowedNetworks?: readonly string[];
  /**
   * A service account is let in only on connections on which this certificate was shown. Absent: on
   * all.
   */
  readonly boundTo?: CertificateBinding;
  /**
   * A bait: its tokens are issued to be found and are let in nowhere, whatever becomes of the
   * record. They stand among the `retired` ones from the beginning, and `token` is null: so a gate
   * that knows nothing of baits refuses them, too. Absent: an account like any other.
   */
  readonly honey?: true;
  /**
   * Brought back by an import that was told to: what was known against the account as of this
   * change of the registry, or from an earlier registry, counts no more. Absent: it never was.
   */
  readonly revived?: number;
}

export interface Role {
  readonly name: string;
  readonly version: number;
  readonly description: string;
  /** `deployments:read`, `deployments:*`, `*`. */
  readonly permissions: readonly string[];
  readonly createdAt: string;
  readonly updatedAt: string;
  /** Brought back by an import, as in `Account`. */
  readonly revived?: number;
  /**
   * Permissions that the stored record names and that do not count: `permissions` is what is left.
   * Instances have seen less of it, and the store has lost that change. Until the role is changed
   * by somebody who saw this. Never stored; absent: there are none.
   */
  readonly inDoubt?: readonly string[];
}

export interface Team {
  readonly name: string;
  readonly version: number;
  readonly description: string;
  /** Applications that the team owns. An application belongs to at most one team. */
  readonly applications: readonly string[];
  readonly createdAt: string;
  readonly updatedAt: string;
  /** Brought back by an import, as in `Account`. */
  readonly revived?: number;
  /**
   * Applications that the team owns by its record and not by what instances have seen, or the other
   * way round, since the store has lost a change: members have no role in them, but by a grant,
   * until the team is changed by somebody who saw this. Never stored; absent: there are none.
   */
  readonly inDoubt?: readonly string[];
}

/** Whether more is asked of the account's calls than its token, whatever they are about. */
export function isRestricted({
  allowedNetworks,
  boundTo,
}: Pick<Account, 'allowedNetworks' | 'boundTo'>): boolean {
  return allowedNetworks !== undefined || boundTo !== undefined;
}

/** Names of accounts, roles, teams, applications, routes and upstreams. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

export function isName(text: string): boolean {
  return NAME.test(text);
}

/** When and from where a token was last let in. */
export interface TokenUse {
  readonly account: string;
  /** Public handle of the token (`tokenId`). */
  readonly token: string;
  /** Wall clock. */
  readonly timeMs: number;
  readonly address: string;
}

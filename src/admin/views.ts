import type {
  Account,
  AccountKind,
  AccountStatus,
  CertificateBinding,
  Grant,
  PreviousToken,
  Role,
  StoredToken,
  Team,
  TeamMembership,
  TokenUse,
} from '../account/model.ts';
import { tokenId } from '../account/token.ts';

/**
 * An account as it may be shown: everything but what could help to forge a token or guess a
 * password.
 */
export interface AccountView {
  readonly id: string;
  readonly version: number;
  readonly kind: AccountKind;
  readonly name: string;
  readonly description: string;
  readonly status: AccountStatus;
  /** The expiry has passed: the account is let in nowhere, whatever its status. */
  readonly expired: boolean;
  readonly role: string;
  readonly teams: readonly TeamMembership[];
  readonly grants: readonly Grant[];
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly expiresAt: string | null;
  /** From where it is let in; empty: from anywhere. */
  readonly allowedNetworks: readonly string[];
  /** The client certificate without which its token counts for nothing; null: it needs none. */
  readonly boundTo: CertificateBinding | null;
  /** A bait: its token is let in nowhere, and whoever presents it is told of. */
  readonly honey: boolean;
  /** The live token: its public handle, as in audit events, and when it was issued. */
  readonly token: TokenView | null;
  /** The token before it, while a rotation's overlap lets it in too. */
  readonly previousToken: (TokenView & { readonly validUntil: string }) | null;
  /**
   * Who a user is at the identity provider, by which alone they sign in: `issuer#sub`. Null: a user
   * with a password, or a service account.
   */
  readonly subject: string | null;
  /** Handles of retired tokens, newest first. */
  readonly retiredTokens: readonly string[];
}

export interface TokenView {
  readonly id: string;
  readonly createdAt: string;
  /**
   * When it was last let in and from where; null: never, or not known here (lists do not look for
   * it).
   */
  readonly lastUsed: { readonly at: string; readonly address: string } | null;
}

export type RoleView = Role & {
  /** Built in, not a record: can be assigned and not changed. */
  readonly builtIn: boolean;
};

/** `uses`: how many accounts have the role anywhere; null for the built-in one. */
export type ListedRole = RoleView & { readonly uses: number | null };

export type ListedTeam = Team & { readonly memberCount: number };

export type TeamView = ListedTeam & { readonly members: readonly TeamMember[] };

export interface TeamMember {
  readonly id: string;
  readonly account: string;
  readonly kind: AccountKind;
  readonly role: string;
}

export function viewAccount(
  account: Account,
  nowMs: number,
  uses: readonly TokenUse[] = [],
): AccountView {
  // Named one by one: a field added to the record stays hidden until somebody decides otherwise.
  return {
    id: account.id,
    version: account.version,
    kind: account.kind,
    name: account.name,
    description: account.description,
    status: account.status,
    expired: account.expiresAt !== null && !(Date.parse(account.expiresAt) > nowMs),
    role: account.role,
    teams: account.teams,
    grants: account.grants,
    createdAt: account.createdAt,
    updatedAt: account.updatedAt,
    expiresAt: account.expiresAt,
    allowedNetworks: account.allowedNetworks ?? [],
    boundTo: account.boundTo ?? null,
    honey: account.honey === true,
    token: account.token === null ? null : viewToken(account.token, uses),
    previousToken: viewPrevious(account.previous ?? null, nowMs, uses),
    subject: account.subject ?? null,
    retiredTokens: account.retired.map(tokenId),
  };
}

/** An overlap that is over is none, although the record still tells of it. */
function viewPrevious(
  previous: PreviousToken | null,
  nowMs: number,
  uses: readonly TokenUse[],
): AccountView['previousToken'] {
  if (previous === null || !(Date.parse(previous.validUntil) > nowMs)) return null;
  return { ...viewToken(previous, uses), validUntil: previous.validUntil };
}

function viewToken({ digest, createdAt }: StoredToken, uses: readonly TokenUse[]): TokenView {
  const id = tokenId(digest);
  const use = uses.find(({ token }) => token === id);
  const lastUsed =
    use === undefined ? null : { at: new Date(use.timeMs).toISOString(), address: use.address };
  return { id, createdAt, lastUsed };
}

export function viewRole({ revived: _, ...role }: Role): RoleView {
  return { ...role, builtIn: false };
}

export function viewTeam({ revived: _, ...team }: Team): Team {
  return team;
}

/** `none` has no record; people look for it in the list all the same. */
export const NONE_VIEW: RoleView = {
  name: 'none',
  version: 0,
  description: 'No permission: for accounts that live by teams and grants',
  permissions: [],
  createdAt: new Date(0).toISOString(),
  updatedAt: new Date(0).toISOString(),
  builtIn: true,
};

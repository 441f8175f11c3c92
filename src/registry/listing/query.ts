import type { Account, AccountKind, TokenUse } from '../../account/model.ts';
import { tokenId } from '../../account/token.ts';
import { folded, rolesAnywhere, timeOf } from './entry.ts';

/** What a list can be sorted by. Accounts that are equal in it have a fixed order all the same. */
export const LIST_SORTS = [
  'name',
  'role',
  'status',
  'createdAt',
  'updatedAt',
  'expiresAt',
  'tokenCreatedAt',
  'lastUsed',
] as const;
export type ListSort = (typeof LIST_SORTS)[number];

/** Which accounts, and in which order. What is null does not narrow. */
export interface ListFilter {
  readonly kind: AccountKind;
  /** Part of the name or of the description, or the id, in any letter case. */
  readonly search: string | null;
  /** How the name begins, in any letter case. */
  readonly namePrefix: string | null;
  readonly status: 'active' | 'inactive' | 'expired' | null;
  /** Has the role anywhere: by default, in a team or by a grant. */
  readonly role: string | null;
  readonly team: string | null;
  /** Is a bait. */
  readonly honey: boolean;
  /** Has a live token that has never been let in. */
  readonly neverUsed: boolean;
  /**
   * The live token was let in for the last time, or issued if it never was, at that time or before.
   */
  readonly unusedSinceMs: number | null;
  /** Expires at that time or before, and has not yet. */
  readonly expiresUntilMs: number | null;
  /** The live token was issued at that time or before. */
  readonly tokenIssuedUntilMs: number | null;
  /** Wall clock: what has expired. */
  readonly nowMs: number;
}

export interface ListQuery extends ListFilter {
  readonly sort: ListSort;
  readonly descending: boolean;
  /** Of a page before; null: from the beginning. */
  readonly cursor: string | null;
  /** 1 to 500. */
  readonly limit: number;
  /** Also read when each token was last let in. */
  readonly withUses: boolean;
}

/** Every account of a kind, by name, from the beginning. */
export const UNFILTERED = {
  search: null,
  namePrefix: null,
  status: null,
  role: null,
  team: null,
  honey: false,
  neverUsed: false,
  unusedSinceMs: null,
  expiresUntilMs: null,
  tokenIssuedUntilMs: null,
  sort: 'name',
  descending: false,
  cursor: null,
  withUses: false,
} as const satisfies Omit<ListQuery, 'kind' | 'nowMs' | 'limit'>;

export interface ListPage {
  readonly items: readonly ListedAccount[];
  /** Ids of accounts whose record cannot be read. */
  readonly damaged: readonly string[];
  /** How many there are on all pages. */
  readonly total: number;
  /** Cursors; null: there is no such page. */
  readonly previous: string | null;
  readonly next: string | null;
}

export interface ListedAccount {
  readonly account: Account;
  /** Empty where it was not asked for. */
  readonly uses: readonly TokenUse[];
}

/** Whether an answer depends on when tokens were let in. */
export function needsUses({ neverUsed, unusedSinceMs }: ListFilter): boolean {
  return neverUsed || unusedSinceMs !== null;
}

/** The rule by which an account is in a list: what the stores keep only finds it faster. */
export function isListed({ account, uses }: ListedAccount, filter: ListFilter): boolean {
  const { kind, search, namePrefix, status, role, team, honey } = filter;
  return (
    account.kind === kind &&
    (search === null || isFoundIn(account, search)) &&
    (namePrefix === null || folded(account.name).startsWith(folded(namePrefix))) &&
    (status === null || statusOf(account, filter.nowMs) === status) &&
    (role === null || rolesAnywhere(account).includes(role)) &&
    (team === null || account.teams.some((one) => one.team === team)) &&
    (!honey || account.honey === true) &&
    areTimesListed(
      timeOf(account.expiresAt),
      timeOf(account.token?.createdAt ?? null),
      lastUseOf(account, uses),
      filter,
    )
  );
}

/** The part of the rule that is about times; 0 = there is none. */
export function areTimesListed(
  expires: number,
  token: number,
  used: number,
  filter: ListFilter,
): boolean {
  const { neverUsed, unusedSinceMs, expiresUntilMs, tokenIssuedUntilMs, nowMs } = filter;
  return (
    (!neverUsed || (token > 0 && used === 0)) &&
    (unusedSinceMs === null || (token > 0 && (used || token) <= unusedSinceMs)) &&
    (expiresUntilMs === null || (expires > nowMs && expires <= expiresUntilMs)) &&
    (tokenIssuedUntilMs === null || (token > 0 && token <= tokenIssuedUntilMs))
  );
}

export function statusOf(
  { status, expiresAt }: Pick<Account, 'status' | 'expiresAt'>,
  nowMs: number,
): 'active' | 'inactive' | 'expired' {
  if (status === 'inactive') return status;
  return expiresAt !== null && timeOf(expiresAt) <= nowMs ? 'expired' : 'active';
}

/** The last use of the live token; 0 = never. */
export function lastUseOf({ token }: Account, uses: readonly TokenUse[]): number {
  const id = token === null ? null : tokenId(token.digest);
  return Math.trunc(uses.find((use) => use.token === id)?.timeMs ?? 0);
}

function isFoundIn({ name, description, id }: Account, search: string): boolean {
  const needle = folded(search);
  return id === search || [name, description].some((text) => folded(text).includes(needle));
}

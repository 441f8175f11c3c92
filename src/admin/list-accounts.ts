import type { AccountKind, AccountStatus } from '../account/model.ts';
import { BadCursor } from '../registry/listing/cursor.ts';
import { folded } from '../registry/listing/entry.ts';
import {
  isListed,
  type ListedAccount,
  type ListPage,
  type ListQuery,
  type ListSort,
  needsUses,
} from '../registry/listing/query.ts';
import { turn } from '../turns.ts';
import type { AdminActor } from './actor.ts';
import { reading } from './change.ts';
import type { AdminContext } from './context.ts';
import { invalid } from './error.ts';
import { LIST_ORDERS } from './schemas/inputs.ts';
import { type AccountView, viewAccount } from './views.ts';

export { LIST_ORDERS };

export interface AccountQuery {
  /**
   * Service accounts and users are lists of their own. Default `service`; with `name` also both.
   */
  readonly kind?: AccountKind;
  /** `next` or `previous` of another page of the same list. */
  readonly cursor?: string | null;
  /** 1 to 500; default 100. */
  readonly limit?: number;
  /** Exactly this name. */
  readonly name?: string;
  /** Part of the name or the description, whatever the letter case, or the whole id. */
  readonly search?: string;
  /** How the name begins, whatever the letter case. */
  readonly namePrefix?: string;
  readonly status?: AccountStatus | 'expired';
  /** Has the role anywhere: by default, in a team or by a grant. */
  readonly role?: string;
  readonly team?: string;
  /** Only baits. */
  readonly honey?: boolean;
  /** The live token has never been let in, as far as is known. */
  readonly neverUsed?: boolean;
  /** The live token has not been let in for so many days, or never; and it is older than that. */
  readonly unusedForDays?: number;
  /** Expires within so many days, and has not yet. */
  readonly expiringWithinDays?: number;
  /** The live token was issued so many days ago or earlier. */
  readonly tokenOlderThanDays?: number;
  /** Default `name`. What has no such value comes last, but what was never used first. */
  readonly sort?: ListSort;
  readonly order?: (typeof LIST_ORDERS)[number];
  /** Also say when each token was last let in: one more look-up for each account. */
  readonly lastUsed?: boolean;
}

export interface AccountViewPage {
  readonly items: readonly AccountView[];
  /** How many accounts there are on all pages. */
  readonly total: number;
  /** Opaque; null: there is no such page. */
  readonly next: string | null;
  readonly previous: string | null;
  /** Ids of accounts whose record is there and cannot be read. */
  readonly damaged: readonly string[];
}

const DAY_MS = 86_400_000;

export async function listAccounts(
  context: AdminContext,
  _actor: AdminActor,
  input: AccountQuery,
): Promise<AccountViewPage> {
  const page = await accountsPage(context, input);
  const nowMs = context.clock.wallMs();
  await turn();
  return {
    ...page,
    items: page.items.map(({ account, uses }) => viewAccount(account, nowMs, uses)),
  };
}

/** The same page, of the records themselves. Throws `AdminError`. */
export async function accountsPage(
  context: Pick<AdminContext, 'store' | 'clock'>,
  input: AccountQuery,
): Promise<ListPage> {
  const query = queryOf(input, context.clock.wallMs());
  const { name } = input;
  return reading(() =>
    name === undefined
      ? pageOf(context, query)
      : byName(context, name, query, input.kind !== undefined),
  );
}

async function pageOf({ store }: Pick<AdminContext, 'store'>, query: ListQuery): Promise<ListPage> {
  try {
    return await store.list(query);
  } catch (error) {
    if (!(error instanceof BadCursor)) throw error;
    throw invalid([{ field: 'cursor', message: error.message }]);
  }
}

/** At most one, and no need of a list. */
async function byName(
  { store }: Pick<AdminContext, 'store'>,
  name: string,
  query: ListQuery,
  isOfKind: boolean,
): Promise<ListPage> {
  const account = await store.accountByName(name);
  const items: ListedAccount[] = [];
  if (account !== null) {
    const reads = account.kind === 'service' && (query.withUses || needsUses(query));
    const one = { account, uses: reads ? await store.uses(account.id) : [] };
    if (isListed(one, isOfKind ? query : { ...query, kind: account.kind })) items.push(one);
  }
  return { items, total: items.length, next: null, previous: null, damaged: [] };
}

function queryOf(input: AccountQuery, nowMs: number): ListQuery {
  const ago = (days: number | undefined) => (days === undefined ? null : nowMs - days * DAY_MS);
  const { expiringWithinDays: ahead, search } = input;
  return {
    kind: input.kind ?? 'service',
    search: search === undefined ? null : trimmed(search),
    namePrefix: input.namePrefix ?? null,
    status: input.status ?? null,
    role: input.role ?? null,
    team: input.team ?? null,
    honey: input.honey ?? false,
    neverUsed: input.neverUsed ?? false,
    unusedSinceMs: ago(input.unusedForDays),
    expiresUntilMs: ahead === undefined ? null : nowMs + ahead * DAY_MS,
    tokenIssuedUntilMs: ago(input.tokenOlderThanDays),
    nowMs,
    sort: input.sort ?? 'name',
    descending: input.order === 'descending',
    cursor: input.cursor ?? null,
    limit: input.limit ?? 100,
    withUses: input.lastUsed ?? false,
  };
}

function trimmed(search: string): string {
  const words = search.trim();
  if (folded(words) === '') throw invalid([{ field: 'search', message: 'must not be blank' }]);
  return words;
}

import type { AccountKind, AccountStatus } from '../account/model.ts';
import { BadCursor } from '../registry/listing/cursor.ts';
import { folded } from '../registry/listing/entry.ts';
import {
  isListed,
  LIST_SORTS,
  type ListedAccount,
  type ListPage,
  type ListQuery,
  type ListSort,
  needsUses,
} from '../registry/listing/query.ts';
import { turn } from '../turns.ts';
import { type AdminActor, mustHave } from './actor.ts';
import { reading } from './change.ts';
import type { AdminContext } from './context.ts';
import { invalid } from './error.ts';
import { Fields } from './fields.ts';
import { type AccountView, viewAccount } from './views.ts';

export const LIST_ORDERS = ['ascending', 'descending'] as const;

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

const KNOWN = [
  'kind',
  'cursor',
  'limit',
  'name',
  'search',
  'namePrefix',
  'status',
  'role',
  'team',
  'neverUsed',
  'unusedForDays',
  'expiringWithinDays',
  'tokenOlderThanDays',
  'sort',
  'order',
  'lastUsed',
] as const;

const DAY_MS = 86_400_000;
const DAYS_MOST = 3650;

export async function listAccounts(
  context: AdminContext,
  actor: AdminActor,
  input: AccountQuery,
): Promise<AccountViewPage> {
  mustHave(actor, 'sallyport:registry:read');
  const nowMs = context.clock.wallMs();
  const { name, query } = readQuery(input, nowMs);
  const page = await reading(() =>
    name === null ? pageOf(context, query) : byName(context, name, query, input.kind !== undefined),
  );
  await turn();
  return {
    ...page,
    items: page.items.map(({ account, uses }) => viewAccount(account, nowMs, uses)),
  };
}

async function pageOf({ store }: AdminContext, query: ListQuery): Promise<ListPage> {
  try {
    return await store.list(query);
  } catch (error) {
    if (!(error instanceof BadCursor)) throw error;
    throw invalid([{ field: 'cursor', message: error.message }]);
  }
}

/** At most one, and no need of a list. */
async function byName(
  { store }: AdminContext,
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

function readQuery(
  input: AccountQuery,
  nowMs: number,
): { readonly name: string | null; readonly query: ListQuery } {
  const fields = new Fields(input, KNOWN);
  const nameIn = (field: string) => (fields.has(field) ? fields.name(field) : null);
  const textIn = (field: string, most: number) =>
    fields.has(field) ? fields.text(field, most) : null;
  const daysIn = (field: string) =>
    fields.has(field) ? fields.integer(field, 1, 1, DAYS_MOST) * DAY_MS : null;
  const [unusedMs, expiringMs] = [daysIn('unusedForDays'), daysIn('expiringWithinDays')];
  const olderMs = daysIn('tokenOlderThanDays');
  const search = textIn('search', 200);
  const name = nameIn('name');
  const query: ListQuery = {
    kind: fields.oneOf('kind', ['service', 'user'] as const, 'service'),
    search: search === null ? null : search.trim(),
    namePrefix: textIn('namePrefix', 64),
    status: fields.has('status')
      ? fields.oneOf('status', ['active', 'inactive', 'expired'] as const, 'active')
      : null,
    role: nameIn('role'),
    team: nameIn('team'),
    neverUsed: fields.flag('neverUsed'),
    unusedSinceMs: unusedMs === null ? null : nowMs - unusedMs,
    expiresUntilMs: expiringMs === null ? null : nowMs + expiringMs,
    tokenIssuedUntilMs: olderMs === null ? null : nowMs - olderMs,
    nowMs,
    sort: fields.oneOf('sort', LIST_SORTS, 'name'),
    descending: fields.oneOf('order', LIST_ORDERS, 'ascending') === 'descending',
    cursor: (input.cursor ?? null) === null ? null : fields.text('cursor', 512),
    limit: fields.integer('limit', 100, 1, 500),
    withUses: fields.flag('lastUsed'),
  };
  if (search !== null && folded(search.trim()) === '') fields.fault('search', 'must not be blank');
  fields.check();
  return { name, query };
}

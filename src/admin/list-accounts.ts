import type { Account, AccountKind, AccountStatus } from '../account/model.ts';
import type { Page, TokenUse } from '../registry/port.ts';
import { type AdminActor, mustHave } from './actor.ts';
import { type AdminContext, reading } from './change.ts';
import { Fields } from './fields.ts';
import { type AccountView, viewAccount } from './views.ts';

export interface AccountQuery {
  readonly kind?: AccountKind;
  readonly cursor?: string | null;
  /**
   * 1 to 500; default 100. A page may hold fewer although more follow: only `next: null` is the
   * end.
   */
  readonly limit?: number;
  /** Exactly this name. */
  readonly name?: string;
  /** Part of the name, the description or the id, whatever the letter case. */
  readonly search?: string;
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
  /** Also say when each token was last let in: one more look-up for each account. */
  readonly lastUsed?: boolean;
}

export interface AccountViewPage extends Page<AccountView> {
  /** Ids of accounts whose record is there and cannot be read. */
  readonly damaged: readonly string[];
}

const KNOWN = [
  'kind',
  'cursor',
  'limit',
  'name',
  'search',
  'status',
  'role',
  'team',
  'neverUsed',
  'unusedForDays',
  'expiringWithinDays',
  'lastUsed',
] as const;

const DAY_MS = 86_400_000;

/**
 * Pages of the store that are looked through for one of ours: filters that match little must not
 * make one request read everything.
 */
const PAGES_READ = 20;
const PAGE_READ = 500;

export async function listAccounts(
  context: AdminContext,
  actor: AdminActor,
  query: AccountQuery,
): Promise<AccountViewPage> {
  mustHave(actor, 'sallyport:registry:read');
  const read = readQuery(query);
  if (read.name !== null) return byName(context, read.name, read);
  const { limit, filtered } = read;
  const items: AccountView[] = [];
  const damaged: string[] = [];
  let { cursor } = read;
  for (let pages = 0; pages < PAGES_READ && items.length < limit; pages += 1) {
    // Never more than can be shown: the cursor stands at the end of what was read.
    const wanted = filtered ? Math.min(PAGE_READ, limit - items.length) : limit;
    const page = await reading(() => context.store.accounts({ cursor, limit: wanted }));
    items.push(...(await matching(context, page.items, read)));
    damaged.push(...page.damaged);
    cursor = page.next;
    if (cursor === null || !filtered) break;
  }
  return { items, next: cursor, damaged };
}

async function byName(
  context: AdminContext,
  name: string,
  read: ReadQuery,
): Promise<AccountViewPage> {
  const account = await reading(() => context.store.accountByName(name));
  return {
    items: account === null ? [] : await matching(context, [account], read),
    next: null,
    damaged: [],
  };
}

interface ReadQuery {
  readonly cursor: string | null;
  readonly limit: number;
  readonly name: string | null;
  readonly needsUses: boolean;
  /** Whether anything but the kind narrows the list. */
  readonly filtered: boolean;
  matches(account: Account, nowMs: number): boolean;
  matchesUse(view: AccountView, nowMs: number): boolean;
}

function readQuery(query: AccountQuery): ReadQuery {
  const fields = new Fields(query, KNOWN);
  const limit = fields.integer('limit', 100, 1, 500);
  const cursor = (query.cursor ?? null) === null ? null : fields.text('cursor', 512);
  const kind =
    query.kind === undefined ? null : fields.oneOf('kind', ['service', 'user'] as const, 'service');
  const name = fields.has('name') ? fields.name('name') : null;
  const search = fields.has('search')
    ? fields.text('search', 200).normalize('NFC').toLowerCase()
    : null;
  const status = fields.has('status')
    ? fields.oneOf('status', ['active', 'inactive', 'expired'] as const, 'active')
    : null;
  const role = fields.has('role') ? fields.name('role') : null;
  const team = fields.has('team') ? fields.name('team') : null;
  const neverUsed = fields.flag('neverUsed');
  const unusedMs = fields.has('unusedForDays')
    ? fields.integer('unusedForDays', 1, 1, 3650) * DAY_MS
    : null;
  const expiringMs = fields.has('expiringWithinDays')
    ? fields.integer('expiringWithinDays', 1, 1, 3650) * DAY_MS
    : null;
  const lastUsed = fields.flag('lastUsed');
  fields.check();
  const tests: ((account: Account, nowMs: number) => boolean)[] = [];
  if (kind !== null) tests.push((account) => account.kind === kind);
  if (search !== null) tests.push((account) => isFoundIn(account, search));
  if (status !== null) tests.push((account, nowMs) => standing(account, nowMs) === status);
  if (role !== null) tests.push((account) => hasRole(account, role));
  if (team !== null)
    tests.push((account) => account.teams.some((membership) => membership.team === team));
  if (expiringMs !== null)
    tests.push((account, nowMs) => isWithin(account.expiresAt, nowMs, expiringMs));
  return {
    cursor,
    limit,
    name,
    needsUses: lastUsed || neverUsed || unusedMs !== null,
    filtered: tests.length > 0 || neverUsed || unusedMs !== null,
    matches: (account, nowMs) => tests.every((test) => test(account, nowMs)),
    matchesUse: ({ token }, nowMs) => {
      if (neverUsed && (token === null || token.lastUsed !== null)) return false;
      // A token that was issued yesterday is not one that nobody has needed for a month.
      return (
        unusedMs === null ||
        (token !== null && nowMs - Date.parse(token.lastUsed?.at ?? token.createdAt) >= unusedMs)
      );
    },
  };
}

async function matching(
  context: AdminContext,
  accounts: readonly Account[],
  read: ReadQuery,
): Promise<readonly AccountView[]> {
  const nowMs = context.clock.wallMs();
  const found = accounts.filter((account) => read.matches(account, nowMs));
  const uses = await Promise.all(
    found.map((account) => (read.needsUses ? usesOf(context, account) : [])),
  );
  const views = found.map((account, index) => viewAccount(account, nowMs, uses[index]));
  return views.filter((view) => read.matchesUse(view, nowMs));
}

async function usesOf(context: AdminContext, account: Account): Promise<readonly TokenUse[]> {
  return account.kind === 'service' ? reading(() => context.store.uses(account.id)) : [];
}

function isFoundIn({ name, description, id }: Account, search: string): boolean {
  return [name, description, id].some((text) => text.toLowerCase().includes(search));
}

function hasRole({ role, teams, grants }: Account, wanted: string): boolean {
  return role === wanted || [...teams, ...grants].some((one) => one.role === wanted);
}

function standing({ status, expiresAt }: Account, nowMs: number): AccountStatus | 'expired' {
  if (status === 'inactive') return status;
  return expiresAt !== null && !(Date.parse(expiresAt) > nowMs) ? 'expired' : 'active';
}

function isWithin(moment: string | null, nowMs: number, spanMs: number): boolean {
  if (moment === null) return false;
  const left = Date.parse(moment) - nowMs;
  return left > 0 && left <= spanMs;
}

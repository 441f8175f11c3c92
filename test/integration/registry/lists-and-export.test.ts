import { describe, expect, it } from 'vitest';
import type { Account, Role, Team } from '../../../src/account/model.ts';
import { AdminError } from '../../../src/admin/error.ts';
import type { AccountQuery } from '../../../src/admin/list-accounts.ts';
import { CSV_LISTS, csvLines } from '../../../src/admin/lists-csv.ts';
import { viewAccount } from '../../../src/admin/views.ts';
import { encodeRecord, withVersion } from '../../../src/registry/codec.ts';
import { nameKey, rolesAnywhere } from '../../../src/registry/listing/entry.ts';
import {
  isListed,
  LIST_SORTS,
  type ListedAccount,
  type ListQuery,
  lastUseOf,
  statusOf,
  UNFILTERED,
} from '../../../src/registry/listing/query.ts';
import { account, idOf } from '../../contract/registry-records.ts';
import { Random } from '../../fuzz/random.ts';
import { type Bench, NOW_MS, openBench, owner, STORES } from '../../unit/admin/stores.ts';

const DAY_MS = 86_400_000;
const WORDS = ['ci', 'Pipeline', 'monitor', 'Billing', 'x'];
const CASES = { start: 60, atRest: 25, edits: 40, questions: 30 } as const;

/**
 * Whatever administration lists, filters, sorts, counts or tells as a table is what the same rule
 * says about an export: at rest exactly, and while others change the registry as of some moment
 * between the question and its answer.
 */
describe.each(STORES)('lists are what the same computed from an export is (%s)', (kind) => {
  async function world(ctx: { skip(note: string): never }, seed: number) {
    const bench = await openBench(kind);
    if (bench === null) ctx.skip('redis-server is not here');
    const made = new Edits(bench!, new Random(seed));
    for (let n = 0; n < CASES.start; n += 1) await made.next();
    return { bench: bench!, edits: made };
  }

  it('at rest: accounts, users, roles, teams, members, and their tables', async (ctx) => {
    const { bench, edits } = await world(ctx, 20_261_129);
    try {
      for (let round = 0; round < 2; round += 1) {
        const state = await exported(bench);
        for (let n = 0; n < CASES.atRest; n += 1)
          await compareAccounts(bench, state, edits.query());
        await comparePolicy(bench, state);
        for (let n = 0; n < CASES.edits; n += 1) await edits.next();
      }
    } finally {
      await bench.close();
    }
  });

  it('under change: each page as of a moment between question and answer', async (ctx) => {
    const { bench, edits } = await world(ctx, 7);
    try {
      const states = [await exported(bench)];
      const seen: (() => void)[] = [];
      let over = false;
      const changing = (async () => {
        for (let n = 0; n < CASES.edits || seen.length < CASES.questions; n += 1) {
          await edits.next();
          states.push(await exported(bench));
        }
        over = true;
      })();
      while (!over) {
        const first = states.length - 1;
        const query = { ...edits.query(), limit: 500 };
        const page = await bench.admin.listAccounts(owner, query);
        // A change under way may be in the answer, and its export not be made yet.
        const last = states.length;
        seen.push(() => mustBeOfAMoment(states.slice(first, last + 1), query, page));
      }
      await changing;
      for (const look of seen) look();
      for (let n = 0; n < CASES.atRest; n += 1)
        await compareAccounts(bench, states.at(-1)!, edits.query());
    } finally {
      await bench.close();
    }
  });
});

/** Everything there is, by the operation that exports it, and what is known of last uses. */
interface State {
  readonly accounts: ReadonlyMap<string, ListedAccount>;
  readonly roles: readonly Role[];
  readonly teams: readonly Team[];
}

async function exported({ admin, store }: Bench): Promise<State> {
  const found = { account: [] as Account[], role: [] as Role[], team: [] as Team[] };
  let cursor: string | null = null;
  do {
    const page = await admin.exportRecords(owner, { cursor });
    for (const { kind, text } of page.records) found[kind].push(JSON.parse(text) as never);
    cursor = page.next;
  } while (cursor !== null);
  const accounts = new Map<string, ListedAccount>();
  for (const one of found.account)
    accounts.set(one.id, { account: one, uses: await store.uses(one.id) });
  return { accounts, roles: found.role, teams: found.team };
}

async function compareAccounts(bench: Bench, state: State, query: AccountQuery): Promise<void> {
  const what = JSON.stringify(query);
  const rule = ruleOf(query);
  const expected = [...state.accounts.values()].filter((one) => isListed(one, rule));
  const items = [];
  let cursor: string | null = null;
  do {
    const page = await bench.admin.listAccounts(owner, { ...query, cursor, lastUsed: true });
    expect(page.total, what).toBe(expected.length);
    items.push(...page.items);
    cursor = page.next;
  } while (cursor !== null);
  expect(items.map(({ id }) => id).toSorted(), what).toEqual(
    expected.map((one) => one.account.id).toSorted(),
  );
  const listed = items.map(({ id }) => state.accounts.get(id)!);
  mustBeSorted(listed, rule, what);
  const views = listed.map((one) => viewAccount(one.account, bench.clock.ms, one.uses));
  expect(csvLines('accounts', items), what).toBe(
    views.map((view) => CSV_LISTS.accounts.line(view)).join(''),
  );
}

async function comparePolicy({ admin }: Bench, state: State): Promise<void> {
  const everybody = [...state.accounts.values()].map((one) => one.account);
  const roles = (await admin.listRoles(owner, {})).filter(({ builtIn }) => !builtIn);
  expect(roles.map(({ name, uses, permissions }) => [name, uses, permissions]).toSorted()).toEqual(
    state.roles
      .map(({ name, permissions }) => [
        name,
        everybody.filter((one) => rolesAnywhere(one).includes(name)).length,
        permissions,
      ])
      .toSorted(),
  );
  const teams = await admin.listTeams(owner, {});
  const isIn = (name: string) => (one: Account) => one.teams.some(({ team }) => team === name);
  expect(teams.map(({ name, memberCount }) => [name, memberCount]).toSorted()).toEqual(
    state.teams.map(({ name }) => [name, everybody.filter(isIn(name)).length]).toSorted(),
  );
  for (const { name } of state.teams) {
    const members = [];
    let cursor: string | null = null;
    do {
      const page = await admin.listTeamMembers(owner, { team: name, cursor, limit: 7 });
      members.push(...page.items);
      cursor = page.next;
    } while (cursor !== null);
    const expected = everybody.filter(isIn(name)).map((one) => ({
      ...{ id: one.id, account: one.name, kind: one.kind },
      role: one.teams.find(({ team }) => team === name)!.role,
    }));
    expect(members.toSorted(byId)).toEqual(expected.toSorted(byId));
  }
}

type Page = Awaited<ReturnType<Bench['admin']['listAccounts']>>;

/** `states`: one after the other, from the one before the question to the one after the answer. */
function mustBeOfAMoment(states: readonly State[], query: AccountQuery, page: Page): void {
  const what = JSON.stringify(query);
  const rule = ruleOf(query);
  const inEach = states.map(
    ({ accounts }) =>
      new Map([...accounts].filter(([, one]) => isListed(one, rule)).map(([id, one]) => [id, one])),
  );
  expect(
    inEach.map(({ size }) => size),
    `${what}: the number of all`,
  ).toContain(page.total);
  for (const { id, version } of page.items) {
    const versions = states.map(({ accounts }) => accounts.get(id)?.account.version);
    expect(versions, `${what}: the version of ${id}`).toContain(version);
    expect(
      inEach.some((listed) => listed.has(id)),
      `${what}: ${id} was never in it`,
    ).toBe(true);
  }
  const isTheSame = (id: string) =>
    new Set(states.map(({ accounts }) => JSON.stringify(accounts.get(id)))).size === 1;
  const stayed = [...inEach[0]!.keys()].filter(
    (id) => isTheSame(id) && inEach.every((listed) => listed.has(id)),
  );
  const shown = page.items.map(({ id }) => id);
  expect(shown, what).toEqual(expect.arrayContaining(stayed));
  const inOrder = shown.filter((id) => stayed.includes(id)).map((id) => inEach[0]!.get(id)!);
  mustBeSorted(inOrder, rule, what);
}

function mustBeSorted(listed: readonly ListedAccount[], rule: ListQuery, what: string): void {
  const keys = listed.map((one) => keyOf(one, rule));
  const sorted = keys.toSorted((one, other) => (one < other ? -1 : one > other ? 1 : 0));
  expect(keys, what).toEqual(rule.descending ? sorted.reverse() : sorted);
}

function keyOf({ account: one, uses }: ListedAccount, { sort, nowMs }: ListQuery): string | number {
  const never = Number.POSITIVE_INFINITY;
  switch (sort) {
    case 'name':
      return nameKey(one.name);
    case 'role':
      return `${one.role} ${nameKey(one.name)}`;
    case 'status':
      return ['active', 'expired', 'inactive'].indexOf(statusOf(one, nowMs));
    case 'lastUsed':
      return lastUseOf(one, uses);
    case 'tokenCreatedAt':
      return one.token === null ? never : Date.parse(one.token.createdAt);
    case 'expiresAt':
      return one.expiresAt === null ? never : Date.parse(one.expiresAt);
    default:
      return Date.parse(one[sort]);
  }
}

function ruleOf(query: AccountQuery): ListQuery {
  const ago = (days: number | undefined) => (days === undefined ? null : NOW_MS - days * DAY_MS);
  const { expiringWithinDays: ahead, order } = query;
  return {
    ...UNFILTERED,
    kind: query.kind ?? 'service',
    search: query.search?.trim() ?? null,
    namePrefix: query.namePrefix ?? null,
    status: query.status ?? null,
    role: query.role ?? null,
    team: query.team ?? null,
    honey: query.honey ?? false,
    neverUsed: query.neverUsed ?? false,
    unusedSinceMs: ago(query.unusedForDays),
    expiresUntilMs: ahead === undefined ? null : NOW_MS + ahead * DAY_MS,
    tokenIssuedUntilMs: ago(query.tokenOlderThanDays),
    nowMs: NOW_MS,
    sort: query.sort ?? 'name',
    descending: order === 'descending',
    limit: 500,
  };
}

function byId(one: { readonly id: string }, other: { readonly id: string }): number {
  return one.id < other.id ? -1 : 1;
}

/** Changes a registry at random by the operations that people have, and asks for lists of it. */
class Edits {
  readonly #bench: Bench;
  readonly #random: Random;
  readonly #ids: string[] = [];
  #made = 0;
  #usedMs = NOW_MS - 100 * DAY_MS;

  constructor(bench: Bench, random: Random) {
    this.#bench = bench;
    this.#random = random;
  }

  /** One change. What is refused changes nothing. */
  async next(): Promise<void> {
    try {
      await this.#edit();
    } catch (error) {
      if (!(error instanceof AdminError)) throw error;
    }
  }

  async #edit(): Promise<unknown> {
    const { admin, store } = this.#bench;
    const random = this.#random;
    this.#made += 1;
    const n = this.#made;
    if (n <= 6) return this.#policy(n);
    if (this.#ids.length < 12 || random.chance(0.3)) return this.#create(n);
    const ref = { id: random.pick(this.#ids), waitMs: 0 };
    const [role, team] = [this.#role(), this.#team()];
    const acts: readonly (() => Promise<unknown>)[] = [
      () => admin.editAccount(owner, { ...ref, description: random.pick(TEXTS), role }),
      () => admin.editAccount(owner, { ...ref, expiresAt: this.#expiry() }),
      () => admin.deactivateAccount(owner, ref),
      () => admin.activateAccount(owner, ref),
      () => admin.deleteAccount(owner, ref),
      () => admin.joinTeam(owner, { ...ref, team, role }),
      () => admin.leaveTeam(owner, { ...ref, team }),
      () => admin.grantRole(owner, { ...ref, application: 'CRM', role }),
      () => admin.revokeGrant(owner, { ...ref, application: 'CRM' }),
      () => admin.rotateToken(owner, ref),
      () => this.#use(store, ref.id),
      () => this.#use(store, ref.id),
      () => this.#policy(n),
      () => admin.deleteRole(owner, { name: role, waitMs: 0 }),
      () => admin.deleteTeam(owner, { name: team, waitMs: 0 }),
      () =>
        admin.changeAccounts(owner, {
          ...{ kind: 'service', ids: this.#ids.slice(-5), waitMs: 0 },
          ...random.pick([{ role }, { join: { team, role } }, { leave: team }]),
        }),
    ];
    return random.pick(acts)();
  }

  #policy(n: number): Promise<unknown> {
    const { admin } = this.#bench;
    return n % 2 === 0
      ? admin.createRole(owner, { name: `role-${n % 5}`, permissions: [`a:b${n}`] })
      : admin.createTeam(owner, { name: `team-${n % 5}`, applications: [`app-${n}`] });
  }

  /** As somebody would bring it in: with times of all kinds. */
  async #create(n: number): Promise<unknown> {
    const random = this.#random;
    const at = (days: number) => new Date(NOW_MS - days * DAY_MS + n).toISOString();
    const isUser = random.chance(0.2);
    const { roles, teams } = await this.#bench.store.snapshot();
    const roleNames = ['none', ...roles.map(({ name }) => name)];
    const record = account(n, {
      kind: isUser ? 'user' : 'service',
      name: `${random.pick(WORDS)}-${n}`,
      description: random.pick(TEXTS),
      status: random.chance(0.8) ? 'active' : 'inactive',
      role: random.pick(roleNames),
      teams: teams
        .filter(() => random.chance(0.3))
        .map(({ name }) => ({ team: name, role: random.pick(roleNames) })),
      createdAt: at(random.below(200)),
      updatedAt: at(random.below(100)),
      expiresAt: this.#expiry(),
      token: isUser ? null : { digest: tokenOf(n), createdAt: at(random.below(120)) },
      ...(!isUser && random.chance(0.2) ? { honey: true as const } : {}),
    });
    this.#ids.push(idOf(n));
    const text = withVersion(encodeRecord(record), 1);
    return this.#bench.admin.importRecords(owner, { records: [{ kind: 'account', text }] });
  }

  async #use(store: Bench['store'], id: string): Promise<void> {
    const { account: one } = await store.account(id);
    if (one?.token == null) return;
    this.#usedMs += this.#random.below(3 * DAY_MS);
    const token = viewAccount(one, NOW_MS).token!.id;
    await store.recordUses([{ account: id, token, timeMs: this.#usedMs, address: '127.0.0.1' }]);
  }

  query(): AccountQuery {
    const random = this.#random;
    const days = () => 1 + random.below(100);
    const some = <T extends object>(share: number, part: () => T) =>
      random.chance(share) ? part() : {};
    const isUser = random.chance(0.2);
    return {
      kind: isUser ? 'user' : 'service',
      ...some(0.3, () => ({
        search: random.pick(['i', 'BILL', 'peline', 'owned by', '-1', 'x', 'nobody', idOf(9)]),
      })),
      ...some(0.15, () => ({ namePrefix: random.pick(['ci', 'Bill', 'x', '-']) })),
      ...some(0.3, () => ({ status: random.pick(['active', 'inactive', 'expired'] as const) })),
      ...some(0.25, () => ({ role: this.#role() })),
      ...some(0.25, () => ({ team: this.#team() })),
      ...some(isUser ? 0 : 0.1, () => ({ honey: true })),
      ...some(isUser ? 0 : 0.15, () => ({ neverUsed: true })),
      ...some(isUser ? 0 : 0.15, () => ({ unusedForDays: days() })),
      ...some(0.15, () => ({ expiringWithinDays: days() })),
      ...some(isUser ? 0 : 0.15, () => ({ tokenOlderThanDays: days() })),
      sort: random.pick(LIST_SORTS),
      order: random.pick(['ascending', 'descending'] as const),
      limit: 1 + random.below(40),
    };
  }

  #role(): string {
    return this.#random.pick(['none', 'administrator', 'role-0', 'role-2', 'role-4', 'role-1']);
  }

  #team(): string {
    return `team-${this.#random.below(5)}`;
  }

  #expiry(): string | null {
    const days = this.#random.below(100) - 30;
    return this.#random.chance(0.5) ? null : new Date(NOW_MS + days * DAY_MS + 500).toISOString();
  }
}

const TEXTS = ['', '', 'Owned by the billing team', 'Größe of x'];

/** A digest whose first half is its own too. */
function tokenOf(n: number): string {
  return n.toString(16).padStart(16, '0').padEnd(64, '0');
}

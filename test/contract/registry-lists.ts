import { describe, expect, it } from 'vitest';
import type { Account, TokenUse } from '../../src/account/model.ts';
import { tokenId } from '../../src/account/token.ts';
import type { RecordChange } from '../../src/registry/commit.ts';
import { BadCursor } from '../../src/registry/listing/cursor.ts';
import { nameKey } from '../../src/registry/listing/entry.ts';
import {
  isListed,
  LIST_SORTS,
  type ListedAccount,
  type ListPage,
  type ListQuery,
  lastUseOf,
  statusOf,
  UNFILTERED,
} from '../../src/registry/listing/query.ts';
import type { RegistryStore } from '../../src/registry/port.ts';
import { Random } from '../fuzz/random.ts';
import type { RegistryUnderTest } from './registry.ts';
import { account, commitOf, idOf, role } from './registry-records.ts';

const DAY_MS = 86_400_000;
const NOW_MS = Date.parse('2026-06-01T00:00:00.000Z');
const ROLES = ['viewer', 'deployer', 'operator', 'none'];
const TEAMS = ['crm', 'payments', 'billing'];
const WORDS = ['ci', 'Pipeline', 'monitor', 'Billing', 'x', 'scheduler-1'];

/**
 * Every list, filter, order and number of all is what the same rule says about every account of an
 * export, whatever the store keeps to find it faster.
 */
export function listsContract(under: () => RegistryUnderTest): void {
  const store = () => under().store;

  describe('lists of accounts', () => {
    it('are what the same computed from an export is, while accounts are made, changed and deleted', async () => {
      await store().initialise([role('viewer')]);
      const world = new Registry(store, 20260601);
      await world.change(150);
      for (let round = 0; round < 3; round += 1) {
        for (const query of world.queries(25)) await world.compare(query);
        // Whoever is left alone is on exactly one page all the same.
        const alone = world.leaveAlone();
        const before = world.names();
        const listed = allPages(store(), everybody({ limit: 7, sort: 'name' }));
        await world.change(60);
        const after = world.names();
        const ids = (await listed).flatMap(({ items }) => items.map((one) => one.account.id));
        for (const id of alone) expect(ids.filter((one) => one === id)).toEqual([id]);
        // Only one that was renamed meanwhile may be met twice: at its old place and at its new.
        const twice = ids.filter((id, index) => ids.indexOf(id) !== index);
        for (const id of twice) expect(before.get(id), id).not.toBe(after.get(id));
      }
      for (const query of world.queries(40)) await world.compare(query);
    });

    it('lead forwards and back again over the same pages, whichever they are sorted by', async () => {
      await store().initialise([role('viewer')]);
      const world = new Registry(store, 7);
      await world.change(60);
      for (const sort of LIST_SORTS)
        for (const descending of [false, true]) {
          const query = everybody({ sort, descending, limit: 11 });
          const there = await allPages(store(), query);
          let page = there.at(-1);
          const back = [page];
          while (page?.previous != null) {
            page = await store().list({ ...query, cursor: page.previous });
            back.unshift(page);
          }
          expect(back.map(idsOf)).toEqual(there.map(idsOf));
          expect(there[0]?.previous).toBeNull();
        }
    });

    it('go on at the same place when the account there has gone or another has come before it', async () => {
      await store().initialise([role('viewer')]);
      const made = [2, 4, 6, 8].map((n) => account(n, { name: `account-${n}` }));
      await commit(store(), made.map(changeTo));
      const first = await store().list(everybody({ limit: 2 }));
      await commit(store(), [
        { kind: 'account', key: idOf(4), record: null },
        changeTo(account(1, { name: 'account-1' })),
        changeTo(account(5, { name: 'account-5' })),
      ]);
      const next = await store().list(everybody({ limit: 2, cursor: first.next }));
      expect(idsOf(next)).toEqual([idOf(5), idOf(6)]);
      expect(next.total).toBe(5);
      const back = await store().list(everybody({ limit: 2, cursor: next.previous }));
      expect(idsOf(back)).toEqual([idOf(1), idOf(2)]);
    });

    it('know a use as soon as it is noted, of the live token only, and forget it with the token', async () => {
      await store().initialise([role('viewer')]);
      const [one, two] = [account(1), account(2)];
      await commit(store(), [changeTo(one), changeTo(two)]);
      const never = () => store().list(everybody({ neverUsed: true }));
      expect(idsOf(await never())).toEqual([idOf(1), idOf(2)]);
      await store().recordUses([
        useOf(one, NOW_MS),
        { ...useOf(two, NOW_MS), token: 'f'.repeat(16) },
      ]);
      expect(idsOf(await never())).toEqual([idOf(2)]);
      await store().recordUses([useOf(one, NOW_MS - DAY_MS)]);
      const token = { digest: tokenOf(77), createdAt: new Date(NOW_MS).toISOString() };
      await commit(store(), [changeTo({ ...one, token })]);
      expect(idsOf(await never())).toEqual([idOf(1), idOf(2)]);
    });

    it('refuse a cursor that belongs to another list, and one that is none', async () => {
      await store().initialise([role('viewer')]);
      await commit(store(), [changeTo(account(1)), changeTo(account(2))]);
      const { next } = await store().list(everybody({ limit: 1 }));
      for (const query of [
        everybody({ cursor: next, sort: 'role' }),
        everybody({ cursor: next, sort: 'createdAt' }),
        everybody({ cursor: next, descending: true }),
        everybody({ cursor: idOf(1) }),
        everybody({ cursor: 'bnVsbA' }),
      ])
        await expect(store().list(query)).rejects.toBeInstanceOf(BadCursor);
    });

    it('name a record that cannot be read, and hold the others', async () => {
      await store().initialise([role('viewer')]);
      await commit(
        store(),
        [1, 2, 3].map((n) => changeTo(account(n))),
      );
      await store().list(everybody({}));
      await under().overwrite('account', idOf(2), '{"version":2,"broken":true}');
      const page = await store().list(everybody({}));
      expect(idsOf(page)).toEqual([idOf(1), idOf(3)]);
      expect(page.damaged).toEqual([idOf(2)]);
    });
  });
}

/** Changes accounts at random, and knows what lists of them must be. */
class Registry {
  readonly #store: () => RegistryStore;
  readonly #random: Random;
  readonly #known = new Map<string, Account>();
  #alone: ReadonlySet<string> = new Set();
  #made = 0;
  #usedMs = NOW_MS - 120 * DAY_MS;

  constructor(store: () => RegistryStore, seed: number) {
    this.#store = store;
    this.#random = new Random(seed);
  }

  /** So many accounts, a few in one change. */
  async change(count: number): Promise<void> {
    for (let left = count; left > 0; left -= 10) {
      const changes = new Map<string, RecordChange>();
      for (let n = 0; n < Math.min(left, 10); n += 1) {
        const change = this.#next();
        changes.set(change.key, change);
      }
      await commit(this.#store(), [...changes.values()]);
      for (const { key, record } of changes.values() as Iterable<AccountChange>)
        if (record === null) this.#known.delete(key);
        else this.#known.set(key, record);
      await this.#use([...this.#known.values()]);
    }
  }

  /** These are not changed from now on. */
  leaveAlone(): ReadonlySet<string> {
    const service = [...this.#known.values()].filter(({ kind }) => kind === 'service');
    this.#alone = new Set(service.filter((_, index) => index % 3 === 0).map(({ id }) => id));
    return this.#alone;
  }

  names(): ReadonlyMap<string, string> {
    return new Map([...this.#known.values()].map(({ id, name }) => [id, name]));
  }

  async compare(query: ListQuery): Promise<void> {
    const expected = (await this.#export()).filter((one) => isListed(one, query));
    const pages = await allPages(this.#store(), query);
    const listed = pages.flatMap(({ items }) => items);
    const what = JSON.stringify(query);
    expect(listed.map(({ account: { id } }) => id).toSorted(), what).toEqual(
      expected.map(({ account: { id } }) => id).toSorted(),
    );
    for (const { total } of pages) expect(total, what).toBe(expected.length);
    const uses = new Map(expected.map((one) => [one.account.id, one.uses]));
    const keys = listed.map((one) =>
      keyOf({ ...one, uses: uses.get(one.account.id) ?? [] }, query),
    );
    const sorted = keys.toSorted((one, other) => (one < other ? -1 : one > other ? 1 : 0));
    expect(keys, what).toEqual(query.descending ? sorted.reverse() : sorted);
  }

  queries(count: number): readonly ListQuery[] {
    return Array.from({ length: count }, () => this.#query());
  }

  #query(): ListQuery {
    const random = this.#random;
    const some = <T>(share: number, value: T) => (random.chance(share) ? value : null);
    return everybody({
      kind: random.chance(0.8) ? 'service' : 'user',
      search: some(
        0.3,
        random.chance(0.5)
          ? this.#partOfText()
          : random.pick(['i', 'BILL', 'peline', 'owned by', '-1', 'x', 'nobody', '.%', idOf(5)]),
      ),
      namePrefix: some(0.15, random.pick(['ci', 'Bill', 'x', '-', this.#partOfText()])),
      status: some(0.3, random.pick(['active', 'inactive', 'expired'] as const)),
      role: some(0.25, random.pick([...ROLES, 'unheard-of'])),
      team: some(0.25, random.pick([...TEAMS, 'unheard-of'])),
      honey: random.chance(0.1),
      neverUsed: random.chance(0.15),
      unusedSinceMs: some(0.15, NOW_MS - random.below(100) * DAY_MS),
      expiresUntilMs: some(0.15, NOW_MS + random.below(100) * DAY_MS),
      tokenIssuedUntilMs: some(0.15, NOW_MS - random.below(100) * DAY_MS),
      sort: random.pick(LIST_SORTS),
      descending: random.chance(0.5),
      limit: 1 + random.below(60),
    });
  }

  #partOfText(): string {
    const random = this.#random;
    const one = random.pick([...this.#known.values()]);
    const text = random.pick([one.name, one.description || one.name]);
    const from = random.below(text.length);
    return text.slice(from, from + 1 + random.below(text.length - from));
  }

  #next(): AccountChange {
    const random = this.#random;
    const free = [...this.#known.values()].filter(({ id }) => !this.#alone.has(id));
    if (free.length > 10 && random.chance(0.15))
      return { kind: 'account', key: random.pick(free).id, record: null };
    const before = free.length > 10 && random.chance(0.5) ? random.pick(free) : null;
    return changeTo(this.#account(before)) as AccountChange;
  }

  #account(before: Account | null): Account {
    const random = this.#random;
    this.#made += 1;
    const n = this.#made;
    const at = (days: number) => new Date(NOW_MS + days * DAY_MS + n).toISOString();
    const isUser = before === null ? random.chance(0.2) : before.kind === 'user';
    const keeps = before !== null && random.chance(0.5);
    const isHoney = !isUser && random.chance(0.15);
    return {
      ...account(n, {
        kind: isUser ? 'user' : 'service',
        name: keeps ? before.name : `${random.pick(WORDS)}-${n}`,
        description: random.pick(['', '', 'Owned by the billing team', 'GRÖSSE\tof x']),
        status: random.chance(0.8) ? 'active' : 'inactive',
        role: random.pick(ROLES),
        teams: TEAMS.filter(() => random.chance(0.3)).map((team) => ({
          team,
          role: random.pick(ROLES),
        })),
        grants: random.chance(0.2) ? [{ application: 'CRM', role: random.pick(ROLES) }] : [],
        createdAt: at(-random.below(200)),
        updatedAt: at(-random.below(100)),
        expiresAt: random.chance(0.5) ? at(random.below(100) - 50) : null,
        ...(isHoney ? { honey: true } : {}),
        token:
          isUser || isHoney || random.chance(0.1)
            ? null
            : keeps
              ? before.token
              : { digest: tokenOf(n), createdAt: at(-random.below(120)) },
      }),
      id: before?.id ?? idOf(n),
    };
  }

  /** Gates note uses as they happen, so the last that is noted is the last. */
  async #use(accounts: readonly Account[]): Promise<void> {
    const random = this.#random;
    const used = Array.from({ length: 6 }, () => random.pick(accounts));
    this.#usedMs += random.below(3 * DAY_MS);
    const uses = used.filter(({ token }) => token !== null);
    await this.#store().recordUses(uses.map((one) => useOf(one, this.#usedMs)));
  }

  /** Everything that the store says of every account. */
  async #export(): Promise<readonly ListedAccount[]> {
    const all: ListedAccount[] = [];
    let cursor: string | null = null;
    do {
      const page = await this.#store().accounts({ cursor, limit: 500 });
      for (const one of page.items)
        all.push({ account: one, uses: await this.#store().uses(one.id) });
      cursor = page.next;
    } while (cursor !== null);
    return all;
  }
}

/** A digest whose first half is its own too. */
function tokenOf(n: number): string {
  return n.toString(16).padStart(16, '0').padEnd(64, '0');
}

type AccountChange = Extract<RecordChange, { kind: 'account' }>;

function changeTo(record: Account): RecordChange {
  return { kind: 'account', key: record.id, record };
}

async function commit(store: RegistryStore, changes: readonly RecordChange[]): Promise<void> {
  expect(await store.commit(commitOf(changes))).toMatchObject({ committed: true });
}

function useOf({ id, token }: Account, timeMs: number): TokenUse {
  return { account: id, token: tokenId(token?.digest ?? ''), timeMs, address: '127.0.0.1' };
}

function everybody(parts: Partial<ListQuery>): ListQuery {
  return {
    kind: 'service',
    ...UNFILTERED,
    nowMs: NOW_MS,
    limit: 100,
    ...parts,
  };
}

async function allPages(store: RegistryStore, query: ListQuery): Promise<readonly ListPage[]> {
  const pages: ListPage[] = [];
  let { cursor } = query;
  do {
    const page = await store.list({ ...query, cursor });
    pages.push(page);
    cursor = page.next;
  } while (cursor !== null);
  return pages;
}

function idsOf(page: ListPage | undefined): readonly string[] {
  return page?.items.map((one) => one.account.id) ?? [];
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

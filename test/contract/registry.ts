import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, type TestContext } from 'vitest';
import { verifyChanges } from '../../src/admin/verify-changes.ts';
import type { CommitResult, RecordKind } from '../../src/registry/commit.ts';
import {
  type FeedEvent,
  FeedLost,
  type RegistryStore,
  RegistryUnavailable,
} from '../../src/registry/port.ts';
import type { Position } from '../../src/registry/position.ts';
import { listsContract } from './registry-lists.ts';
import {
  account,
  commitOf,
  creation,
  digestOf,
  idOf,
  role,
  team,
  update,
} from './registry-records.ts';
import { tombstonesContract } from './registry-tombstones.ts';
import { waitingContract } from './registry-waiting.ts';

/**
 * What every registry store keeps, whatever it is built on. A backend brings a fresh, empty store
 * and the powers to make it fail; a power that it cannot have is named with its reason, and the
 * tests that need it are reported as skipped.
 */
export interface RegistryBackend {
  readonly name: string;
  open(): Promise<RegistryUnderTest>;
  /** Powers that this backend has not, and why. */
  readonly lacks: Partial<Record<'freeze' | 'second', string>>;
}

export interface RegistryUnderTest {
  /** Another object after `reopen` and the powers that go through it. */
  readonly store: RegistryStore;
  /** Another independent way to the same data. */
  second(): Promise<RegistryStore>;
  /**
   * Another one, on which whatever is not answered in a fraction of a second has failed. On the
   * others a slow machine has its time.
   */
  hasty(): Promise<RegistryStore>;
  /** The backend stops answering without closing anything. */
  freeze(): void;
  thaw(): void;
  /**
   * Ends the process that holds the data, without goodbye where it has one, and starts it again.
   */
  reopen(): Promise<void>;
  /** Loses everything. */
  wipe(): Promise<void>;
  /** Forgets all feed entries but the newest `keep`. */
  trimFeed(keep: number): Promise<void>;
  /** Writes over a record's text, behind the store's back. */
  overwrite(kind: RecordKind, key: string, text: string): Promise<void>;
  close(): Promise<void>;
}

/** How long to wait for what happens "at once". */
const SOON_MS = 30_000;
/** By then each call of somebody hasty has long failed, if it fails by itself. */
const FAILED_MS = 15_000;

export function registryContract(backend: RegistryBackend): void {
  describe(`registry on ${backend.name}`, () => {
    let under: RegistryUnderTest;
    const store = () => under.store;

    beforeEach(async () => {
      under = await backend.open();
    });
    afterEach(async () => {
      await under.close();
    });

    async function initialised(): Promise<void> {
      expect(await store().initialise([role('viewer')])).toBe(true);
    }

    async function committed(result: Promise<CommitResult>): Promise<number> {
      const answer = await result;
      if (!answer.committed) throw new Error(`not committed: ${answer.conflict} ${answer.key}`);
      return answer.seq;
    }

    /** Everything that a refused commit must not have touched. */
    async function everything() {
      return {
        snapshot: await store().snapshot(),
        accounts: await store().accounts({ cursor: null, limit: 500 }),
        changes: await store().changes({ account: null, before: null, limit: 500 }),
        viewers: (await store().referencesTo('role:viewer', 500)).toSorted(),
        renamed: await store().accountByName('renamed'),
        many: await store().accountsById([idOf(1), idOf(2)]),
      };
    }

    describe('beginning', () => {
      it('says that an empty store is empty, and never that an account is absent', async () => {
        const asked = [
          () => store().snapshot(),
          () => store().account(idOf(1)),
          () => store().accountByName('billing'),
          () => store().accountsById([idOf(1)]),
          () => store().withHistory([idOf(1)]),
          () => store().accounts({ cursor: null, limit: 10 }),
          () => store().renew({ instance: 'a', leaseMs: 1_000 }),
          () => store().eventsAfter({ epoch: 'x', seq: 0 }),
          () => store().commit(creation(account(1))),
        ];
        for (const ask of asked)
          await expect(ask()).rejects.toMatchObject({ name: 'RegistryUnavailable', why: 'empty' });
      });

      it('is initialised once, whoever comes first', async () => {
        const answers = await Promise.all(
          [1, 2, 3].map(() => store().initialise([role('viewer'), role('deployer')])),
        );
        expect(answers.filter(Boolean)).toHaveLength(1);
        const snapshot = await store().snapshot();
        expect(snapshot.roles.map((known) => [known.name, known.version]).sort()).toEqual([
          ['deployer', 1],
          ['viewer', 1],
        ]);
        expect(snapshot).toMatchObject({ seq: 1, teams: [], damagedRoles: [] });
      });

      it('keeps what is there when it is initialised again', async () => {
        await initialised();
        await committed(store().commit(creation(account(1))));
        const before = await everything();
        expect(await store().initialise([role('other')])).toBe(false);
        expect(await everything()).toEqual(before);
      });

      it('is initialised together with the event that says so, and which id it has', async () => {
        const recorded = (id: string) => ({ event: JSON.stringify({ made: id }), accounts: [] });
        await store().initialise([role('viewer')], recorded);
        await store().initialise([role('viewer')], recorded);
        const { items } = await store().changes({ account: null, before: null, limit: 10 });
        const id = await store().identify();
        expect(items.map((event) => JSON.parse(event) as unknown)).toEqual([{ made: id }]);
      });
    });

    describe('commits', () => {
      beforeEach(initialised);

      it('count up by one and write their number into the record', async () => {
        expect(await committed(store().commit(creation(account(1))))).toBe(2);
        expect(await committed(store().commit(update(account(1, { description: 'two' }), 2)))).toBe(
          3,
        );
        expect(await store().account(idOf(1))).toMatchObject({
          seq: 3,
          account: account(1, { description: 'two', version: 3 }),
        });
      });

      it('give back every field of a record as it was written', async () => {
        const full = account(1, {
          kind: 'user',
          description: 'quotes " \\ and é, 漢, \u2028, 👍 and \u0001',
          status: 'inactive',
          teams: [{ team: 'platform', role: 'viewer' }],
          grants: [{ application: 'CRM', role: 'viewer' }],
          expiresAt: '2027-01-01T00:00:00.000Z',
          token: null,
          retired: [digestOf(7), digestOf(8)],
          password: '$scrypt$ln=15,r=8,p=1$c2FsdA$aGFzaA',
        });
        await committed(store().commit(creation(full)));
        expect((await store().account(full.id)).account).toEqual({ ...full, version: 2 });
      });

      it('take records of 100 KB', async () => {
        const grants = Array.from({ length: 2_500 }, (_, n) => ({
          application: `application-${n}`,
          role: 'viewer',
        }));
        await committed(store().commit(creation(account(1, { grants }))));
        expect((await store().account(idOf(1))).account?.grants).toEqual(grants);
        const { epoch } = await store().snapshot();
        expect((await store().eventsAfter({ epoch, seq: 1 }))[0]?.changes[0]?.record).toMatchObject(
          { grants },
        );
      });

      it('delete a record, and the account is absent afterwards', async () => {
        await committed(store().commit(creation(account(1))));
        await committed(
          store().commit(commitOf([{ kind: 'account', key: idOf(1), record: null }])),
        );
        expect((await store().account(idOf(1))).account).toBeNull();
        expect((await store().accounts({ cursor: null, limit: 10 })).items).toEqual([]);
      });

      it('are found of many accounts at once, and the history of who is gone', async () => {
        const many = [1, 2, 3].map((n) => idOf(n));
        for (const n of [1, 2]) await committed(store().commit(creation(account(n))));
        const gone = commitOf([{ kind: 'account', key: idOf(2), record: null }]);
        const seq = await committed(store().commit(gone));
        const found = await store().accountsById(many);
        expect(found.seq).toBe(seq);
        expect(found.accounts.map((one) => one?.id ?? null)).toEqual([idOf(1), null, null]);
        expect(await store().withHistory(many)).toEqual(new Set([idOf(1), idOf(2)]));
        expect(await store().withHistory([idOf(3)])).toEqual(new Set());
        expect(await store().withHistory([])).toEqual(new Set());
      });

      it('write several records in one step under one number', async () => {
        const seq = await committed(
          store().commit(
            commitOf([
              { kind: 'role', key: 'deployer', record: role('deployer', ['deployments:*']) },
              { kind: 'team', key: 'platform', record: team('platform', ['CRM']) },
              { kind: 'role', key: 'viewer', record: null },
            ]),
          ),
        );
        const snapshot = await store().snapshot();
        expect(snapshot.seq).toBe(seq);
        expect(snapshot.roles).toEqual([{ ...role('deployer', ['deployments:*']), version: seq }]);
        expect(snapshot.teams).toEqual([{ ...team('platform', ['CRM']), version: seq }]);
      });

      it('write an event alone, as a change of its own that readers follow', async () => {
        const { epoch, seq: before, tip } = await store().snapshot();
        const audit = { event: '{"type":"told"}', accounts: [] };
        const seq = await committed(store().commit(commitOf([], { audit })));
        expect(seq).toBe(before + 1);
        const from = { epoch, seq: before, ...(tip === undefined ? {} : { tip }) };
        expect(await store().eventsAfter(from)).toMatchObject([{ seq, changes: [] }]);
        const { items } = await store().changes({ account: null, before: null, limit: 1 });
        expect(items).toEqual([audit.event]);
      });

      it.each([
        [
          'the record exists and must not',
          { expects: [{ kind: 'account', key: idOf(1), version: 0 }] },
          'version',
        ],
        [
          'the record changed since',
          { expects: [{ kind: 'account', key: idOf(1), version: 1 }] },
          'version',
        ],
        [
          'a record that was relied on is gone',
          { expects: [{ kind: 'team', key: 'gone', version: 9 }] },
          'version',
        ],
        [
          'the name is taken',
          { claims: { take: [{ claim: 'name:account-1', owner: 'account:other' }], drop: [] } },
          'claim',
        ],
        [
          'two owners take the same name in it',
          {
            claims: {
              take: [
                { claim: 'name:twice', owner: 'account:one' },
                { claim: 'name:twice', owner: 'account:other' },
              ],
              drop: [],
            },
          },
          'claim',
        ],
        [
          'somebody has come to use what was judged by its users',
          { users: [{ target: 'role:viewer', count: 0 }] },
          'version',
        ],
        ['a user of it is gone', { users: [{ target: 'role:viewer', count: 2 }] }, 'version'],
        ['the target is in use', { unreferenced: ['role:viewer'] }, 'referenced'],
      ] as const)('change nothing at all when %s', async (_, parts, conflict) => {
        await committed(store().commit(creation(account(1))));
        const before = await everything();
        const answer = await store().commit(
          commitOf([{ kind: 'account', key: idOf(2), record: account(2) }], {
            claims: {
              take: [{ claim: 'name:renamed', owner: `account:${idOf(2)}` }],
              drop: ['name:account-1x'],
            },
            references: { add: [{ target: 'role:viewer', user: 'account:x' }], remove: [] },
            ...(parts as object),
          }),
        );
        expect(answer).toMatchObject({ committed: false, conflict });
        expect(await everything()).toEqual(before);
      });

      it('of two writers at once lose no change and share no number', async () => {
        await committed(store().commit(creation(account(1, { description: '0' }))));
        const other = backend.lacks.second === undefined ? await under.second() : store();
        const seqs: number[] = [];
        const writer = async (by: RegistryStore) => {
          for (let done = 0; done < 20; ) {
            const read = (await by.account(idOf(1))).account ?? account(1);
            const next = { ...read, description: String(Number(read.description) + 1) };
            const answer = await by.commit(update(next, read.version));
            if (!answer.committed) continue;
            seqs.push(answer.seq);
            done += 1;
          }
        };
        await Promise.all([writer(store()), writer(other)]);
        expect((await store().account(idOf(1))).account?.description).toBe('40');
        expect(seqs.toSorted((a, b) => a - b)).toEqual(
          Array.from({ length: 40 }, (_unused, index) => 3 + index),
        );
      });
    });

    describe('claims and references', () => {
      beforeEach(initialised);

      it('pass a name on in the commit that gives it up', async () => {
        await committed(store().commit(creation(account(1))));
        const rename = commitOf(
          [{ kind: 'account', key: idOf(1), record: account(1, { name: 'renamed' }) }],
          {
            claims: {
              take: [{ claim: 'name:renamed', owner: `account:${idOf(1)}` }],
              drop: ['name:account-1'],
            },
          },
        );
        await committed(store().commit(rename));
        expect((await store().accountByName('renamed'))?.id).toBe(idOf(1));
        expect(await store().accountByName('account-1')).toBeNull();
        await committed(store().commit(creation(account(2, { name: 'account-1' }))));
        expect((await store().accountByName('account-1'))?.id).toBe(idOf(2));
      });

      it('let an owner take again what it holds, and another take what is dropped at once', async () => {
        const take = (owner: string, drop: string[] = []) =>
          store().commit(
            commitOf([], { claims: { take: [{ claim: 'application:CRM', owner }], drop } }),
          );
        await committed(take('team:a'));
        await committed(take('team:a'));
        expect(await take('team:b')).toEqual({
          committed: false,
          conflict: 'claim',
          key: 'application:CRM',
        });
        await committed(take('team:b', ['application:CRM']));
        expect(await take('team:a')).toEqual({
          committed: false,
          conflict: 'claim',
          key: 'application:CRM',
        });
      });

      it('count the users of a target as they will be after the commit', async () => {
        const uses = (add: string[], remove: string[], unreferenced: string[] = []) =>
          store().commit(
            commitOf([], {
              references: {
                add: add.map((user) => ({ target: 'team:a', user })),
                remove: remove.map((user) => ({ target: 'team:a', user })),
              },
              unreferenced,
            }),
          );
        await committed(uses(['x', 'y', 'y'], []));
        expect(await uses([], ['x'], ['team:a'])).toEqual({
          committed: false,
          conflict: 'referenced',
          key: 'team:a',
          count: 1,
        });
        expect(await uses(['z'], ['x', 'y'], ['team:a'])).toMatchObject({
          conflict: 'referenced',
          count: 1,
        });
        expect(await uses(['x'], ['x', 'y'], ['team:a'])).toMatchObject({
          conflict: 'referenced',
          count: 1,
        });
        expect(await uses(['x'], [], ['team:a'])).toMatchObject({
          conflict: 'referenced',
          count: 2,
        });
        expect((await store().referencesTo('team:a', 10)).toSorted()).toEqual(['x', 'y']);
        await committed(uses([], ['x', 'x', 'y', 'unknown'], ['team:a']));
        expect(await store().referencesTo('team:a', 10)).toEqual([]);
      });

      it('name at most as many users as asked for', async () => {
        const add = Array.from({ length: 50 }, (_, n) => ({
          target: 'role:viewer',
          user: `account:${idOf(n)}`,
        }));
        await committed(store().commit(commitOf([], { references: { add, remove: [] } })));
        expect(await store().referencesTo('role:viewer', 7)).toHaveLength(7);
        expect(new Set(await store().referencesTo('role:viewer', 100)).size).toBe(50);
      });
    });

    describe('lists', () => {
      beforeEach(initialised);

      it('show each account that exists throughout exactly once, while others come and go', async () => {
        for (let n = 10; n < 35; n += 1) await committed(store().commit(creation(account(n))));
        const seen: string[] = [];
        let cursor: string | null = null;
        for (let pages = 0; pages < 20; pages += 1) {
          const page = await store().accounts({ cursor, limit: 10 });
          expect(page.items.length).toBeLessThanOrEqual(10);
          seen.push(...page.items.map(({ id }) => id));
          if (page.next === null) break;
          cursor = page.next;
          await store().commit(
            commitOf([{ kind: 'account', key: page.items.at(-1)?.id ?? '', record: null }]),
          );
          await store().commit(creation(account(pages)));
        }
        expect(cursor).not.toBeNull();
        expect(seen).toEqual(Array.from({ length: 25 }, (_, index) => idOf(10 + index)));
      });

      it('show changes newest first, of all and of one account, page by page', async () => {
        for (const n of [1, 2, 1, 2, 1]) {
          await committed(
            store().commit(commitOf([], { audit: { event: `{"n":${n}}`, accounts: [idOf(n)] } })),
          );
        }
        const all = await store().changes({ account: null, before: null, limit: 10 });
        const findings: unknown[] = [];
        const proved = await verifyChanges(store(), (finding) => findings.push(finding));
        expect(findings).toEqual([]);
        expect(proved).toMatchObject({ newest: all.newest, unnumbered: 0 });
        expect(all.places[0]?.number).toBe(all.newest);
        expect(all).toMatchObject({ items: [1, 2, 1, 2, 1].map((n) => `{"n":${n}}`), next: null });
        const first = await store().changes({ account: idOf(1), before: null, limit: 2 });
        expect(first.items).toHaveLength(2);
        const second = await store().changes({ account: idOf(1), before: first.next, limit: 2 });
        expect(second).toMatchObject({ items: ['{"n":1}'], next: null });
        const after = await store().changes({
          account: null,
          before: all.cursors[2] ?? '',
          limit: 10,
        });
        expect(after.items).toEqual(['{"n":2}', '{"n":1}']);
      });
    });

    describe('feed', () => {
      let position: Position;

      beforeEach(async () => {
        await initialised();
        const { epoch, seq } = await store().snapshot();
        position = { epoch, seq };
      });

      /** Follows until closed, collecting what arrives. */
      function following(from: Position) {
        const events: FeedEvent[] = [];
        const lost: string[] = [];
        const subscription = store().follow(from, {
          onEvents: (batch) => void events.push(...batch),
          onLost: (why) => void lost.push(why),
        });
        return { events, lost, subscription };
      }

      it('brings every change in order, with the whole record', async () => {
        const { events, lost, subscription } = following(position);
        for (let n = 0; n < 20; n += 1) await committed(store().commit(creation(account(n))));
        await until(() => events.length === 20);
        expect(events.map(({ seq }) => seq)).toEqual(Array.from({ length: 20 }, (_, n) => 2 + n));
        expect(events[4]).toMatchObject({
          seq: 6,
          changes: [{ kind: 'account', key: idOf(4), record: account(4, { version: 6 }) }],
        });
        expect(lost).toEqual([]);
        await subscription.close();
      });

      it('begins where the reader stands, however far back', async () => {
        for (let n = 0; n < 300; n += 1)
          await committed(
            store().commit(commitOf([{ kind: 'role', key: `r${n}`, record: role(`r${n}`) }])),
          );
        const { events, subscription } = following({ ...position, seq: 100 });
        await until(() => events.length === 201);
        await committed(store().commit(commitOf([{ kind: 'role', key: 'r1', record: null }])));
        await until(() => events.length === 202);
        expect(events.map(({ seq }) => seq)).toEqual(
          Array.from({ length: 202 }, (_, n) => 101 + n),
        );
        expect(events.at(-1)?.changes).toEqual([{ kind: 'role', key: 'r1', record: null }]);
        await subscription.close();
      });

      it('tells nothing more once it is closed', async () => {
        const { events, subscription } = following(position);
        await committed(store().commit(creation(account(1))));
        await until(() => events.length === 1);
        await subscription.close();
        await committed(store().commit(creation(account(2))));
        await sleep(50);
        expect(events).toHaveLength(1);
      });

      it('can be read past the follower', async () => {
        expect(await store().eventsAfter(position)).toEqual([]);
        for (let n = 0; n < 3; n += 1) await committed(store().commit(creation(account(n))));
        const events = await store().eventsAfter({ ...position, seq: 2 });
        expect(events.map(({ seq }) => seq)).toEqual([3, 4]);
      });

      it('says that it is lost when it no longer reaches back', async () => {
        for (let n = 0; n < 5; n += 1) await committed(store().commit(creation(account(n))));
        await under.trimFeed(2);
        await expect(store().eventsAfter(position)).rejects.toBeInstanceOf(FeedLost);
        const { events, lost, subscription } = following(position);
        await until(() => lost.length > 0);
        expect([lost.length, events]).toEqual([1, []]);
        await subscription.close();
        expect((await store().eventsAfter({ ...position, seq: 4 })).map(({ seq }) => seq)).toEqual([
          5, 6,
        ]);
      });

      it('says that it is lost when all of it is gone', async () => {
        await committed(store().commit(creation(account(1))));
        await under.trimFeed(0);
        await expect(store().eventsAfter(position)).rejects.toBeInstanceOf(FeedLost);
        const { lost, subscription } = following(position);
        await until(() => lost.length > 0);
        await subscription.close();
      });

      it('says that it is lost when the store has gone back to before the reader', async () => {
        const ahead = { ...position, seq: 9 };
        await expect(store().eventsAfter(ahead)).rejects.toBeInstanceOf(FeedLost);
        const { lost, subscription } = following(ahead);
        await until(() => lost.length > 0);
        await subscription.close();
      });

      it('says that it is lost when another history begins, even at the same number', async () => {
        for (let n = 0; n < 3; n += 1) await committed(store().commit(creation(account(n))));
        const { lost, subscription } = following({ ...position, seq: 4 });
        await under.wipe();
        await store().initialise([role('viewer')]);
        for (let n = 0; n < 5; n += 1) await committed(store().commit(creation(account(n))));
        await expect(store().eventsAfter({ ...position, seq: 4 })).rejects.toBeInstanceOf(FeedLost);
        await expect(store().eventsAfter({ ...position, seq: 6 })).rejects.toBeInstanceOf(FeedLost);
        const again = following({ ...position, seq: 4 });
        await until(() => again.lost.length > 0);
        expect(again.events).toEqual([]);
        await again.subscription.close();
        await subscription.close();
        expect(lost.length).toBeLessThanOrEqual(1);
      });

      it('names an account that cannot be read, and goes on with the others', async () => {
        const robot = { ...account(2), kind: 'robot' as 'user' };
        await committed(
          store().commit(commitOf([{ kind: 'account', key: idOf(2), record: robot }])),
        );
        await committed(store().commit(creation(account(1))));
        const { events, lost, subscription } = following(position);
        await until(() => events.length === 2);
        expect(events).toMatchObject([
          { changes: [], unreadable: [idOf(2)] },
          { changes: [{ kind: 'account', key: idOf(1) }] },
        ]);
        expect(lost).toEqual([]);
        await subscription.close();
      });

      it('is lost, and nothing of it applied, when a role in it cannot be read', async () => {
        await committed(store().commit(creation(account(1))));
        const odd = { ...role('odd'), permissions: 'all' as unknown as string[] };
        await committed(store().commit(commitOf([{ kind: 'role', key: 'odd', record: odd }])));
        await expect(store().eventsAfter(position)).rejects.toBeInstanceOf(Error);
        const { events, lost, subscription } = following(position);
        await until(() => lost.length > 0);
        expect(events.flatMap(({ changes }) => changes).every(({ key }) => key !== 'odd')).toBe(
          true,
        );
        await subscription.close();
      });
    });

    describe('lease', () => {
      beforeEach(initialised);

      it('tells the position of the moment', async () => {
        const { epoch } = await store().snapshot();
        expect(await store().renew({ instance: 'edge-1', leaseMs: 1_000 })).toMatchObject({
          epoch,
          seq: 1,
        });
        await committed(store().commit(creation(account(1))));
        expect(await store().renew({ instance: 'edge-1', leaseMs: 1_000 })).toMatchObject({
          epoch,
          seq: 2,
        });
      });

      it('makes whoever holds it a member, whom every change from then on names', async () => {
        const renew = (instance: string, leaseMs: number) =>
          store().renew({ instance, leaseMs, version: '1.2.3' });
        const change = async () => {
          const answer = await store().commit(
            commitOf([{ kind: 'role', key: 'viewer', record: role('viewer') }]),
          );
          return answer.committed
            ? answer.members.toSorted((a, b) => (a.instance < b.instance ? -1 : 1))
            : answer;
        };
        expect(await change()).toEqual([]);
        await renew('edge-1', 60_000);
        expect(await change()).toEqual([{ instance: 'edge-1', leaseMs: 60_000 }]);
        await renew('edge-2', 90_000);
        await renew('edge-1', 60_000);
        expect(await change()).toEqual([
          { instance: 'edge-1', leaseMs: 60_000 },
          { instance: 'edge-2', leaseMs: 90_000 },
        ]);
        await store().release('edge-1');
        expect(await change()).toEqual([{ instance: 'edge-2', leaseMs: 90_000 }]);
        const { items, position } = await store().instances();
        expect(items).toMatchObject([
          {
            instance: 'edge-2',
            leaseMs: 90_000,
            version: '1.2.3',
            registered: true,
            applied: null,
          },
        ]);
        expect(position.seq).toBe(5);
      });

      it('is what progress is told of: who has applied what, and who is there no more', async () => {
        const position = await store().renew({ instance: 'edge-1', leaseMs: 60_000 });
        await store().renew({ instance: 'edge-2', leaseMs: 60_000 });
        await store().acknowledge('edge-1', position, 60_000);
        const seen = async () =>
          (await store().progress(['edge-1', 'edge-2', 'edge-3'])).map((one) => [
            one.registered,
            one.applied?.seq ?? null,
          ]);
        expect(await seen()).toEqual([
          [true, 1],
          [true, null],
          [false, null],
        ]);
        await committed(store().commit(creation(account(1))));
        await store().acknowledge(
          'edge-1',
          await store().renew({ instance: 'edge-1', leaseMs: 60_000 }),
          60_000,
        );
        await store().release('edge-2');
        expect((await seen()).slice(0, 2)).toEqual([
          [true, 2],
          [false, null],
        ]);
        expect(await store().progress([])).toEqual([]);
        expect(await store().holds(position)).toBe(true);
        expect(await store().holds({ ...position, seq: 9 })).toBe(false);
        expect(await store().holds({ ...position, epoch: 'other' })).toBe(false);
      });

      it('keeps a member until it is forgotten by who has seen that it renews no more', async () => {
        const renew = () => store().renew({ instance: 'edge-1', leaseMs: 1_000 });
        const seen = async () => (await store().progress(['edge-1']))[0]!;
        expect((await seen()).renewal).toBeNull();
        await renew();
        const first = (await seen()).renewal;
        await renew();
        const second = (await seen()).renewal;
        expect([first, second]).not.toContain(null);
        expect(second).not.toBe(first);
        expect(await store().forget('edge-1', first)).toBe(false);
        expect(await store().forget('edge-1', null)).toBe(false);
        expect((await seen()).registered).toBe(true);
        expect(await store().forget('edge-1', second)).toBe(true);
        expect(await seen()).toMatchObject({ registered: false, renewal: null });
        expect((await store().instances()).items).toEqual([]);
        // Whoever was forgotten and lives after all is a member again before its lease counts.
        await renew();
        expect((await seen()).registered).toBe(true);
      });

      it('is given back without complaint, held or not', async () => {
        await store().renew({ instance: 'edge-1', leaseMs: 1_000 });
        await store().release('edge-1');
        await store().release('edge-1');
      });
    });

    describe('last uses', () => {
      beforeEach(initialised);

      it('are kept by token, the latest of each', async () => {
        const use = (token: string, timeMs: number, address: string) => ({
          account: idOf(1),
          token,
          timeMs,
          address,
        });
        await store().recordUses([]);
        await store().recordUses([use('aa', 1_000, '10.0.0.1'), use('bb', 2_000, '2001:db8::7')]);
        await store().recordUses([
          use('aa', 3_000, '10.0.0.2'),
          { ...use('cc', 4_000, '10.0.0.3'), account: idOf(2) },
        ]);
        const uses = (await store().uses(idOf(1))).toSorted((a, b) => a.timeMs - b.timeMs);
        expect(uses).toEqual([use('bb', 2_000, '2001:db8::7'), use('aa', 3_000, '10.0.0.2')]);
        expect(await store().uses(idOf(9))).toEqual([]);
      });
    });

    describe('damage', () => {
      beforeEach(async () => {
        await initialised();
        for (const n of [1, 2, 3]) await committed(store().commit(creation(account(n))));
        await committed(
          store().commit(
            commitOf([{ kind: 'team', key: 'platform', record: team('platform', ['CRM']) }]),
          ),
        );
      });

      const DAMAGED = { name: 'RegistryUnavailable', why: 'damaged' };

      it.each([
        ['no JSON', '{'],
        ['empty', ''],
        ['no object', '7'],
        ['without its fields', '{"version":3,"schema":1}'],
        ['of a schema from the future', JSON.stringify({ ...account(2), schema: 9, version: 3 })],
        ['of no schema', JSON.stringify({ ...account(2), version: 3 })],
        ['of another account', JSON.stringify({ ...account(1), schema: 1, version: 3 })],
        [
          'with an expiry that is no time',
          JSON.stringify({ ...account(2, { expiresAt: 'soon' }), schema: 1, version: 3 }),
        ],
      ])(
        'of one account (%s) leaves the others alone and is never taken for absence',
        async (_, text) => {
          await under.overwrite('account', idOf(2), text);
          await expect(store().account(idOf(2))).rejects.toMatchObject(DAMAGED);
          await expect(store().accountByName('account-2')).rejects.toMatchObject(DAMAGED);
          expect((await store().account(idOf(1))).account?.name).toBe('account-1');
          const page = await store().accounts({ cursor: null, limit: 10 });
          expect([page.items.map(({ id }) => id), page.damaged]).toEqual([
            [idOf(1), idOf(3)],
            [idOf(2)],
          ]);
        },
      );

      it('of an account is not written over by a change that could not have read it', async () => {
        await under.overwrite('account', idOf(2), 'not json');
        await expect(store().commit(update(account(2), 3))).rejects.toMatchObject(DAMAGED);
        await expect(store().commit(update(account(2), 0))).rejects.toMatchObject(DAMAGED);
      });

      it('of a role leaves it out, so that it allows nothing, and names it', async () => {
        await under.overwrite('role', 'viewer', '{"version":1}');
        expect(await store().snapshot()).toMatchObject({
          roles: [],
          damagedRoles: ['viewer'],
          teams: [{ name: 'platform' }],
        });
      });

      it('of a team fails the snapshot, because roles without it could allow more', async () => {
        await under.overwrite('team', 'platform', '[]');
        await expect(store().snapshot()).rejects.toMatchObject(DAMAGED);
        expect((await store().account(idOf(1))).account?.name).toBe('account-1');
      });
    });

    describe('faults of the backend', () => {
      beforeEach(initialised);

      it('answers with a fault within the deadline when it is frozen, never with absence, and goes on afterwards', async (context) => {
        need(context, 'freeze');
        await committed(store().commit(creation(account(1))));
        const hasty = await under.hasty();
        await until(() => hasty.account(idOf(1)).then(Boolean, () => false));
        under.freeze();
        const asked = [
          hasty.snapshot(),
          hasty.account(idOf(1)),
          hasty.account(idOf(9)),
          hasty.accountByName('nobody'),
          hasty.renew({ instance: 'a', leaseMs: 1_000 }),
          hasty.eventsAfter({ epoch: 'x', seq: 1 }),
          hasty.commit(creation(account(2))),
        ];
        const late = sleep(FAILED_MS).then(() => 'late');
        for (const answer of await Promise.all(
          asked.map((ask) => Promise.race([late, ask.catch((fault: unknown) => fault)])),
        )) {
          expect(answer).toBeInstanceOf(RegistryUnavailable);
          expect(answer).toMatchObject({ why: 'unreachable' });
        }
        under.thaw();
        for (const one of [hasty, store()]) {
          await until(
            async () =>
              (await one.account(idOf(1)).catch(() => null))?.account?.name === 'account-1',
          );
        }
      });

      it('keeps every acknowledged change over a crash', async () => {
        for (let n = 1; n <= 10; n += 1) await committed(store().commit(creation(account(n))));
        const before = await everything();
        await under.reopen();
        expect(await everything()).toEqual(before);
        const { epoch } = before.snapshot;
        expect((await store().eventsAfter({ epoch, seq: 1 })).map(({ seq }) => seq)).toEqual([
          2, 3, 4, 5, 6, 7, 8, 9, 10, 11,
        ]);
        expect(await committed(store().commit(creation(account(11))))).toBe(12);
      });

      it('says that the registry is gone when everything is lost', async () => {
        await committed(store().commit(creation(account(1))));
        await under.wipe();
        await expect(store().account(idOf(1))).rejects.toMatchObject({ why: 'empty' });
        await expect(store().renew({ instance: 'a', leaseMs: 1_000 })).rejects.toMatchObject({
          why: 'empty',
        });
      });
    });

    listsContract(() => under);
    tombstonesContract(() => under);
    waitingContract(() => under);

    function need(context: TestContext, power: 'freeze' | 'second'): void {
      const reason = backend.lacks[power];
      if (reason !== undefined) context.skip(reason);
    }
  });
}

/** Waits for a condition, within a bound. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  withinMs = SOON_MS,
): Promise<void> {
  const end = performance.now() + withinMs;
  while (!(await condition())) {
    if (performance.now() > end)
      throw new Error(`did not happen within ${withinMs} ms: ${condition}`);
    await sleep(5);
  }
}

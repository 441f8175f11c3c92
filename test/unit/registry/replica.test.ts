import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openEmbeddedRegistry } from '../../../src/registry/embedded/registry.ts';
import {
  type FeedEvent,
  type RegistryStore,
  RegistryUnavailable,
} from '../../../src/registry/port.ts';
import type { ReplicaOptions } from '../../../src/registry/replica/options.ts';
import type { Lookup } from '../../../src/registry/replica/port.ts';
import { Replica } from '../../../src/registry/replica/replica.ts';
import { until } from '../../contract/registry.ts';
import {
  account,
  commitOf,
  creation,
  digestOf,
  idOf,
  role,
  team,
  update,
} from '../../contract/registry-records.ts';
import { HeldSource, ManualClock } from './held-source.ts';

/**
 * Renewed every 20 ms of real time, while the clock that it is measured on stands still unless a
 * test moves it.
 */
const LEASE_MS = 60;
const AWAY = new RegistryUnavailable('unreachable', 'away');

let directory: string;
let store: RegistryStore;
let source: HeldSource;
let clock: ManualClock;
let replica: Replica;
let lost: string[];
let applied: FeedEvent[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sallyport-replica-'));
  store = openEmbeddedRegistry(join(directory, 'registry.db'));
  await store.initialise([role('viewer', ['deployments:read'])]);
  await store.commit(creation(account(1)));
  source = new HeldSource(store);
  clock = new ManualClock();
  lost = [];
  applied = [];
  make();
});

afterEach(async () => {
  source.faults = {};
  source.renewGate = null;
  await replica.close();
  await store.close();
  await rm(directory, { recursive: true, force: true });
});

function make(options: Partial<ReplicaOptions> = {}): void {
  const observer = {
    onLost: (why: string) => void lost.push(why),
    onApplied: (event: FeedEvent) => void applied.push(event),
  };
  replica = new Replica({
    source,
    clock,
    instance: 'edge-1',
    leaseMs: LEASE_MS,
    maxAccounts: 100,
    observer,
    ...options,
  });
}

/** The description of the account that is found, or how else it ended. */
async function seen(n: number): Promise<string> {
  const found = await replica.lookup(idOf(n));
  return found.found === 'account' ? found.account.account.description : found.found;
}

function cached(n: number): Lookup | null {
  const found = replica.lookup(idOf(n));
  return found instanceof Promise ? null : found;
}

describe('before it has begun', () => {
  it('knows nothing and says so', async () => {
    expect(replica.current).toBe(false);
    expect(cached(1)).toEqual({ found: 'unavailable' });
    expect(replica.roleAllows('viewer', 'deployments:read')).toBe(false);
    expect(replica.status()).toMatchObject({ ready: false, why: 'not started' });
  });

  it('does not throw while the store is away, and is ready once it is back', async () => {
    source.faults.snapshot = AWAY;
    expect(await replica.start()).toBe(false);
    expect(replica.status()).toMatchObject({ ready: false, why: 'away' });
    source.faults = {};
    await until(() => replica.current);
  });

  it('serves nothing before its first lease', async () => {
    source.faults.renew = AWAY;
    expect(await replica.start()).toBe(false);
    expect(replica.current).toBe(false);
    expect(await seen(1)).toBe('unavailable');
    source.faults = {};
    await until(() => replica.current);
    expect(await seen(1)).toBe('');
  });
});

it('does not take an account from a store that stands at the same number by another way', async () => {
  const tipped = (tip: string) => {
    const [asked, taken] = [source.account.bind(source), source.snapshot.bind(source)];
    source.snapshot = async () => ({ ...(await taken()), tip: 'ours' });
    source.account = async (id) => ({ ...(await asked(id)), tip });
    source.renewAnswer = (answer) => ({ ...answer, tip: 'ours' });
  };
  tipped('of another history');
  expect(await replica.start()).toBe(true);
  expect(await seen(1)).toBe('unavailable');
  expect(lost).toEqual([expect.stringContaining('gone another way')]);
  tipped('ours');
  await until(() => replica.current);
  expect(await seen(1)).toBe('');
});

describe('look-ups', () => {
  beforeEach(async () => {
    expect(await replica.start()).toBe(true);
  });

  it('are answered at once, and with the same object, when the account is cached', async () => {
    const first = await replica.lookup(idOf(1));
    expect(first.found).toBe('account');
    expect(cached(1)).toBe(first);
    expect(source.count('account')).toBe(1);
    expect(replica.counts).toEqual({ hit: 1, miss: 1, negative: 0, unavailable: 0 });
  });

  it('remember absence, until the account is created', async () => {
    expect(await seen(2)).toBe('absent');
    expect(cached(2)).toEqual({ found: 'absent' });
    expect(source.count('account')).toBe(1);
    await store.commit(creation(account(2, { description: 'new' })));
    expect(cached(2)).toMatchObject({
      found: 'account',
      account: { account: { description: 'new' } },
    });
  });

  it('share one read among all who ask for an account at the same time', async () => {
    const answers = await Promise.all(Array.from({ length: 50 }, () => replica.lookup(idOf(1))));
    expect(new Set(answers).size).toBe(1);
    expect(source.count('account')).toBe(1);
  });

  it('answer unavailable, not absent, when the store does not; and ask again next time', async () => {
    source.faults.account = AWAY;
    expect(await seen(2)).toBe('unavailable');
    source.faults = {};
    expect(await seen(2)).toBe('absent');
  });

  it('see changes of a cached account from the moment the commit resolves', async () => {
    await seen(1);
    await store.commit(
      update(
        account(1, { token: { digest: digestOf(99), createdAt: '2026-01-01T00:00:00.000Z' } }),
        2,
      ),
    );
    expect(cached(1)).toMatchObject({ account: { liveDigest: digestOf(99) } });
    await store.commit(commitOf([{ kind: 'account', key: idOf(1), record: null }]));
    expect(cached(1)).toEqual({ found: 'absent' });
    expect(applied.map(({ seq }) => seq)).toEqual([3, 4]);
  });

  it('see changed roles and teams', async () => {
    await store.commit(
      commitOf([{ kind: 'role', key: 'viewer', record: role('viewer', ['deployments:write']) }]),
    );
    expect(replica.roleAllows('viewer', 'deployments:read')).toBe(false);
    expect(replica.roleAllows('viewer', 'deployments:write')).toBe(true);
    await store.commit(
      commitOf([{ kind: 'team', key: 'platform', record: team('platform', ['CRM']) }]),
    );
    expect(replica.ownerOf('CRM')).toBe('platform');
    await store.commit(commitOf([{ kind: 'team', key: 'platform', record: null }]));
    expect(replica.ownerOf('CRM')).toBeNull();
  });

  it('do not load accounts that nobody asks for', async () => {
    await store.commit(creation(account(2)));
    expect(replica.status().cachedAccounts).toBe(0);
  });
});

describe('bounds', () => {
  it('keep no more accounts than allowed, those in use rather than those that are not', async () => {
    make({ maxAccounts: 3, maxNegatives: 2 });
    await replica.start();
    for (let n = 2; n < 10; n += 1) await store.commit(creation(account(n)));
    await seen(1);
    for (let n = 2; n < 10; n += 1) {
      cached(1);
      await seen(n);
    }
    expect(replica.status().cachedAccounts).toBe(3);
    expect(cached(1)).not.toBeNull();
    for (let n = 100; n < 110; n += 1) await seen(n);
    expect(cached(1)).toMatchObject({ found: 'account' });
    expect(cached(108)).toEqual({ found: 'absent' });
    expect(cached(100)).toBeNull();
  });

  it('ask no more than allowed at once, and say unavailable beyond', async () => {
    make({ maxLookups: 2 });
    await replica.start();
    const gate = Promise.withResolvers<void>();
    source.accountGate = gate.promise;
    const first = [seen(1), seen(2)];
    expect(cached(3)).toEqual({ found: 'unavailable' });
    gate.resolve();
    source.accountGate = null;
    expect(await Promise.all(first)).toEqual(['', 'absent']);
    expect(await seen(3)).toBe('absent');
  });
});

describe('the version fence', () => {
  beforeEach(async () => {
    await replica.start();
  });

  it('keeps a read that began before a change from bringing the old state back', async () => {
    const gate = Promise.withResolvers<void>();
    source.accountGate = gate.promise;
    const early = seen(1);
    await until(() => source.count('account') === 1);
    await store.commit(update(account(1, { description: 'rotated' }), 2));
    gate.resolve();
    expect(await early).toBe('rotated');
    expect(cached(1)).toMatchObject({ account: { account: { description: 'rotated' } } });
  });

  it('keeps a read that began before a deletion from bringing the account back', async () => {
    const gate = Promise.withResolvers<void>();
    source.accountGate = gate.promise;
    const early = seen(1);
    await until(() => source.count('account') === 1);
    await store.commit(commitOf([{ kind: 'account', key: idOf(1), record: null }]));
    gate.resolve();
    expect(await early).toBe('absent');
    expect(cached(1)).toEqual({ found: 'absent' });
  });

  it('keeps events that come late from taking back what a read already knows', async () => {
    await replica.close();
    make({ leaseMs: 60_000 });
    await replica.start();
    source.holdFeed();
    await store.commit(update(account(1, { description: 'second' }), 2));
    await store.commit(update(account(1, { description: 'third' }), 3));
    expect(await seen(1)).toBe('third');
    source.releaseFeed(({ seq }) => seq === 3);
    expect(cached(1)).toMatchObject({ account: { account: { description: 'third' } } });
  });

  it('lets no read of a dropped generation into the next', async () => {
    const gate = Promise.withResolvers<void>();
    source.accountGate = gate.promise;
    const early = seen(1);
    await until(() => source.count('account') === 1);
    source.renewAnswer = (real) => ({ ...real, epoch: 'another' });
    await until(() => lost.length > 0);
    source.renewAnswer = null;
    await until(() => replica.current);
    gate.resolve();
    expect(await early).toBe('unavailable');
    expect(replica.status().cachedAccounts).toBe(0);
  });
});

describe('the lease', () => {
  it('ends when renewals fail, for cached accounts too, and comes back with the store', async () => {
    await replica.start();
    await seen(1);
    source.faults.renew = AWAY;
    clock.nowMs += LEASE_MS - 1;
    await until(() => source.count('renew') > 3);
    expect(replica.current).toBe(true);
    expect(await seen(1)).toBe('');
    clock.nowMs += 1;
    expect(replica.current).toBe(false);
    expect(replica.status()).toMatchObject({ ready: false, why: 'away', leaseRemainingMs: 0 });
    source.faults = {};
    await until(() => replica.current);
    expect(cached(1)).not.toBeNull();
    expect(lost).toEqual([]);
  });

  it('counts from the sending of a renewal whose answer was long on its way', async () => {
    const gate = Promise.withResolvers<void>();
    source.renewGate = gate.promise;
    void replica.start();
    await until(() => source.count('renew') === 1);
    clock.nowMs += LEASE_MS;
    source.faults.renew = AWAY;
    gate.resolve();
    await until(() => source.count('renew') > 1);
    expect(replica.current).toBe(false);
    source.faults = {};
  });

  it('does not count while the feed is silent and nothing can be read past it', async () => {
    await replica.start();
    source.holdFeed();
    source.faults.eventsAfter = AWAY;
    await store.commit(creation(account(2)));
    await until(() => source.count('eventsAfter') > 0);
    clock.nowMs += LEASE_MS + 10;
    await until(() => source.count('eventsAfter') > 2);
    expect(replica.current).toBe(false);
    expect(replica.status()).toMatchObject({ lagSeq: 1 });
    source.releaseFeed();
    await until(() => replica.current);
    expect(replica.status()).toMatchObject({ lagSeq: 0 });
  });

  it('goes on over a feed that died without saying so: what it missed is read past it', async () => {
    await replica.start();
    await seen(1);
    source.holdFeed();
    await store.commit(update(account(1, { description: 'rotated' }), 2));
    await until(async () => (await seen(1)) === 'rotated');
    expect(lost).toEqual([]);
    source.releaseFeed();
    expect(applied.map(({ seq }) => seq)).toEqual([3]);
  });
});

describe('a registry that is not what it was', () => {
  beforeEach(async () => {
    await replica.start();
    await seen(1);
  });

  it.each([
    [
      'of another history',
      (real: { epoch: string; seq: number }) => ({ ...real, epoch: 'another' }),
    ],
    [
      'that has gone back',
      (real: { epoch: string; seq: number }) => ({ ...real, seq: real.seq - 1 }),
    ],
  ])('%s drops everything learned and loads it again', async (_, answer) => {
    source.renewAnswer = answer;
    await until(() => lost.length > 0);
    expect(replica.current).toBe(false);
    expect(cached(1)).toEqual({ found: 'unavailable' });
    source.renewAnswer = null;
    await until(() => replica.current);
    expect(await seen(1)).toBe('');
  });

  it('ends the lease too: what is loaded next needs one of its own', async () => {
    source.renewAnswer = (real) => ({ ...real, epoch: 'another' });
    await until(() => lost.length > 0);
    source.renewAnswer = null;
    source.faults.renew = AWAY;
    await until(() => replica.status().why === 'away');
    expect(replica.current).toBe(false);
    source.faults = {};
    await until(() => replica.current);
  });

  it('that is empty is not one in which all accounts are absent', async () => {
    source.faults = {
      renew: new RegistryUnavailable('empty', 'gone'),
      snapshot: new RegistryUnavailable('empty', 'gone'),
    };
    await until(() => lost.length > 0);
    await sleep(5);
    expect(replica.current).toBe(false);
    expect(await seen(1)).toBe('unavailable');
    expect(replica.status().why).toBe('gone');
  });

  it('is dropped when the feed has a gap', async () => {
    source.holdFeed();
    source.faults.eventsAfter = AWAY;
    await store.commit(creation(account(2)));
    await store.commit(creation(account(3)));
    source.releaseFeed(({ seq }) => seq === 4);
    expect(lost).toEqual(['the feed has a gap']);
    expect(replica.current).toBe(false);
  });
});

it('gives its lease back when it is closed, and answers nothing any more', async () => {
  await replica.start();
  await seen(1);
  await replica.close();
  expect(source.count('release')).toBe(1);
  expect([replica.current, cached(1)]).toEqual([false, { found: 'unavailable' }]);
});

it('does not keep its starter waiting for a lease that is over before it arrives', async () => {
  source.renewAnswer = (real) => {
    clock.nowMs += LEASE_MS;
    return real;
  };
  expect(await replica.start()).toBe(false);
  expect(replica.current).toBe(false);
});

describe('acknowledgements', () => {
  it('tell how far the instance has come, once it has acted on it, and the newest when changes come faster', async () => {
    const settled = Promise.withResolvers<boolean>();
    let asked = 0;
    make({ observer: { settled: () => (asked++ === 0 ? settled.promise : true) } });
    await replica.start();
    await store.commit(creation(account(2)));
    await store.commit(creation(account(3)));
    await until(() => asked === 1);
    expect(source.acknowledged).toEqual([]);
    settled.resolve(true);
    await until(() => source.acknowledged.includes(4));
    // Each renewal says it again.
    expect([...new Set(source.acknowledged)]).toEqual([2, 4]);
  });

  it('are not given while somebody who is shut out is still served', async () => {
    let settled = false;
    make({ observer: { settled: () => settled } });
    await replica.start();
    await sleep(60);
    expect(source.acknowledged).toEqual([]);
    settled = true;
    await until(() => source.acknowledged.includes(2));
  });

  it('are tried again until the store takes them', async () => {
    source.faults.acknowledge = AWAY;
    await replica.start();
    await until(() => source.count('acknowledge') > 2);
    expect(source.acknowledged).toEqual([]);
    source.faults = {};
    await until(() => source.acknowledged.includes(2));
  });

  it('are not given for what was dropped while it was acted on', async () => {
    const settled = Promise.withResolvers<boolean>();
    make({ observer: { settled: () => settled.promise, onLost: (why) => void lost.push(why) } });
    await replica.start();
    source.faults.snapshot = AWAY;
    source.renewAnswer = (real) => ({ ...real, epoch: 'another' });
    await until(() => lost.length > 0);
    settled.resolve(true);
    await sleep(20);
    expect(source.acknowledged).toEqual([]);
  });
});

describe('a lease on two clocks', () => {
  beforeEach(async () => {
    await replica.start();
    await seen(1);
  });

  it('is over after the machine was asleep, and is renewed as soon as somebody asks', async () => {
    await replica.close();
    source = new HeldSource(store);
    make({ leaseMs: 600_000 });
    await replica.start();
    expect(source.count('renew')).toBe(1);
    clock.wallAheadMs += 600_000;
    expect(replica.current).toBe(false);
    await until(() => replica.current);
    expect(source.count('renew')).toBe(2);
  });

  it('goes on when the wall clock is set back', async () => {
    source.faults.renew = AWAY;
    clock.wallAheadMs -= 3_600_000;
    expect(replica.current).toBe(true);
    clock.nowMs += LEASE_MS;
    expect(replica.current).toBe(false);
  });
});

it('covers what is open by a renewed lease only once all of it was judged', async () => {
  let judged = true;
  make({ observer: { judged: () => judged } });
  const renewed = async () => {
    const before = source.asked.filter((step) => step === 'renew').length;
    await until(() => source.asked.filter((step) => step === 'renew').length > before + 1);
  };
  await replica.start();
  await until(() => replica.covers());
  judged = false;
  for (let times = 0; times < 3; times += 1) {
    clock.nowMs += LEASE_MS / 2;
    await renewed();
    await until(() => replica.current);
  }
  // Answers go on; what was open when the doubt began does not.
  expect([replica.current, replica.covers()]).toEqual([true, false]);
  await renewed();
  expect(replica.covers()).toBe(false);
  judged = true;
  await until(() => replica.covers());
});

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { tokenId } from '../../../src/account/token.ts';
import { encodeRecord } from '../../../src/registry/codec.ts';
import type { Commit } from '../../../src/registry/commit.ts';
import { type ListQuery, UNFILTERED } from '../../../src/registry/listing/query.ts';
import { planCommit } from '../../../src/registry/redis/plan.ts';
import { RedisRegistryStore } from '../../../src/registry/redis/registry.ts';
import { RedisRegistrySource } from '../../../src/registry/redis/source.ts';
import { lastUsedKey, registryKeys } from '../../../src/store/keys.ts';
import { connectRedis, type RedisConnection } from '../../../src/store/redis.ts';
import { loadScript } from '../../../src/store/script.ts';
import {
  account,
  commitOf,
  creation,
  digestOf,
  idOf,
  role,
} from '../../contract/registry-records.ts';
import { type RedisServer, redisMissing, startRedis } from '../../support/redis-server.ts';
import { makeRedisUsers, type RedisUsers } from '../../support/redis-users.ts';

const PREFIX = 'sallyport';
const KEYS = registryKeys(PREFIX);
const missing = redisMissing();

/** A change by a version of the program that keeps no lists: the same, without their part. */
const COMMIT = loadScript('registry-commit');
const EARLIER = {
  ...COMMIT,
  text: COMMIT.text.replace('if listsAreAt(', 'if false and listsAreAt('),
};

const EVERYBODY: ListQuery = {
  kind: 'service',
  ...UNFILTERED,
  nowMs: 0,
  limit: 500,
};

describe('lists of accounts on a Redis that others change too', () => {
  let server: RedisServer;
  let users: RedisUsers;
  let root: RedisConnection;
  let store: RedisRegistryStore;
  const connect = (username: string): RedisConnection =>
    connectRedis({
      url: server.url,
      username,
      password: `${username}-password`,
      tls: null,
      name: username,
    });

  beforeAll(async () => {
    if (missing !== null) return;
    users = await makeRedisUsers();
    server = await startRedis({ aclFile: users.aclFile });
    root = connect('root');
  });
  afterAll(async () => {
    if (missing !== null) return;
    root.close();
    await server.stop();
    await users.remove();
  });
  beforeEach(async (context) => {
    if (missing !== null) return context.skip(missing);
    await root.callAt(KEYS.meta, 'FLUSHALL');
    store = new RedisRegistryStore(connect('manager'), { keyPrefix: PREFIX, name: 'store' });
    await store.initialise([role('viewer')]);
    return () => store.close();
  });

  /** As somebody does who keeps no lists. */
  async function earlier(commit: Commit): Promise<void> {
    const { keys, json } = planCommit(KEYS, commit);
    const words = [keys.length, ...keys, json, 10_000, 1_000, `tip-${Math.random()}`, '1', ''];
    const [outcome] = (await root.call('EVAL', EARLIER.text, ...words)) as string[];
    expect(outcome).toBe('committed');
  }

  async function names(parts: Partial<ListQuery> = {}): Promise<readonly string[]> {
    const { items, total } = await store.list({ ...EVERYBODY, ...parts });
    expect(items).toHaveLength(total);
    return items.map((one) => one.account.name);
  }

  async function kept(field: string): Promise<unknown> {
    return root.call('HGET', KEYS.lists[0] ?? '', field);
  }

  it('are made of a registry that was written before there were any, uses included', async () => {
    for (let n = 1; n <= 120; n += 1) await earlier(creation(account(n)));
    await root.call(
      'HSET',
      lastUsedKey(PREFIX, idOf(3)),
      tokenId(digestOf(3)),
      '1700000000000 ::1',
    );
    expect(await kept('version')).toBeNull();
    expect(await names()).toHaveLength(120);
    expect(await names({ neverUsed: true })).toHaveLength(119);
  });

  it('are made while somebody else goes on changing, and are whole at the end', async () => {
    for (let n = 1; n <= 200; n += 1) await earlier(creation(account(n)));
    const steps = [true, true].values();
    await store.tendLists(() => steps.next().value ?? false);
    expect(await kept('from')).not.toBeNull();
    await store.commit(commitOf([{ kind: 'account', key: idOf(1), record: null }]));
    await store.commit(commitOf([{ kind: 'account', key: idOf(190), record: null }]));
    await earlier(commitOf([{ kind: 'account', key: idOf(2), record: null }]));
    await earlier(commitOf([{ kind: 'account', key: idOf(191), record: null }]));
    await earlier(creation(account(300)));
    await store.commit(creation(account(301)));
    const expected = [...Array(200).keys(), 299, 300]
      .map((n) => n + 1)
      .filter((n) => ![1, 2, 190, 191].includes(n))
      .map((n) => `account-${n}`);
    expect(await names()).toEqual(expected.toSorted());
  });

  it('follow changes of an earlier version beside this one', async () => {
    await store.commit(creation(account(1)));
    expect(await names()).toEqual(['account-1']);
    const made = await kept('made');
    await earlier(creation(account(2)));
    await store.commit(creation(account(3)));
    await earlier(commitOf([{ kind: 'account', key: idOf(1), record: null }]));
    expect(await names()).toEqual(['account-2', 'account-3']);
    // Followed, and not made anew.
    expect(await kept('made')).toBe(made);
    await store.commit(creation(account(4)));
    expect(await kept('seq')).toBe(await root.call('HGET', KEYS.meta, 'seq'));
  });

  it('are made anew when the feed no longer tells what has changed', async () => {
    await store.commit(creation(account(1)));
    await names();
    for (let n = 2; n <= 5; n += 1) await earlier(creation(account(n)));
    await root.call('XTRIM', KEYS.feed, 'MAXLEN', 1);
    expect(await names()).toHaveLength(5);
  });

  it('are made anew when they are damaged, and stop no change', async () => {
    await store.commit(creation(account(1)));
    await names();
    const [, listNames = '', , , , rows = ''] = KEYS.lists;
    await root.call('DEL', listNames);
    await root.call('SET', listNames, 'no sorted set');
    await store.commit(creation(account(2)));
    expect(await names()).toEqual(['account-1', 'account-2']);
    await root.call('HSET', rows, '0', 'no row');
    await store.commit(
      commitOf([{ kind: 'account', key: idOf(1), record: account(1, { name: 'x' }) }]),
    );
    expect(await names()).toEqual(['account-2', 'x']);
  });

  it('learn of uses from a gate that may write nothing else of the registry', async () => {
    await store.commit(creation(account(1)));
    const gate = new RedisRegistrySource(connect('gate'), { keyPrefix: PREFIX, name: 'gate' });
    const use = {
      account: idOf(1),
      token: tokenId(digestOf(1)),
      timeMs: 1_700_000_000_000,
      address: '::1',
    };
    await gate.recordUses([use]);
    await gate.close();
    expect(await names({ neverUsed: true })).toEqual([]);
    expect(await root.call('EXISTS', KEYS.uses)).toBe(0);
  });

  it('find uses that a gate of an earlier version has noted beside the registry only', async () => {
    await store.commit(creation(account(1)));
    await store.commit(creation(account(2)));
    await names();
    await root.call(
      'HSET',
      lastUsedKey(PREFIX, idOf(2)),
      tokenId(digestOf(2)),
      '1700000000000 ::1',
    );
    await root.call('HSET', KEYS.members, 'old', '{"leaseMs":1000,"version":"0.1.0"}');
    await store.tendLists(() => true);
    expect(await names({ neverUsed: true })).toEqual(['account-1']);
  });

  it('survive a record that cannot be read', async () => {
    await earlier(creation(account(1)));
    await earlier(creation(account(2)));
    await root.call(
      'SET',
      KEYS.account(idOf(1)),
      encodeRecord(account(1)).replace('"kind"', '"x"'),
    );
    const page = await store.list(EVERYBODY);
    expect(page).toMatchObject({ total: 1, damaged: [idOf(1)] });
  });
});

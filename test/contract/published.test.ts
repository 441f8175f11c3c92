import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { EmbeddedPublished } from '../../src/published/embedded.ts';
import { KEPT_MS, type PublishedBy, type PublishedStore } from '../../src/published/port.ts';
import { RedisPublished } from '../../src/published/redis.ts';
import { registryKeys } from '../../src/store/keys.ts';
import { connectRedis, type RedisConnection } from '../../src/store/redis.ts';
import { type RedisServer, redisMissing, startRedis } from '../support/redis-server.ts';
import { makeRedisUsers, type RedisUsers } from '../support/redis-users.ts';

/** What every store of published routes keeps. On Redis gates write and managers read. */
interface UnderTest {
  readonly gate: PublishedStore;
  readonly reader: PublishedStore;
  /** The instance holds a lease. */
  join(instance: string): Promise<void>;
  /** Nobody has said anything for so long that it counts no more. */
  elapse(instance: string): Promise<void>;
  close(): Promise<void>;
}

const said = (instance: string, changes: Partial<PublishedBy> = {}): PublishedBy => ({
  ...{ instance, routes: 3, table: 'a'.repeat(64), sinceMs: 5, toldMs: 6 },
  ...changes,
});

function contract(name: string, open: () => Promise<UnderTest>, missing: string | null): void {
  describe(`published routes in ${name}`, () => {
    let under: UnderTest;
    beforeEach(async (context) => {
      if (missing !== null) context.skip(missing);
      under = await open();
      for (const instance of ['i-1', 'i-2']) await under.join(instance);
      return () => under.close();
    });

    it('are there with who said so, in the order of names, and once for all that have them', async () => {
      const { gate, reader } = under;
      await gate.publish(said('i-2'), 'text');
      await gate.publish(said('i-1', { sinceMs: 4 }), 'text');
      expect(await reader.list()).toEqual([said('i-1', { sinceMs: 4 }), said('i-2')]);
      expect(await reader.text('a'.repeat(64))).toBe('text');
      expect(await reader.text('b'.repeat(64))).toBeNull();
    });

    it('are replaced by what the same instance says later', async () => {
      const { gate, reader } = under;
      await gate.publish(said('i-1'), 'text');
      const later = said('i-1', { table: 'b'.repeat(64), routes: 4, sinceMs: 9, toldMs: 9 });
      await gate.publish(later, 'other');
      expect(await reader.list()).toEqual([later]);
      expect(await reader.text('b'.repeat(64))).toBe('other');
    });

    it('may be too many to be published', async () => {
      await under.gate.publish(said('i-1', { table: null, routes: 9_999 }), null);
      expect(await under.reader.list()).toEqual([said('i-1', { table: null, routes: 9_999 })]);
    });

    it('vanish with an instance that says goodbye', async () => {
      const { gate, reader } = under;
      await gate.publish(said('i-1'), 'text');
      await gate.publish(said('i-2'), 'text');
      await gate.withdraw('i-1');
      expect(await reader.list()).toEqual([said('i-2')]);
    });

    it('vanish with an instance that was killed', async () => {
      const { gate, reader } = under;
      await gate.publish(said('i-1'), 'text');
      await under.elapse('i-1');
      expect(await reader.list()).toEqual([]);
    });
  });
}

async function openEmbedded(): Promise<UnderTest> {
  let nowMs = 0;
  const store = new EmbeddedPublished({ wallMs: () => nowMs, monotonicMs: () => nowMs });
  return {
    gate: store,
    reader: store,
    join: async () => {},
    elapse: async () => {
      nowMs += KEPT_MS;
    },
    close: async () => {},
  };
}

contract('the embedded store', openEmbedded, null);

const missing = redisMissing();
let server: RedisServer;
let users: RedisUsers;
let [gate, manager]: RedisConnection[] = [];
const PREFIX = 'sallyport';
const keys = registryKeys(PREFIX);

beforeAll(async () => {
  if (missing !== null) return;
  users = await makeRedisUsers();
  server = await startRedis({ aclFile: users.aclFile });
  const as = (username: string) =>
    connectRedis({
      ...{ url: server.url, username, password: `${username}-password` },
      ...{ tls: null, name: username },
    });
  [gate, manager] = [as('gate'), as('manager')];
});
afterAll(async () => {
  gate?.close();
  manager?.close();
  await server?.stop();
  await users?.remove();
});

async function openRedis(): Promise<UnderTest> {
  const all = [...['i-1', 'i-2', 'i-3'].map(keys.routesOf), keys.routeTable('a'.repeat(64))];
  await manager!.call('DEL', ...all, keys.members);
  return {
    gate: new RedisPublished(gate!, PREFIX),
    reader: new RedisPublished(manager!, PREFIX),
    join: async (instance) => {
      await manager!.call('HSET', keys.members, instance, '{"leaseMs":30000}');
    },
    elapse: async (instance) => {
      const leftMs = Number(await manager!.call('PTTL', keys.routesOf(instance)));
      expect(leftMs).toBeGreaterThan(0);
      expect(leftMs).toBeLessThanOrEqual(KEPT_MS);
      await manager!.call('PEXPIRE', keys.routesOf(instance), 0);
    },
    close: async () => {},
  };
}

contract('Redis', openRedis, missing);

describe('published routes in Redis', () => {
  let under: UnderTest;
  beforeEach(async (context) => {
    if (missing !== null) context.skip(missing);
    under = await openRedis();
    await under.join('i-1');
  });

  it('are not those of whoever is no member', async () => {
    await under.gate.publish(said('i-3'), 'text');
    expect(await under.reader.list()).toEqual([]);
  });

  it('come again when the store has lost them', async () => {
    await under.gate.publish(said('i-1'), 'text');
    await manager!.call('DEL', keys.routeTable('a'.repeat(64)));
    await under.gate.publish(said('i-1'), 'text');
    expect(await under.reader.text('a'.repeat(64))).toBe('text');
  });

  it('outlive whoever names them, and not for long', async () => {
    await under.gate.publish(said('i-1'), 'text');
    const leftMs = Number(await manager!.call('PTTL', keys.routeTable('a'.repeat(64))));
    expect(leftMs).toBeGreaterThan(KEPT_MS);
    expect(leftMs).toBeLessThanOrEqual(2 * KEPT_MS);
  });

  it.each(['', 'null', '{}', '{"v":2}', '{"v":1,"routes":-1,"table":"x","sinceMs":1,"toldMs":1}'])(
    'are left out where what stands there cannot be read: %j',
    async (text) => {
      await manager!.call('SET', keys.routesOf('i-1'), text);
      expect(await under.reader.list()).toEqual([]);
    },
  );

  it('are written by gates, and read by them never', async () => {
    const own = new RedisPublished(gate!, PREFIX);
    await own.publish(said('i-1'), 'text');
    await expect(own.text('a'.repeat(64))).rejects.toMatchObject({ code: 'NOPERM' });
    await expect(own.list()).rejects.toMatchObject({ code: 'NOPERM' });
  });
});

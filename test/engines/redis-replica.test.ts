import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { RedisRegistryStore } from '../../src/registry/redis/registry.ts';
import { RedisRegistrySource } from '../../src/registry/redis/source.ts';
import type { Lookup } from '../../src/registry/replica/port.ts';
import { Replica } from '../../src/registry/replica/replica.ts';
import { connectRedis, type RedisConnection } from '../../src/store/redis.ts';
import { until } from '../contract/registry.ts';
import { account, creation, digestOf, idOf, role, update } from '../contract/registry-records.ts';
import { type RedisServer, redisMissing, startRedis } from '../support/redis-server.ts';
import { startRelay, type TcpRelay } from '../support/tcp-relay.ts';

const PREFIX = 'sallyport';
const COMMAND_TIMEOUT_MS = 300;
const LEASE_MS = 1_500;
const ROTATIONS = 200;
/** By then a change has been seen, if it is seen at all. */
const SEEN_MS = 30_000;

const missing = redisMissing();

describe('replicas on one Redis', () => {
  let server: RedisServer;
  let relay: TcpRelay;
  let store: RedisRegistryStore;
  let root: RedisConnection;
  const closing: (() => Promise<void>)[] = [];

  beforeEach(async (context) => {
    if (missing !== null) context.skip(missing);
    server = await startRedis({ appendOnly: 'unsynced' });
    relay = await startRelay(server.port);
    store = new RedisRegistryStore(connect(server.port, 'store'), {
      keyPrefix: PREFIX,
      name: 'store',
    });
    root = connect(server.port, 'root');
    await store.initialise([role('viewer')]);
    await store.commit(creation(account(1)));
  });

  afterEach(async () => {
    if (missing !== null) return;
    relay.heal();
    for (const close of closing.splice(0)) await close();
    root.close();
    await store.close();
    await relay.stop();
    await server.stop();
  });

  /**
   * The test's own connections are patient; an instance is to notice in time that it is cut off.
   */
  function connect(port: number, name: string, commandTimeoutMs = 15_000): RedisConnection {
    return connectRedis({
      url: `redis://127.0.0.1:${port}`,
      username: null,
      password: null,
      tls: null,
      name,
      commandTimeoutMs,
    });
  }

  /** Through the relay, so that its paths can be cut. */
  function replica(
    instance: string,
    leaseMs = LEASE_MS,
    onLost: (why: string) => void = () => undefined,
  ): Replica {
    const source = new RedisRegistrySource(connect(relay.port, instance, COMMAND_TIMEOUT_MS), {
      keyPrefix: PREFIX,
      name: instance,
    });
    const made = new Replica({
      source,
      clock: systemClock,
      instance,
      leaseMs,
      maxAccounts: 1_000,
      observer: { onLost },
    });
    closing.push(async () => {
      await made.close();
      await source.close();
    });
    return made;
  }

  async function started(
    instance: string,
    leaseMs = LEASE_MS,
    onLost?: (why: string) => void,
  ): Promise<Replica> {
    const made = replica(instance, leaseMs, onLost);
    await made.start();
    await until(() => made.current);
    await until(async () => (await made.lookup(idOf(1))).found === 'account');
    return made;
  }

  /**
   * What is answered once anything is known. With so short a time for a command, a moment in which
   * the machine stands still is one in which nothing is.
   */
  async function known(of: Replica, id: string): Promise<Lookup> {
    let answer: Lookup = { found: 'unavailable' };
    await until(async () => {
      answer = await of.lookup(id);
      return answer.found !== 'unavailable';
    });
    return answer;
  }

  function liveDigest(of: Replica): string | null {
    const found = of.lookup(idOf(1));
    return !(found instanceof Promise) && found.found === 'account'
      ? found.account.liveDigest
      : null;
  }

  async function rotate(n: number, version: number): Promise<number> {
    const token = { digest: digestOf(n), createdAt: '2026-01-01T00:00:00.000Z' };
    const result = await store.commit(update(account(1, { token }), version));
    if (!result.committed) throw new Error(result.conflict);
    return result.seq;
  }

  it(`see each of ${ROTATIONS} rotations within milliseconds`, async () => {
    const replicas = [await started('edge-1'), await started('edge-2')];
    const delaysMs: number[] = [];
    for (let n = 1, version = 2; n <= ROTATIONS; n += 1) {
      version = await rotate(1_000 + n, version);
      const answeredMs = performance.now();
      for (const each of replicas) {
        while (liveDigest(each) !== digestOf(1_000 + n)) {
          if (performance.now() - answeredMs > SEEN_MS)
            throw new Error(`not seen within ${SEEN_MS} ms`);
          await new Promise(setImmediate);
        }
      }
      delaysMs.push(performance.now() - answeredMs);
    }
    delaysMs.sort((a, b) => a - b);
    const at = (share: number) =>
      (delaysMs[Math.ceil(delaysMs.length * share) - 1] ?? 0).toFixed(2);
    console.log(
      `rotation seen by both replicas after the answer: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, longest ${at(1)} ms`,
    );
    expect(delaysMs).toHaveLength(ROTATIONS);
  });

  it('are proved current past a feed that has fallen silent, and read what it did not bring', async () => {
    const edge = await started('edge-1');
    relay.silence((head) => head.includes('edge-1:feed'));
    await rotate(77, 2);
    await until(() => liveDigest(edge) === digestOf(77));
    await sleep(LEASE_MS);
    await until(() => edge.current);
    relay.heal();
  });

  it('notice that the feed fell silent and get it back on a new connection', async () => {
    // With such a lease the feed itself, and no renewal, must bring the change.
    const edge = await started('edge-1', 600_000);
    let silent = true;
    relay.silence((head) => silent && head.includes('edge-1:feed'));
    await sleep(10);
    silent = false;
    await rotate(78, 2);
    await until(() => liveDigest(edge) === digestOf(78));
  });

  it('stop at the lease when they are cut off, cached accounts too, and recover without a restart', async () => {
    const edge = await started('edge-1');
    relay.silence();
    // Nothing that is sent from now on is answered. Each look counts from its beginning, however
    // late this process gets to it.
    const cutOffMs = performance.now();
    let lastCurrentMs = 0;
    const looked = () => {
      const beganMs = performance.now();
      if (edge.current) lastCurrentMs = beganMs;
      return edge.current;
    };
    await rotate(79, 2);
    await until(() => !looked());
    expect(lastCurrentMs - cutOffMs).toBeLessThanOrEqual(LEASE_MS);
    await until(() => edge.status().why?.includes('Redis cannot be reached') === true);
    relay.heal();
    await until(() => edge.current);
    expect(await known(edge, idOf(1))).toMatchObject({ account: { liveDigest: digestOf(79) } });
  });

  it('do not take a frozen Redis for an empty one, and recover when it thaws', async () => {
    const edge = await started('edge-1');
    server.pause();
    expect(await edge.lookup(idOf(2))).toEqual({ found: 'unavailable' });
    await until(() => !edge.current);
    expect(await edge.lookup(idOf(3))).toEqual({ found: 'unavailable' });
    server.resume();
    await until(() => edge.current);
    expect(await known(edge, idOf(2))).toEqual({ found: 'absent' });
  });

  it('pass unnoticed over a crash and restart of Redis that is shorter than the lease', async () => {
    const lost: string[] = [];
    const edge = await started('edge-1', 20_000, (why) => void lost.push(why));
    await server.restart();
    expect(edge.current).toBe(true);
    await until(() => store.commit(creation(account(2))).then(Boolean, () => false));
    await until(async () => (await edge.lookup(idOf(2))).found === 'account');
    await rotate(80, 2);
    await until(() => liveDigest(edge) === digestOf(80));
    expect([edge.current, lost]).toEqual([true, []]);
  });

  it('begin without Redis and are ready once it is there', async () => {
    await server.kill();
    const edge = replica('edge-1');
    expect(await edge.start()).toBe(false);
    expect(edge.status().ready).toBe(false);
    await server.restart();
    await until(() => edge.current);
  });

  it('drop everything when the registry is lost, and begin anew with another one', async () => {
    const lost: string[] = [];
    const edge = await started('edge-1', LEASE_MS, (why) => void lost.push(why));
    await root.call('FLUSHALL');
    await until(() => !edge.current);
    expect(await edge.lookup(idOf(1))).toEqual({ found: 'unavailable' });
    await store.initialise([role('viewer')]);
    await until(() => edge.current);
    expect(await known(edge, idOf(1))).toEqual({ found: 'absent' });
    expect(lost).toHaveLength(1);
  });

  it.each([
    ['a replica', ['REPLICAOF', '127.0.0.1', '1'], ['REPLICAOF', 'NO', 'ONE'], 'READONLY'],
    [
      'an isolated primary',
      ['CONFIG', 'SET', 'min-replicas-to-write', '1'],
      ['CONFIG', 'SET', 'min-replicas-to-write', '0'],
      'NOREPLICAS',
    ],
  ] as const)('are not proved current by %s', async (_, spoil, mend, code) => {
    const edge = await started('edge-1');
    await root.call(spoil[0], ...spoil.slice(1));
    await until(() => !edge.current && edge.status().why?.includes(code) === true);
    await root.call(mend[0], ...mend.slice(1));
    await until(() => edge.current);
  });

  it('go on while Redis is full, when only changes are refused', async () => {
    const edge = await started('edge-1');
    await root.call('CONFIG', 'SET', 'maxmemory', 1);
    await expect(store.commit(creation(account(2)))).rejects.toMatchObject({ why: 'refused' });
    await sleep(LEASE_MS * 1.5);
    await until(() => edge.current);
    await root.call('CONFIG', 'SET', 'maxmemory', 0);
    expect(await store.commit(creation(account(2)))).toMatchObject({ committed: true, seq: 3 });
  });
});

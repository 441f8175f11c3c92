import { hash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { sharedBuckets } from '../../src/limits/buckets.ts';
import { QuotaLeaser } from '../../src/limits/quota-leaser.ts';
import { type RatedRoute, RateLimiter } from '../../src/limits/rate-limiter.ts';
import { RedisQuotaStore } from '../../src/limits/redis.ts';
import { connectRedis, type RedisConnection } from '../../src/store/redis.ts';
import { type RedisServer, redisMissing, startRedis } from '../support/redis-server.ts';
import { undisturbed } from '../support/undisturbed.ts';
import { until } from './caller.ts';

const ACL_FILE = new URL('../../config/redis/users.acl', import.meta.url);
const SHARE_PERCENT = 25;
const missing = redisMissing();

interface Instance {
  readonly limiter: RateLimiter;
  readonly health: boolean[];
  close(): void;
}

describe('rate limits that instances share through one Redis', () => {
  let directory: string;
  let server: RedisServer;
  let root: RedisConnection;
  const instances: Instance[] = [];

  beforeAll(async () => {
    if (missing !== null) return;
    directory = await mkdtemp(join(tmpdir(), 'sallyport-limits-'));
    const users = (await readFile(ACL_FILE, 'utf8'))
      .replaceAll('GATE_PASSWORD_SHA256', hash('sha256', 'gate-password', 'hex'))
      .replaceAll('MANAGER_PASSWORD_SHA256', hash('sha256', 'manager-password', 'hex'));
    await writeFile(
      join(directory, 'users.acl'),
      `${users}user root on >root-password ~* &* +@all\n`,
    );
    server = await startRedis({ aclFile: join(directory, 'users.acl') });
    root = as('root');
  });
  beforeEach(async (context) => {
    if (missing !== null) context.skip(missing);
    await root.call('FLUSHALL');
  });
  afterEach(() => {
    for (const instance of instances.splice(0)) instance.close();
  });
  afterAll(async () => {
    root?.close();
    await server?.stop();
    if (missing === null) await rm(directory, { recursive: true, force: true });
  });

  function as(username: string): RedisConnection {
    return connectRedis({
      url: server.url,
      username,
      password: `${username}-password`,
      tls: null,
      name: username,
    });
  }

  /** An instance with the rights of the ACL user `gate`. */
  async function instance(): Promise<Instance> {
    const connection = as('gate');
    const health: boolean[] = [];
    const store = new RedisQuotaStore(connection, 'sallyport');
    const leaser = new QuotaLeaser({
      store,
      clock: systemClock,
      onHealth: (answers) => void health.push(answers),
    });
    const limiter = new RateLimiter({
      clock: systemClock,
      makeBucket: sharedBuckets(leaser, SHARE_PERCENT),
      accountRate: null,
    });
    const made: Instance = {
      limiter,
      health,
      close: () => {
        leaser.close();
        connection.close();
      },
    };
    instances.push(made);
    await connection.ready(5_000);
    return made;
  }

  function route(requests: number, windowSeconds: number): RatedRoute {
    return { name: 'deploy', rateLimit: { requests, windowSeconds, per: 'account' } };
  }

  function permitted(of: Instance, on: RatedRoute, calls: number): number {
    let count = 0;
    for (let call = 0; call < calls; call += 1)
      if (of.limiter.ask(on, 'account00001')!.retryAfterSeconds === 0) count += 1;
    return count;
  }

  /**
   * Calls as fast as all can for `forMs`, and with a pause for the background now and then. Answers
   * with the count and the time that it took.
   */
  async function flood(all: readonly Instance[], on: RatedRoute, forMs: number) {
    const beginMs = performance.now();
    let count = 0;
    while (performance.now() - beginMs < forMs) {
      for (const one of all) count += permitted(one, on, 20);
      await turn();
    }
    return { count, seconds: (performance.now() - beginMs) / 1000 };
  }

  function usedUp(of: Instance, on: RatedRoute): boolean {
    return of.limiter.ask(on, 'account00001')!.retryAfterSeconds > 1;
  }

  /** Goes on calling until the store's health has been told of so many times. */
  async function changed(of: Instance, on: RatedRoute, times: number): Promise<void> {
    await until('the health of the store changes', () => {
      permitted(of, on, 5);
      return of.health.length >= times;
    });
  }

  /** Q (1 + t/W) + N (C + H), as leased-bucket.ts derives it. */
  function most(requests: number, windowSeconds: number, seconds: number, n: number): number {
    const credit = Math.ceil((requests * SHARE_PERCENT) / 100);
    const ahead = Math.ceil(requests / 16);
    return requests * (1 + seconds / windowSeconds) + n * (credit + ahead);
  }

  it('gives four instances that are flooded one limit: not more than is stated, and not much less', async () => {
    // Nobody uses what comes back while this process stands still.
    await undisturbed(async () => {
      await root.call('FLUSHALL');
      const all = await Promise.all([instance(), instance(), instance(), instance()]);
      const on = route(100, 1);
      const { count, seconds } = await flood(all, on, 2_500);
      expect(count).toBeLessThanOrEqual(most(100, 1, seconds, 4));
      // What the bucket holds and gives back is used: the accounts of a busy gate are not starved.
      expect(count).toBeGreaterThanOrEqual(100 * (1 + seconds) * 0.9);
      expect(all.map(({ health }) => health)).toEqual([[], [], [], []]);
    });
  });

  it('stays within the stated overshoot when all hoard leases and then come at once', async () => {
    const all = await Promise.all([instance(), instance(), instance(), instance()]);
    const on = route(40, 2);
    for (const one of all) permitted(one, on, 1);
    // Until every instance has leased ahead and the bucket is full again, but no lease has run out.
    await sleep(1_700);
    const beginMs = performance.now();
    let count = 0;
    // Longer where the store is slow to answer: with less than the limit nothing was tried.
    for (
      let round = 0;
      round < 50 || (count < 40 && performance.now() - beginMs < 30_000);
      round += 1
    ) {
      for (const one of all) count += permitted(one, on, 40);
      await sleep(1);
    }
    const seconds = (performance.now() - beginMs) / 1000;
    expect(count).toBeLessThanOrEqual(most(40, 2, seconds, 4));
    expect(count).toBeGreaterThanOrEqual(40);
  });

  it('lets a single instance use the whole limit at once, and no more than its credit beyond it', async () => {
    const one = await instance();
    const on = route(200, 60);
    let count = 0;
    const beginMs = performance.now();
    await until('the whole limit is used', () => {
      count += permitted(one, on, 20);
      return count >= 200;
    });
    for (let round = 0; round < 50; round += 1) {
      count += permitted(one, on, 20);
      await sleep(1);
    }
    const seconds = (performance.now() - beginMs) / 1000;
    expect(count).toBeLessThanOrEqual(200 * (1 + seconds / 60) + 50);
  });

  it('tells another instance what the first has used up', async () => {
    const first = await instance();
    const second = await instance();
    const on = route(50, 3600);
    await until(
      'the first has used up all',
      () => permitted(first, on, 5) === 0 && usedUp(first, on),
    );
    await until('the second has heard of it', () => usedUp(second, on));
    const standing = second.limiter.ask(on, 'account00001');
    expect(standing?.retryAfterSeconds).toBeGreaterThan(1);
    expect(standing?.limit).toBe(`"route";r=0;t=${standing?.retryAfterSeconds}`);
    expect(second.limiter.ask(on, 'account00002')?.retryAfterSeconds).toBe(0);
  });

  it('keeps to its share while the store is away, and to the shared limit when it is back', async () => {
    const one = await instance();
    const on = route(400, 4);
    await flood([one], on, 200);
    server.pause();
    try {
      await changed(one, on, 1);
      expect(one.health).toEqual([false]);
      const { count, seconds } = await flood([one], on, 1_500);
      // A quarter of 400 in 4 s, and at most the credit that was left.
      expect(count).toBeLessThanOrEqual(100 + 25 * seconds);
      expect(count).toBeGreaterThan(0);
    } finally {
      server.resume();
    }
    await changed(one, on, 2);
    expect(one.health).toEqual([false, true]);
    const { count, seconds } = await flood([one], on, 1_000);
    expect(count).toBeLessThanOrEqual(most(400, 4, seconds, 1));
  });

  it('leaves nothing in the store that does not go by itself, and nothing for a bucket that is full', async () => {
    const one = await instance();
    permitted(one, route(10, 5), 10);
    let keys: string[] = [];
    await until('the store knows the bucket', async () => {
      keys = (await root.call('KEYS', '*')) as string[];
      return keys.length > 0;
    });
    expect(keys).toEqual([
      expect.stringMatching(/^sallyport:limits:\{[0-3]\}:route:deploy:account:10:5:account00001$/),
    ]);
    expect(await root.call('PTTL', keys[0]!)).toBeGreaterThan(0);
    await until(
      'the bucket is full again',
      async () => ((await root.call('KEYS', '*')) as string[]).length === 0,
    );
  });

  it('counts in the store as exactly as alone: seven calls of seven, however the interval rounds', async () => {
    const store = new RedisQuotaStore(root, 'sallyport');
    const ask = { name: 'x', requests: 7, windowMs: 60_000, debt: 0, want: 1 };
    const granted: number[] = [];
    for (let call = 0; call < 9; call += 1) granted.push((await store.lease([ask]))[0]!.granted);
    expect(granted).toEqual([1, 1, 1, 1, 1, 1, 1, 0, 0]);
    const [overdrawn] = await store.lease([{ ...ask, debt: 3, want: 5 }]);
    expect(overdrawn?.granted).toBe(0);
    expect(overdrawn?.levelMs).toBeGreaterThan((9.9 * 60_000) / 7);
  });
});

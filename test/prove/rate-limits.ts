/**
 * `npm run prove -- rate-limits`: what a limit costs a call, in nanoseconds on this thread, by the
 * numbers of accounts; and how close to the limit instances on one real Redis come, beside the
 * largest overshoot that src/limits/leased-bucket.ts states.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { systemClock } from '../../src/clock.ts';
import { localBuckets, sharedBuckets } from '../../src/limits/buckets.ts';
import { GuessThrottle } from '../../src/limits/guess-throttle.ts';
import type { BucketMaker } from '../../src/limits/limit.ts';
import { QuotaLeaser } from '../../src/limits/quota-leaser.ts';
import { type RatedRoute, RateLimiter } from '../../src/limits/rate-limiter.ts';
import { RedisQuotaStore } from '../../src/limits/redis.ts';
import type { Lookup } from '../../src/registry/replica/port.ts';
import { connectRedis } from '../../src/store/redis.ts';
import { redisMissing, startRedis } from '../support/redis-server.ts';

const CALLS = 2_000_000;
const ROUNDS = 7;
const ACCOUNTS = Array.from(
  { length: 50_000 },
  (_, index) => `account${String(index).padStart(5, '0')}`,
);

function limiter(makeBucket: BucketMaker, requests: number | null): RateLimiter {
  return new RateLimiter({
    clock: systemClock,
    makeBucket,
    accountRate: requests === null ? null : { requests, windowSeconds: 60 },
  });
}

/** Median of some rounds, in ns per call. */
function costOf(call: (index: number) => unknown): number {
  const rounds: number[] = [];
  let sink = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    const begin = process.hrtime.bigint();
    for (let index = 0; index < CALLS; index += 1) if (call(index) !== null) sink += 1;
    rounds.push(Number(process.hrtime.bigint() - begin) / CALLS);
  }
  if (sink < 0) throw new Error('never');
  return rounds.sort((one, other) => one - other)[ROUNDS >> 1]!;
}

function show(what: string, value: string): void {
  console.log(`${what.padEnd(66)} ${value}`);
}

function hotPath(): void {
  const free: RatedRoute = { name: 'free', rateLimit: null };
  const limited: RatedRoute = {
    name: 'limited',
    rateLimit: { requests: 1_000_000, windowSeconds: 1, per: 'account' },
  };
  const account = (index: number) => ACCOUNTS[index % ACCOUNTS.length]!;
  const none = limiter(localBuckets, null);
  const local = limiter(localBuckets, null);
  const both = limiter(localBuckets, 1_000_000);
  const refusing = limiter(localBuckets, 1);
  const cost = (call: (index: number) => unknown) => `${costOf(call).toFixed(0)} ns`;
  show(
    'no limit',
    cost((index) => none.ask(free, account(index))),
  );
  show(
    'one limit, one account',
    cost(() => local.ask(limited, 'account00000')),
  );
  show(
    'one limit, 50,000 accounts in turn',
    cost((index) => local.ask(limited, account(index))),
  );
  show(
    'two limits, 50,000 accounts in turn',
    cost((index) => both.ask(limited, account(index))),
  );
  show(
    'one limit, refused',
    cost(() => refusing.ask(free, 'account00000')),
  );
  const leaser = new QuotaLeaser({
    store: { lease: async (asks) => asks.map(() => ({ granted: 0, levelMs: 0 })) },
    clock: systemClock,
  });
  const leased = limiter(sharedBuckets(leaser, 100), null);
  show(
    'one shared limit, 50,000 accounts in turn, store not counted',
    cost((index) => leased.ask(limited, account(index))),
  );
  leaser.close();
  const found = { found: 'account', account: {} } as Lookup;
  const source = { cached: () => found, lookup: () => found };
  const throttle = new GuessThrottle({ source, clock: systemClock });
  show(
    'guess throttle, cached account',
    cost((index) => throttle.lookup(account(index), '192.0.2.1')),
  );
}

async function overshoot(n: number, requests: number, windowSeconds: number): Promise<void> {
  const redis = await startRedis();
  const on: RatedRoute = { name: 'r', rateLimit: { requests, windowSeconds, per: 'route' } };
  const instances = Array.from({ length: n }, (_, index) => {
    const connection = connectRedis({
      url: redis.url,
      username: null,
      password: null,
      tls: null,
      name: `i${index}`,
    });
    const leaser = new QuotaLeaser({
      store: new RedisQuotaStore(connection, 'prove'),
      clock: systemClock,
    });
    return { connection, leaser, limiter: limiter(sharedBuckets(leaser, 25), null) };
  });
  for (const { connection } of instances) await connection.ready(5_000);
  const begin = performance.now();
  let permitted = 0;
  let calls = 0;
  while (performance.now() - begin < 5_000) {
    for (const { limiter: one } of instances) {
      for (let call = 0; call < 20; call += 1, calls += 1)
        if (one.ask(on, null)!.retryAfterSeconds === 0) permitted += 1;
    }
    await turn();
  }
  const seconds = (performance.now() - begin) / 1000;
  const bucket = requests * (1 + seconds / windowSeconds);
  const stated = n * (Math.ceil(requests / 4) + Math.ceil(requests / 16));
  const over = permitted - bucket;
  show(
    `${n} instances, ${requests} per ${windowSeconds} s, ${(calls / seconds / 1000).toFixed(0)},000 calls/s for ${seconds.toFixed(1)} s`,
    `${permitted} let in: ${over > 0 ? '+' : ''}${over.toFixed(0)} (stated: at most +${stated})`,
  );
  for (const { connection, leaser } of instances) {
    leaser.close();
    connection.close();
  }
  await redis.stop();
}

hotPath();
const missing = redisMissing();
if (missing !== null) console.log(`no overshoot measured: ${missing}`);
else
  for (const [n, requests, windowSeconds] of [
    [1, 100, 1],
    [4, 100, 1],
    [8, 1000, 1],
    [8, 600, 60],
  ] as const)
    await overshoot(n, requests, windowSeconds);

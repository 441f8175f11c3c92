/**
 * `npm run prove -- usage [INSTANCES]`: what it costs to look at who called in the last 24 hours,
 * on Redis, where that many instances have written full tables of accounts. Prints the processor
 * time of this process for making the hours, and for each first look; the present hour is nearly
 * over, so that as many of its minutes as can be are not put together.
 */
import { storeOwner } from '../../src/admin/actor.ts';
import type { AdminContext } from '../../src/admin/context.ts';
import { topUsage, usageOf } from '../../src/admin/usage.ts';
import { UsageHourMaker } from '../../src/stats/usage/hours.ts';
import { RedisUsage } from '../../src/stats/usage/redis.ts';
import { UsageSketch } from '../../src/stats/usage/sketch.ts';
import { BUCKETS, KEPT } from '../../src/stats/usage/table.ts';
import { encodeTable } from '../../src/stats/usage/text.ts';
import { connectRedis } from '../../src/store/redis.ts';
import { Random } from '../fuzz/random.ts';
import { startRedis } from '../support/redis-server.ts';

const instances = Number(process.argv[2] ?? 10);
const MINUTES = 24 * 60;
const LAST = 500_000 * 60 + 58;
const NOW_MS = (LAST + 1) * 60_000 - 1;
const ACCOUNTS = 400;
const VARIANTS = 60;

const random = new Random(20261129);
const clock = { wallMs: () => NOW_MS, monotonicMs: () => performance.now() };
const boss = storeOwner('prove', 'command-line');

/** A minute in which more have called than are kept. */
function minuteOf(accounts: number, kept: number): Promise<string> {
  const sketch = new UsageSketch(kept);
  for (let call = 0; call < 20_000; call += 1) {
    const id = `a${String(Math.floor(accounts * random.fraction() ** 2)).padStart(11, '0')}`;
    const bytes = Math.floor(10_000 * random.fraction());
    sketch.count(id, `name-of-${id}`, call % 9 === 0, bytes, 3 * bytes, random.below(BUCKETS));
  }
  return encodeTable(sketch.table());
}

const full = await Promise.all(
  Array.from({ length: VARIANTS }, () => minuteOf(ACCOUNTS, KEPT.account)),
);
const small = await minuteOf(4, 8);
const server = await startRedis();
const settings = { url: server.url, username: null, password: null, tls: null, name: 'prove' };
const connection = connectRedis(settings);
const usage = new RedisUsage(connection, 'sallyport');
for (let back = 0; back < MINUTES; back += 1)
  await Promise.all(
    Array.from({ length: instances }, (_, instance) =>
      usage.writeMinute(LAST - back, `edge-${instance}`, {
        account: full[(7 * back + instance) % VARIANTS]!,
        application: small,
        route: small,
      }),
    ),
  );
console.log(
  `${instances} instances, ${MINUTES} minutes each, ${full[0]!.length} bytes for a minute of accounts`,
);

const onFault = (fault: unknown) => console.error(fault);
const maker = new UsageHourMaker({ store: usage, clock, everyMs: 10 ** 9, onFault });
await told('making 23 hours', () => maker.look());

const store = { accountByName: async () => null, account: async () => ({ account: { id: '' } }) };
const context = { usage, clock, store } as unknown as AdminContext;
const since = new Date(NOW_MS - MINUTES * 60_000 + 120_000).toISOString();
const day = { of: 'account', since } as const;
const byMinutes = { ...day, step: 'minute' } as const;
const name = `a${'7'.padStart(11, '0')}`;
await told('a list of 24 hours', () => topUsage(context, boss, day));
await told('the same, the present hour known', () => topUsage(context, boss, day));
await told('a list of 24 hours by minutes', () => topUsage(context, boss, byMinutes));
await told('a line of 24 hours by minutes', () => usageOf(context, boss, { ...byMinutes, name }));
await maker.close();
connection.close();
await server.stop();

async function told(what: string, work: () => Promise<unknown>): Promise<void> {
  const [before, beganMs] = [process.cpuUsage(), performance.now()];
  await work();
  const { user, system } = process.cpuUsage(before);
  const tookMs = performance.now() - beganMs;
  console.log(
    `${what}: ${((user + system) / 1e6).toFixed(2)} s of processor, ${(tookMs / 1000).toFixed(2)} s`,
  );
}

/**
 * `npm run prove -- registry-size [ACCOUNTS]`: neither start-up nor the cost of a request grows with the number of accounts. Prints, for a small and
 * a large registry on each store, the time from nothing to the first lease, of a look-up that goes to the store, and of a cached one.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { systemClock } from '../../src/clock.ts';
import { encodeRecord, withVersion } from '../../src/registry/codec.ts';
import { openEmbeddedRegistry } from '../../src/registry/embedded.ts';
import type { RegistryStore } from '../../src/registry/port.ts';
import { RedisRegistryStore } from '../../src/registry/redis.ts';
import { Replica } from '../../src/registry/replica.ts';
import { registryKeys } from '../../src/store/keys.ts';
import { connectRedis, type RedisConnection } from '../../src/store/redis.ts';
import { account, idOf, role } from '../contract/registry-records.ts';
import { redisMissing, startRedis } from '../support/redis-server.ts';

const PREFIX = 'sallyport';
const STARTS = 9;
const MISSES = 2_000;
const HITS = 5_000_000;
const HOT = 1_000;
const BATCH = 1_000;

const sizes = [100, Number(process.argv[2] ?? 100_000)];

for (const size of sizes) await onEmbedded(size);
const missing = redisMissing();
if (missing === null) for (const size of sizes) await onRedis(size);
else console.log(`Redis: skipped, ${missing}`);

async function onEmbedded(size: number): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'sallyport-size-'));
  const path = join(directory, 'registry.db');
  const store = openEmbeddedRegistry(path);
  await store.initialise([role('viewer')]);
  await store.close();
  const database = new DatabaseSync(path);
  const insert = database.prepare("INSERT INTO record VALUES ('account', ?, ?)");
  database.exec('BEGIN');
  for (let n = 0; n < size; n += 1) insert.run(idOf(n), text(n));
  database.exec('COMMIT');
  database.close();
  await measure(`embedded, ${size} accounts`, size, () => openEmbeddedRegistry(path));
  await rm(directory, { recursive: true, force: true });
}

async function onRedis(size: number): Promise<void> {
  const server = await startRedis();
  const connect = (name: string): RedisConnection =>
    connectRedis({ url: server.url, username: null, password: null, tls: null, name, commandTimeoutMs: 5_000 });
  const open = () => new RedisRegistryStore(connect('size'), { keyPrefix: PREFIX, name: 'size' });
  const seed = open();
  await seed.initialise([role('viewer')]);
  await seed.close();
  const keys = registryKeys(PREFIX);
  const root = connect('seed');
  for (let begin = 0; begin < size; begin += BATCH) {
    const batch = Array.from({ length: Math.min(BATCH, size - begin) }, (_, index) => begin + index);
    await root.call('MSET', ...batch.flatMap((n) => [keys.account(idOf(n)), text(n)]));
    await root.call('ZADD', keys.accounts, ...batch.flatMap((n) => [0, idOf(n)]));
  }
  root.close();
  await measure(`Redis, ${size} accounts`, size, open);
  await server.stop();
}

async function measure(title: string, size: number, open: () => RegistryStore): Promise<void> {
  const startsMs: number[] = [];
  for (let run = 0; run < STARTS; run += 1) {
    const beginMs = performance.now();
    const { close } = await begin(open);
    startsMs.push(performance.now() - beginMs);
    await close();
  }
  const { replica, close } = await begin(open);
  const missesMs: number[] = [];
  const misses = Math.min(MISSES, size);
  for (let n = 0; n < misses; n += 1) {
    const beginMs = performance.now();
    await replica.lookup(idOf(Math.floor((n * size) / misses)));
    missesMs.push(performance.now() - beginMs);
  }
  const hot = Array.from({ length: Math.min(HOT, size) }, (_, n) => idOf(n));
  for (const id of hot) await replica.lookup(id);
  const hitNs = cachedNs(replica, hot);
  await close();
  const cells = [
    `start to lease ${median(startsMs).toFixed(1)} ms`,
    `miss ${(median(missesMs) * 1e3).toFixed(0)} us`,
    `hit ${hitNs.toFixed(0)} ns`,
  ];
  console.log(`${title}: ${cells.join(', ')}`);
}

/** `current` and a cached look-up, as every request asks them. */
function cachedNs(replica: Replica, ids: readonly string[]): number {
  let found = 0;
  const beginMs = performance.now();
  for (let n = 0; n < HITS; n += 1) {
    if (!replica.current) continue;
    const answer = replica.lookup(ids[n % ids.length] ?? '');
    if (!(answer instanceof Promise) && answer.found === 'account') found += 1;
  }
  const tookMs = performance.now() - beginMs;
  if (found !== HITS) throw new Error(`only ${found} of ${HITS} look-ups were answered from the cache`);
  return (tookMs * 1e6) / HITS;
}

async function begin(open: () => RegistryStore): Promise<{ readonly replica: Replica; close(): Promise<void> }> {
  const source = open();
  const replica = new Replica({ source, clock: systemClock, instance: 'size-1', leaseMs: 30_000, maxAccounts: 50_000 });
  if (!(await replica.start())) throw new Error(`not ready: ${replica.status().why}`);
  if (replica.status().cachedAccounts !== 0) throw new Error('accounts were loaded at start');
  return {
    replica,
    close: async () => {
      await replica.close();
      await source.close();
    },
  };
}

function text(n: number): string {
  return withVersion(encodeRecord(account(n)), 1);
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

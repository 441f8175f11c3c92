/**
 * `npm run prove -- registry-size [ACCOUNTS]`: neither start-up nor the cost of a request grows
 * with the number of accounts. Prints, for a small and a large registry on each store, the time
 * from nothing to the first lease, of a look-up that goes to the store, and of a cached one, and on
 * Redis what an account takes of its memory. With a million accounts or more it writes the table
 * into docs/SCALE.md.
 */
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { systemClock } from '../../src/clock.ts';
import { encodeRecord, withVersion } from '../../src/registry/codec.ts';
import { openEmbeddedRegistry } from '../../src/registry/embedded/registry.ts';
import { sealAll } from '../../src/registry/embedded/seal.ts';
import type { RegistryStore } from '../../src/registry/port.ts';
import { RedisRegistryStore } from '../../src/registry/redis/registry.ts';
import { Replica } from '../../src/registry/replica/replica.ts';
import {
  readWarmSnapshot,
  WARM_FILES,
  type WarmSnapshot,
  writeWarmSnapshot,
} from '../../src/registry/warm/snapshot.ts';
import { type RegistryKeys, registryKeys } from '../../src/store/keys.ts';
import { connectRedis, type RedisConnection } from '../../src/store/redis.ts';
import { account, idOf, role } from '../contract/registry-records.ts';
import { redisMissing, startRedis } from '../support/redis-server.ts';
import { conditions, writeSection } from '../support/scale-document.ts';

const PREFIX = 'sallyport';
const STARTS = 9;
const MISSES = 2_000;
const HITS = 5_000_000;
const HOT = 1_000;
const BATCH = 1_000;
/** The cache's size, and look-ups under way at once while it is filled. */
const CACHED = 50_000;
const LOOKUPS = 500;
/** Batches under way at once while a registry is filled. */
const BATCHES = 8;
/** From here on the figures are worth keeping. */
const DOCUMENTED = 1_000_000;

const large = Number(process.argv[2] ?? 100_000);
const sizes = [Math.min(10_000, large), large];
const rows: string[][] = [];
let warmLine = '';

for (const size of sizes) await onEmbedded(size);
const missing = redisMissing();
if (missing === null) for (const size of sizes) await onRedis(size);
else console.log(`Redis: skipped, ${missing}`);
const table = [
  conditions(
    `npm run prove -- registry-size ${large}`,
    'each account with a name claim and a role, as administration writes it',
  ),
  '',
  '| registry | start to first lease, median | look-up in the store, p50 | p99 | look-up in the cache | memory of Redis per account |',
  '| --- | --- | --- | --- | --- | --- |',
  ...rows.map((cells) => `| ${cells.join(' | ')} |`),
  '',
  warmLine,
].join('\n');
console.log(table);
if (large >= DOCUMENTED && missing === null) writeSection('registry-size', table);

async function onEmbedded(size: number): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'sallyport-size-'));
  const path = join(directory, 'registry.db');
  const store = openEmbeddedRegistry(path);
  await store.initialise([role('viewer')]);
  await store.close();
  const database = new DatabaseSync(path);
  const insert = database.prepare("INSERT INTO record (kind, key, text) VALUES ('account', ?, ?)");
  database.exec('BEGIN');
  for (let n = 0; n < size; n += 1) insert.run(idOf(n), text(n));
  sealAll(database);
  database.exec('COMMIT');
  database.close();
  await measure(`embedded, ${size} accounts`, size, () => openEmbeddedRegistry(path), '');
  await rm(directory, { recursive: true, force: true });
}

async function onRedis(size: number): Promise<void> {
  const server = await startRedis();
  const connect = (name: string): RedisConnection =>
    connectRedis({
      url: server.url,
      username: null,
      password: null,
      tls: null,
      name,
      commandTimeoutMs: 5_000,
    });
  const open = () => new RedisRegistryStore(connect('size'), { keyPrefix: PREFIX, name: 'size' });
  const seed = open();
  await seed.initialise([role('viewer')]);
  await seed.close();
  const keys = registryKeys(PREFIX);
  const root = connect('seed');
  const emptyBytes = await usedBytes(root);
  const begins = Array.from(
    { length: Math.ceil(size / BATCH) },
    (_, index) => index * BATCH,
  ).values();
  await Promise.all(Array.from({ length: BATCHES }, () => fill(root, keys, begins, size)));
  const perAccountBytes = ((await usedBytes(root)) - emptyBytes) / size;
  root.close();
  await measure(`Redis, ${size} accounts`, size, open, `${perAccountBytes.toFixed(0)} bytes`);
  warmLine = await warmStart(open, size);
  await server.stop();
}

/**
 * Everything that administration keeps of an account, its name's claim and its role's reference
 * included.
 */
async function fill(
  root: RedisConnection,
  keys: RegistryKeys,
  begins: Iterable<number>,
  size: number,
): Promise<void> {
  for (const begin of begins) {
    const batch = Array.from(
      { length: Math.min(BATCH, size - begin) },
      (_, index) => begin + index,
    );
    await root.pipeline([
      ['MSET', ...batch.flatMap((n) => [keys.account(idOf(n)), text(n)])],
      ['ZADD', keys.accounts, ...batch.flatMap((n) => [0, idOf(n)])],
      ['HSET', keys.claims, ...batch.flatMap((n) => [`name:account-${n}`, `account:${idOf(n)}`])],
      ['SADD', keys.references('role:viewer'), ...batch.map((n) => `account:${idOf(n)}`)],
    ]);
  }
}

async function usedBytes(root: RedisConnection): Promise<number> {
  return Number(/^used_memory:(\d+)/m.exec(String(await root.call('INFO', 'memory')))?.[1]);
}

async function measure(
  title: string,
  size: number,
  open: () => RegistryStore,
  perAccount: string,
): Promise<void> {
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
  const us = (share: number) => `${(atShare(missesMs, share) * 1e3).toFixed(0)} µs`;
  rows.push([
    title,
    `${atShare(startsMs, 0.5).toFixed(1)} ms`,
    us(0.5),
    us(0.99),
    `${hitNs.toFixed(0)} ns`,
    perAccount,
  ]);
  console.log(rows.at(-1)?.join(', '));
}

/** A full cache written down, and the next start with it. */
async function warmStart(open: () => RegistryStore, size: number): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-size-'));
  const options = { folder, program: 'proof', nowMs: Date.now() };
  const first = await begin(open);
  const cached = Math.min(CACHED, size);
  for (let n = 0; n < cached; n += LOOKUPS)
    await Promise.all(
      Array.from({ length: Math.min(LOOKUPS, cached - n) }, (_, k) =>
        first.replica.lookup(idOf(n + k)),
      ),
    );
  const writeBeginMs = performance.now();
  const written = await writeWarmSnapshot(first.replica.holdings()!, options);
  const writeMs = performance.now() - writeBeginMs;
  await first.close();
  const { size: bytes } = await stat(join(folder, WARM_FILES.snapshot));
  const startBeginMs = performance.now();
  const { snapshot } = await readWarmSnapshot(options);
  const next = await begin(open, snapshot);
  const startMs = performance.now() - startBeginMs;
  const warm = next.replica.status().cachedAccounts;
  await next.close();
  await rm(folder, { recursive: true, force: true });
  if (written !== cached || warm !== cached)
    throw new Error(`of ${cached} accounts ${written} were written and ${warm} read`);
  return `Warm start with ${cached} accounts: a snapshot of ${(bytes / 1e6).toFixed(1)} MB, written in slices within ${writeMs.toFixed(0)} ms, and ${startMs.toFixed(0)} ms from its reading to the first lease.`;
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
  if (found !== HITS)
    throw new Error(`only ${found} of ${HITS} look-ups were answered from the cache`);
  return (tookMs * 1e6) / HITS;
}

async function begin(
  open: () => RegistryStore,
  warm: WarmSnapshot | null = null,
): Promise<{ readonly replica: Replica; close(): Promise<void> }> {
  const source = open();
  const replica = new Replica({
    source,
    clock: systemClock,
    instance: 'size-1',
    leaseMs: 30_000,
    maxAccounts: CACHED,
    warm,
  });
  if (!(await replica.start())) throw new Error(`not ready: ${replica.status().why}`);
  if (warm === null && replica.status().cachedAccounts !== 0)
    throw new Error('accounts were loaded at start');
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

function atShare(values: readonly number[], share: number): number {
  return values.toSorted((a, b) => a - b)[Math.ceil(values.length * share) - 1] ?? Number.NaN;
}

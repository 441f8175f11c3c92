/**
 * `npm run prove -- lists [ACCOUNTS]`: what lists of accounts cost among very many, on each store.
 * Makes the lists of a registry that has none, then asks for pages and holds every total, and the
 * names on pages that are sorted by name, against the same computed from all accounts. Prints the
 * processor time of this process and of Redis, the longest that the event loop stood still, and the
 * longest single script. With 200,000 accounts or more it writes the table into docs/SCALE.md.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { DatabaseSync } from 'node:sqlite';
import type { Account } from '../../src/account/model.ts';
import { encodeRecord, withVersion } from '../../src/registry/codec.ts';
import { openEmbeddedRegistry } from '../../src/registry/embedded/registry.ts';
import { sealAll } from '../../src/registry/embedded/seal.ts';
import { nameKey } from '../../src/registry/listing/entry.ts';
import {
  isListed,
  type ListPage,
  type ListQuery,
  UNFILTERED,
} from '../../src/registry/listing/query.ts';
import type { RegistryStore } from '../../src/registry/port.ts';
import { RedisRegistryStore } from '../../src/registry/redis/registry.ts';
import { registryKeys } from '../../src/store/keys.ts';
import { connectRedis, type RedisConnection } from '../../src/store/redis.ts';
import { account, idOf, role } from '../contract/registry-records.ts';
import { redisMissing, startRedis } from '../support/redis-server.ts';
import { conditions, writeSection } from '../support/scale-document.ts';

const PREFIX = 'sallyport';
const BATCH = 1_000;
const DAY_MS = 86_400_000;
const NOW_MS = Date.parse('2026-06-01T00:00:00.000Z');
/** The least of them is told: what a page takes while nobody else has the processor. */
const REPEATS = 9;
const DOCUMENTED = 200_000;

const size = Number(process.argv[2] ?? 100_000);
const rows: string[][] = [];
const notes: string[] = [];

const EVERYBODY: ListQuery = {
  kind: 'service',
  ...UNFILTERED,
  nowMs: NOW_MS,
  limit: 100,
};

const QUERIES: readonly (readonly [string, Partial<ListQuery>])[] = [
  ['all, by name', {}],
  ['all, by name, the last page', { descending: true }],
  ['all, by role', { sort: 'role' }],
  ['one role', { role: 'operator' }],
  ['one team', { team: 'team-3' }],
  ['a role in a team, active', { role: 'deployer', team: 'team-7', status: 'active' }],
  ['inactive', { status: 'inactive' }],
  ['active, by when they expire', { status: 'active', sort: 'expiresAt' }],
  ['expiring within 30 days', { expiresUntilMs: NOW_MS + 30 * DAY_MS, sort: 'expiresAt' }],
  ['never used', { neverUsed: true }],
  ['unused for 90 days, by last use', { unusedSinceMs: NOW_MS - 90 * DAY_MS, sort: 'lastUsed' }],
  ['by age of the token', { sort: 'tokenCreatedAt' }],
  ['by change, the newest first', { sort: 'updatedAt', descending: true }],
  ['by status', { sort: 'status', descending: true }],
  ['part of a name: one', { search: `-${size - 7}-` }],
  ['part of a name: all', { search: 'Account' }],
  ['part of a name: none', { search: 'nobody-here' }],
  ['beginning of a name', { namePrefix: 'account-9' }],
  ['users', { kind: 'user' }],
];

/** Without the store: what every list is held against. */
const everybody = Array.from({ length: size }, (_, n) => accountOf(n));

await onEmbedded();
const missing = redisMissing();
if (missing === null) await onRedis();
else console.log(`Redis: skipped, ${missing}`);
const table = [
  conditions(
    `npm run prove -- lists ${size}`,
    `${size} accounts, pages of 100; the least of ${REPEATS}, and the longest that the loop stood still in all`,
  ),
  '',
  '| list | accounts in it | gate: processor, embedded | stood still at most | gate: processor, beside Redis | stood still at most | Redis: processor | longest script |',
  '| --- | --- | --- | --- | --- | --- | --- | --- |',
  ...QUERIES.map(
    ([what], index) =>
      `| ${[what, ...(rows[index] ?? []), ...(rows[index + QUERIES.length]?.slice(1) ?? [])].join(' | ')} |`,
  ),
  '',
  ...notes,
].join('\n');
console.log(table);
if (size >= DOCUMENTED && missing === null) writeSection('lists', table);

async function onEmbedded(): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'sallyport-lists-'));
  const path = join(directory, 'registry.db');
  const seed = openEmbeddedRegistry(path);
  await seed.initialise([role('viewer')]);
  await seed.close();
  const database = new DatabaseSync(path);
  const insert = database.prepare("INSERT INTO record (kind, key, text) VALUES ('account', ?, ?)");
  database.exec('BEGIN');
  for (let n = 0; n < size; n += 1) insert.run(idOf(n), text(n));
  sealAll(database);
  database.exec('COMMIT');
  database.close();
  const store = openEmbeddedRegistry(path);
  await make(store, 'embedded');
  for (const [what, parts] of QUERIES) await measure(store, what, parts, null);
  await store.close();
  await rm(directory, { recursive: true, force: true });
}

async function onRedis(): Promise<void> {
  const server = await startRedis();
  const connect = (name: string): RedisConnection =>
    connectRedis({
      url: server.url,
      username: null,
      password: null,
      tls: null,
      name,
      commandTimeoutMs: 30_000,
    });
  const root = connect('root');
  const store = new RedisRegistryStore(connect('lists'), { keyPrefix: PREFIX, name: 'lists' });
  await store.initialise([role('viewer')]);
  const keys = registryKeys(PREFIX);
  for (let begin = 0; begin < size; begin += BATCH) {
    const batch = Array.from({ length: Math.min(BATCH, size - begin) }, (_, n) => begin + n);
    await root.pipeline([
      ['MSET', ...batch.flatMap((n) => [keys.account(idOf(n)), text(n)])],
      ['ZADD', keys.accounts, ...batch.flatMap((n) => [0, idOf(n)])],
    ]);
  }
  const before = await infoOf(root, 'memory', 'used_memory');
  await root.callAt(keys.meta, 'CONFIG', 'SET', 'slowlog-log-slower-than', '100');
  await root.callAt(keys.meta, 'CONFIG', 'SET', 'slowlog-max-len', '100000');
  await make(store, 'beside Redis');
  notes.push(`The longest script while they were made: ${await longestMs(root)}.`);
  const bytes = ((await infoOf(root, 'memory', 'used_memory')) - before) / size;
  notes.push(`The lists take ${bytes.toFixed(0)} bytes of Redis' memory per account.`);
  for (const [what, parts] of QUERIES) await measure(store, what, parts, root);
  await store.close();
  root.close();
  await server.stop();
}

async function make(store: RegistryStore, where: string): Promise<void> {
  const still = monitorEventLoopDelay({ resolution: 1 });
  still.enable();
  const beginMs = performance.now();
  const cpu = process.cpuUsage();
  await store.tendLists(() => true);
  const tookS = (performance.now() - beginMs) / 1e3;
  const { user, system } = process.cpuUsage(cpu);
  notes.push(
    `${where}: lists were made where there were none in ${tookS.toFixed(0)} s, with ${((user + system) / 1e6).toFixed(0)} s of the gate's processor, and the event loop stood still for ${stoodMs(still)} at most.`,
  );
  console.log(notes.at(-1));
}

async function measure(
  store: RegistryStore,
  what: string,
  parts: Partial<ListQuery>,
  redis: RedisConnection | null,
): Promise<void> {
  const query = { ...EVERYBODY, ...parts };
  const page = await store.list(query);
  verify(what, query, page);
  const gateMs: number[] = [];
  const redisMs: number[] = [];
  if (redis !== null) await redis.callAt(PREFIX, 'SLOWLOG', 'RESET');
  const still = monitorEventLoopDelay({ resolution: 1 });
  still.enable();
  for (let run = 0; run < REPEATS; run += 1) {
    const before = redis === null ? 0 : await redisCpuMs(redis);
    const cpu = process.cpuUsage();
    await store.list(query);
    const { user, system } = process.cpuUsage(cpu);
    gateMs.push((user + system) / 1e3);
    if (redis !== null) redisMs.push((await redisCpuMs(redis)) - before);
  }
  still.disable();
  rows.push([
    String(page.total),
    `${Math.min(...gateMs).toFixed(1)} ms`,
    stoodMs(still),
    ...(redis === null ? [] : [`${Math.min(...redisMs).toFixed(1)} ms`, await longestMs(redis)]),
  ]);
  console.log(what, rows.at(-1)?.join(', '));
}

/** Against every account there is. */
function verify(what: string, query: ListQuery, page: ListPage): void {
  const names = everybody
    .filter((one) => isListed({ account: one, uses: [] }, query))
    .map(({ name }) => name);
  if (page.total !== names.length)
    throw new Error(`${what}: there are ${names.length}, and not ${page.total}`);
  if (query.sort !== 'name') return;
  names.sort((one, other) => (nameKey(one) < nameKey(other) ? -1 : 1));
  const first = (query.descending ? names.toReversed() : names).slice(0, query.limit);
  const shown = page.items.map((item) => item.account.name);
  if (shown.join() !== first.join()) throw new Error(`${what}: other accounts are on the page`);
}

function accountOf(n: number): Account {
  const at = (days: number) => new Date(NOW_MS - days * DAY_MS + n).toISOString();
  const isUser = n % 50 === 49;
  const digest = Math.imul(n, 2_654_435_761).toString(16).replace('-', '').padStart(64, 'e');
  return account(n, {
    kind: isUser ? 'user' : 'service',
    name: n % 3 === 0 ? `account-${n}-x` : `Account-${n}-y`,
    description: n % 10 === 0 ? 'Belongs to the nightly build' : '',
    status: n % 20 === 0 ? 'inactive' : 'active',
    role: ['viewer', 'deployer', 'operator', 'none'][n % 7] ?? 'viewer',
    // In the order of the names as well, which is the worst order for a walk along them.
    teams: [{ team: `team-${Math.floor((10 * n) / size)}`, role: 'deployer' }],
    createdAt: at(400 - (n % 390)),
    updatedAt: at(n % 300),
    expiresAt: n % 2 === 0 ? at((n % 500) - 400) : null,
    token: isUser ? null : { digest, createdAt: at(n % 200) },
  });
}

function text(n: number): string {
  return withVersion(encodeRecord(everybody[n] ?? accountOf(n)), 1);
}

function stoodMs(still: ReturnType<typeof monitorEventLoopDelay>): string {
  return `${Math.max(0, still.max / 1e6 - 1).toFixed(0)} ms`;
}

async function redisCpuMs(redis: RedisConnection): Promise<number> {
  const read = (field: string) => infoOf(redis, 'cpu', field);
  return (
    1e3 * ((await read('used_cpu_user_main_thread')) + (await read('used_cpu_sys_main_thread')))
  );
}

async function infoOf(redis: RedisConnection, section: string, field: string): Promise<number> {
  const info = String(await redis.callAt(PREFIX, 'INFO', section));
  return Number(new RegExp(`^${field}:([\\d.]+)`, 'm').exec(info)?.[1]);
}

/** By Redis' own clock. */
async function longestMs(redis: RedisConnection): Promise<string> {
  const entries = (await redis.callAt(PREFIX, 'SLOWLOG', 'GET', '100000')) as unknown[][];
  return `${(Math.max(0, ...entries.map((entry) => Number(entry[2]))) / 1e3).toFixed(1)} ms`;
}

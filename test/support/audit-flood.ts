import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectRedis, type RedisConnection } from '../../src/store/redis.ts';
import { owner, startGateway, type TestGateway } from './gateway.ts';
import { type RawUpstream, startRawUpstream } from './raw-upstream.ts';
import { type RedisServer, startRedis } from './redis-server.ts';
import { makeRedisUsers, type RedisUsers } from './redis-users.ts';

/** The settings that ship. */
const SHIPPED = new URL('../../config/redis/redis.conf', import.meta.url).pathname;

export interface Stage {
  readonly redis: RedisServer;
  readonly root: RedisConnection;
  readonly gate: TestGateway;
  readonly users: RedisUsers;
  readonly upstream: RawUpstream;
  stop(): Promise<void>;
}

/** A gate on a Redis with the settings and the users that ship, but for its size. */
export async function startStage(
  maxmemory: string,
  appendOnly: true | 'unsynced',
  config: Readonly<Record<string, unknown>> = {},
): Promise<Stage> {
  const users = await makeRedisUsers();
  const redis = await startRedis({
    configFile: SHIPPED,
    aclFile: users.aclFile,
    appendOnly,
    config: ['--maxmemory', maxmemory],
  });
  const root = connectRedis({ url: redis.url, ...users.root, tls: null, name: 'root' });
  const upstream = await startRawUpstream();
  const gate = await startGateway({
    upstreams: { api: { addresses: [upstream.url] } },
    plaintext: true,
    store: { url: redis.url, ...users.gate },
    administratorStore: { url: redis.url, ...users.manager },
    config,
  });
  const stop = async () => {
    await gate.stop();
    await upstream.stop();
    root.close();
    await redis.stop();
    await users.remove();
  };
  return { redis, root, gate, users, upstream, stop };
}

/** Status of one call; 0 = it had no answer. */
export function callOnce(
  port: number,
  token: string | null,
  path: string,
  { agent, from = '127.0.0.1', method = 'GET' }: CallOptions = {},
): Promise<number> {
  return new Promise((resolve) => {
    const headers = {
      host: 'gate',
      'user-agent': 'f'.repeat(256),
      ...(token === null ? {} : { authorization: `Bearer ${token}` }),
    };
    const sent = request(
      {
        port,
        host: '127.0.0.1',
        path,
        method,
        headers,
        localAddress: from,
        ...(agent && { agent }),
      },
      (answer) => {
        answer.resume();
        answer.once('end', () => resolve(answer.statusCode ?? 0));
        answer.once('error', () => resolve(0));
      },
    );
    sent.once('error', () => resolve(0));
    sent.end();
  });
}

interface CallOptions {
  readonly agent?: Agent;
  readonly from?: string;
  readonly method?: string;
}

export interface FloodOptions {
  readonly durationMs: number;
  /** Refused calls per second of a deactivated, a powerless and a limited account, together. */
  readonly accountsPerSecond: number;
  /** Addresses that ask for a long path without a token, four times a second each. */
  readonly strangers: number;
}

export interface FloodReport {
  /** Calls of the flood that were refused, and with what. */
  readonly refused: Readonly<Record<number, number>>;
  readonly validCalls: number;
  /** By status; there should be none. */
  readonly validFailed: Readonly<Record<number, number>>;
  readonly revocations: number;
  /** What went wrong with revocations; there should be nothing. */
  readonly revocationFaults: readonly string[];
  readonly slowestRevocationMs: number;
  readonly mostUsedShare: number;
  readonly auditBytes: number;
  /**
   * Events of calls made before the flood: how many were recorded, and how many are there still.
   */
  readonly historyBefore: number;
  readonly historyAfter: number;
}

const EARLY = 100;
const AUDIT_STREAMS = [0, 1, 2, 3].map((n) => `sallyport:audit:{${n}}`);

/** Floods the gate with what it refuses, while others call, and accounts are made and revoked. */
export async function flood(stage: Stage, options: FloodOptions): Promise<FloodReport> {
  const { gate } = stage;
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  const other = new Agent({ keepAlive: true, maxSockets: 64 });
  await until(() => gate.gateway.ready);
  for (let n = 0; n < EARLY; n += 1)
    await callOnce(gate.port, gate.token, `/early/${n}`, { agent: other });
  const historyBefore = await early(gate);
  const report = {
    refused: {} as Record<number, number>,
    validCalls: 0,
    validFailed: {} as Record<number, number>,
    revocations: 0,
    revocationFaults: [] as string[],
    slowestRevocationMs: 0,
    mostUsedShare: 0,
  };
  const over = performance.now() + options.durationMs;
  const goes = () => performance.now() < over;
  const refused = (status: number) => count(report.refused, status);
  await Promise.all([
    floodOfAccounts(stage, options, agent, goes, refused),
    ...Array.from({ length: options.strangers }, (_, n) => stranger(stage, n, goes, refused)),
    validCaller(stage, other, goes, report),
    revoker(stage, other, goes, report),
    watch(stage.root, goes, report),
  ]);
  agent.destroy();
  other.destroy();
  return {
    ...report,
    auditBytes: await auditBytes(stage.root),
    historyBefore,
    historyAfter: await early(gate),
  };
}

async function floodOfAccounts(
  { gate }: Stage,
  { accountsPerSecond }: FloodOptions,
  agent: Agent,
  goes: () => boolean,
  refused: (status: number) => void,
): Promise<void> {
  const make = (name: string, role: string) => gate.createAccount({ name, role });
  const inactive = await make('flood-inactive', 'tester');
  await gate.administration.deactivateAccount(owner, { id: inactive.id });
  const powerless = await make('flood-powerless', 'none');
  const floods = [inactive.token, powerless.token, `${inactive.token.slice(0, -1)}-`];
  const EVERY_MS = 50;
  while (goes()) {
    const calls = Array.from({ length: (accountsPerSecond * EVERY_MS) / 1000 }, async (_, n) =>
      refused(await callOnce(gate.port, floods[n % 3]!, `/flood/${'x'.repeat(1500)}`, { agent })),
    );
    await Promise.all([sleep(EVERY_MS), ...calls]);
  }
}

/** Below what would be a flood of one address. */
async function stranger(
  { gate }: Stage,
  n: number,
  goes: () => boolean,
  refused: (status: number) => void,
): Promise<void> {
  const from = `127.0.2.${n + 1}`;
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  await sleep(Math.random() * 250);
  while (goes()) {
    const path = `/stranger/${'x'.repeat(1500)}`;
    const [status] = await Promise.all([
      callOnce(gate.port, null, path, { agent, from }),
      sleep(250),
    ]);
    refused(status);
  }
  agent.destroy();
}

async function validCaller(
  { gate }: Stage,
  agent: Agent,
  goes: () => boolean,
  report: { validCalls: number; validFailed: Record<number, number> },
): Promise<void> {
  while (goes()) {
    const method = report.validCalls % 2 === 0 ? 'GET' : 'POST';
    const status = await callOnce(gate.port, gate.token, '/valid', { agent, method });
    report.validCalls += 1;
    if (status !== 200) count(report.validFailed, status);
    await sleep(20);
  }
}

/** Accounts come, call, and go; whose token was taken away must not get in after the receipt. */
async function revoker(
  { gate }: Stage,
  agent: Agent,
  goes: () => boolean,
  report: { revocations: number; revocationFaults: string[]; slowestRevocationMs: number },
): Promise<void> {
  for (let n = 0; goes(); n += 1) {
    const fault = (words: string) => report.revocationFaults.push(`account ${n}: ${words}`);
    try {
      const { id, token } = await gate.createAccount({ name: `comes-${n}`, role: 'tester' });
      const before = await callOnce(gate.port, token, '/comes', { agent });
      if (before !== 200) fault(`was told ${before} before it was revoked`);
      const begunMs = performance.now();
      const { revocation } =
        n % 2 === 0
          ? await gate.administration.rotateToken(owner, { id })
          : await gate.administration.deactivateAccount(owner, { id });
      report.slowestRevocationMs = Math.max(
        report.slowestRevocationMs,
        Math.round(performance.now() - begunMs),
      );
      if (revocation?.effective !== true) fault('the receipt does not say effective');
      const after = await callOnce(gate.port, token, '/comes', { agent });
      if (after !== 401) fault(`was told ${after} after it was revoked`);
      report.revocations += 1;
      await gate.administration.deleteAccount(owner, { id });
    } catch (error) {
      fault(error instanceof Error ? error.message : String(error));
    }
    await sleep(250);
  }
}

async function watch(
  root: RedisConnection,
  goes: () => boolean,
  report: { mostUsedShare: number },
): Promise<void> {
  while (goes()) {
    report.mostUsedShare = Math.max(report.mostUsedShare, await usedShare(root));
    await sleep(500);
  }
}

export async function usedShare(root: RedisConnection): Promise<number> {
  const info = String(await root.call('INFO', 'memory'));
  const number = (name: string) => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1]);
  return number('used_memory') / number('maxmemory');
}

export async function auditBytes(root: RedisConnection): Promise<number> {
  let bytes = 0;
  for (const stream of AUDIT_STREAMS) bytes += Number(await root.call('MEMORY', 'USAGE', stream));
  return bytes;
}

/** How many of the calls before the flood the record still holds. */
async function early({ control }: TestGateway): Promise<number> {
  let found = 0;
  let cursor: string | null = null;
  do {
    const page: { items: readonly string[]; next: string | null } =
      await control.administration.activityPage(owner, { account: null, cursor, limit: 500 });
    found += page.items.filter((line) => line.includes('"path":"/early/')).length;
    cursor = page.next;
  } while (cursor !== null);
  return found;
}

async function until(condition: () => boolean): Promise<void> {
  const end = performance.now() + 30_000;
  while (!condition()) {
    if (performance.now() > end) throw new Error('the gate was not ready within half a minute');
    await sleep(20);
  }
}

function count(counts: Record<number, number>, status: number): void {
  counts[status] = (counts[status] ?? 0) + 1;
}

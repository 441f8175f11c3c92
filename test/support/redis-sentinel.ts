import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectRedis, type RedisConnection } from '../../src/store/redis.ts';
import { freePort } from './free-port.ts';
import {
  allowReplication,
  asAdmin,
  askUntil,
  blockReplication,
  infoOf,
  REPLICA_USER,
  type RedisAdmin,
  replicated,
  until,
} from './redis-replication.ts';
import {
  findRedisServer,
  type RedisOptions,
  type RedisServer,
  startRedis,
} from './redis-server.ts';
import { tlsWords } from './redis-tls.ts';

/** What a test's sentinels call the primary. */
export const PRIMARY_NAME = 'main';

export interface SentinelOptions extends RedisOptions {
  /** A user of the ACL file who may do everything. */
  readonly admin?: RedisAdmin;
  /** As whom the sentinels watch the servers; default `admin`. */
  readonly watcher?: RedisAdmin;
  /** Asked of whoever speaks to a sentinel. */
  readonly sentinelPassword?: string;
  /** After how long of silence a sentinel takes a server for down. Default 1,000. */
  readonly downAfterMs?: number;
}

/** A primary, its replica, and three sentinels that watch them, on free ports of the loopback. */
export interface RedisSentinels {
  readonly addresses: readonly { readonly host: string; readonly port: number }[];
  /** The same where they speak TLS; empty without certificates. */
  readonly tlsAddresses: readonly { readonly host: string; readonly port: number }[];
  /** Both servers. Which of them is the primary changes. */
  readonly servers: readonly [RedisServer, RedisServer];
  /** Of the two, the one that the sentinels name now. */
  primary(): Promise<RedisServer>;
  other(server: RedisServer): RedisServer;
  /**
   * Asks a sentinel to swap primary and replica, without losing anything. Resolves once the other
   * one is named.
   */
  failover(): Promise<void>;
  /**
   * What the primary accepts from now on reaches no replica: whatever is written before `kill` is
   * lost by the failover.
   */
  loseTail(): Promise<{ readonly primary: RedisServer; readonly replica: RedisServer }>;
  /** Resolves once the sentinels name this server and it takes writes. */
  promoted(server: RedisServer): Promise<void>;
  stop(): Promise<void>;
}

/** Bounded: throws when they are not there within 40 s. */
export async function startSentinels(options: SentinelOptions = {}): Promise<RedisSentinels> {
  const topology = new LocalSentinels(options);
  try {
    await topology.start();
    return topology;
  } catch (fault) {
    await topology.stop();
    throw fault;
  }
}

const SENTINELS = 3;
/**
 * A sentinel that comes late to its own timer, as on a crowded machine, takes its clock for broken
 * and does nothing for half a minute.
 */
const LATE_TIMER_MS = 60_000;
const living = new Set<ChildProcess>();

process.once('exit', () => {
  for (const child of living) child.kill('SIGKILL');
});

class LocalSentinels implements RedisSentinels {
  readonly #options: SentinelOptions;
  readonly #admin: RedisAdmin;
  readonly #children: ChildProcess[] = [];
  readonly #servers: RedisServer[] = [];
  #directory = '';
  #ports: readonly number[] = [];
  #tlsPorts: readonly number[] = [];

  constructor(options: SentinelOptions) {
    this.#options = options;
    this.#admin = options.admin ?? null;
  }

  get addresses() {
    return this.#ports.map((port) => ({ host: '127.0.0.1', port }));
  }

  get tlsAddresses() {
    return this.#tlsPorts.map((port) => ({ host: '127.0.0.1', port }));
  }

  get servers(): readonly [RedisServer, RedisServer] {
    return [this.#servers[0]!, this.#servers[1]!];
  }

  async start(): Promise<void> {
    this.#directory = await mkdtemp(join(tmpdir(), 'sallyport-sentinel-'));
    const { certificates } = this.#options;
    const words = certificates === undefined ? [] : ['--tls-replication', 'yes'];
    const options = { ...this.#options, config: [...(this.#options.config ?? []), ...words] };
    this.#servers.push(await startRedis(options), await startRedis(options));
    const [primary, replica] = this.servers;
    for (const server of this.servers) await allowReplication(server, this.#admin);
    await asAdmin(replica, this.#admin, async (root) => {
      await root.call('REPLICAOF', '127.0.0.1', portOf(primary));
      await until('the replica follows', async () =>
        /master_link_status:up/.test(await infoOf(root)),
      );
    });
    await replicated(primary, this.#admin);
    this.#ports = await Promise.all(Array.from({ length: SENTINELS }, freePort));
    if (certificates !== undefined)
      this.#tlsPorts = await Promise.all(Array.from({ length: SENTINELS }, freePort));
    const ids = this.#ports.map(() => randomBytes(20).toString('hex'));
    for (const [index] of this.#ports.entries()) await this.#startSentinel(index, ids);
    await until('all sentinels agree', async () => {
      if (this.#children.some(hasEnded)) throw new Error('a sentinel has ended');
      const views = await Promise.all(this.#ports.map((port) => this.#asSentinel(port, viewOf)));
      return views.every(
        (view) => view.primaryUp && view.sentinels === SENTINELS && view.replicas === 1,
      );
    });
    for (const port of this.#ports) {
      await this.#asSentinel(port, (sentinel) =>
        sentinel.call('SENTINEL', 'DEBUG', 'TILT-TRIGGER', LATE_TIMER_MS),
      );
    }
  }

  /**
   * Sentinels that know each other from their files need not wait for the messages by which they
   * would find each other.
   */
  async #startSentinel(index: number, ids: readonly string[]): Promise<void> {
    const [primary, replica] = this.servers;
    const { downAfterMs = 1_000, sentinelPassword } = this.#options;
    const lines = [
      `port ${this.#ports[index]}`,
      'bind 127.0.0.1',
      `dir ${this.#directory}`,
      ...this.#tlsLines(index),
      `sentinel myid ${ids[index]}`,
      `sentinel monitor ${PRIMARY_NAME} 127.0.0.1 ${portOf(primary)} 2`,
      `sentinel down-after-milliseconds ${PRIMARY_NAME} ${downAfterMs}`,
      `sentinel failover-timeout ${PRIMARY_NAME} 6000`,
      `sentinel known-replica ${PRIMARY_NAME} 127.0.0.1 ${portOf(replica)}`,
      ...(this.#tlsPorts.length > 0 ? this.#tlsPorts : this.#ports).flatMap((port, other) =>
        other === index
          ? []
          : [`sentinel known-sentinel ${PRIMARY_NAME} 127.0.0.1 ${port} ${ids[other]}`],
      ),
    ];
    const watcher = this.#options.watcher ?? this.#admin;
    if (watcher !== null) {
      lines.push(`sentinel auth-user ${PRIMARY_NAME} ${watcher.username}`);
      lines.push(`sentinel auth-pass ${PRIMARY_NAME} ${watcher.password}`);
    }
    if (sentinelPassword !== undefined)
      lines.push(`requirepass ${sentinelPassword}`, `sentinel sentinel-pass ${sentinelPassword}`);
    const file = join(this.#directory, `sentinel-${index}.conf`);
    await writeFile(file, `${lines.join('\n')}\n`);
    const child = spawn(findRedisServer() ?? 'redis-server', [file, '--sentinel'], {
      stdio: 'ignore',
    });
    child.on('error', () => {});
    this.#children.push(child);
    living.add(child);
    child.once('exit', () => living.delete(child));
  }

  #tlsLines(index: number): readonly string[] {
    const { certificates } = this.#options;
    const port = this.#tlsPorts[index];
    if (certificates === undefined || port === undefined) return [];
    const words = tlsWords(certificates, port);
    const lines = words.flatMap((word, at) =>
      at % 2 === 0 ? [`${word.slice(2)} ${words[at + 1]}`] : [],
    );
    return [...lines, 'tls-replication yes'];
  }

  async primary(): Promise<RedisServer> {
    const port = await this.#asSentinel(this.#ports[0]!, async (sentinel) => {
      const [, text] = (await sentinel.call(
        'SENTINEL',
        'GET-MASTER-ADDR-BY-NAME',
        PRIMARY_NAME,
      )) as [string, string];
      return Number(text);
    });
    const found = this.#servers.find((server) => portOf(server) === port);
    if (found === undefined)
      throw new Error(`the sentinels name port ${port}, which is none of ours`);
    return found;
  }

  other(server: RedisServer): RedisServer {
    const [first, second] = this.servers;
    return server === first ? second : first;
  }

  async failover(): Promise<void> {
    const before = await this.primary();
    const next = this.other(before);
    await replicated(before, this.#admin);
    await askUntil(
      'the sentinels have failed over',
      async () => (await this.primary()) === next,
      () =>
        this.#asSentinel(this.#ports[0]!, (sentinel) =>
          sentinel.call('SENTINEL', 'FAILOVER', PRIMARY_NAME),
        ),
    );
    await this.promoted(next);
  }

  async loseTail() {
    const primary = await this.primary();
    await blockReplication(primary, this.#admin);
    return { primary, replica: this.other(primary) };
  }

  async promoted(server: RedisServer): Promise<void> {
    await until('the other server is primary', async () => {
      if ((await this.primary()) !== server) return false;
      return asAdmin(server, this.#admin, async (root) => /role:master/.test(await infoOf(root)));
    });
    // It may have been shut out while it was the primary that must lose its tail.
    await asAdmin(server, this.#admin, (root) =>
      root.call('ACL', 'SETUSER', REPLICA_USER.username, 'on'),
    );
  }

  async stop(): Promise<void> {
    await Promise.all(this.#children.map(ended));
    await Promise.all(this.#servers.map((server) => server.stop()));
    await rm(this.#directory, { recursive: true, force: true });
  }

  async #asSentinel<T>(port: number, work: (sentinel: RedisConnection) => Promise<T>): Promise<T> {
    const password = this.#options.sentinelPassword ?? null;
    const sentinel = connectRedis({
      url: `redis://127.0.0.1:${port}`,
      username: null,
      password,
      tls: null,
      name: 'test',
      commandTimeoutMs: 10_000,
    });
    try {
      return await work(sentinel);
    } finally {
      sentinel.close();
    }
  }
}

/** Where the others reach it. */
function portOf(server: RedisServer): number {
  return server.tlsPort ?? server.port;
}

async function viewOf(sentinel: RedisConnection) {
  const fields = (await sentinel.call('SENTINEL', 'MASTER', PRIMARY_NAME)) as string[];
  const field = (name: string) => fields[fields.indexOf(name) + 1] ?? '';
  return {
    primaryUp: field('flags') === 'master',
    replicas: Number(field('num-slaves')),
    sentinels: Number(field('num-other-sentinels')) + 1,
  };
}

function hasEnded({ pid, exitCode, signalCode }: ChildProcess): boolean {
  return pid === undefined || exitCode !== null || signalCode !== null;
}

async function ended(child: ChildProcess): Promise<void> {
  if (hasEnded(child)) return;
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill('SIGKILL');
  await gone;
}

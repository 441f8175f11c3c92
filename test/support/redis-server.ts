import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { accessSync, constants, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from './free-port.ts';
import { type RedisCertificates, tlsWords } from './redis-tls.ts';

/**
 * A real Redis on a free loopback port, with its own temporary directory, and the powers to make it
 * fail.
 */
export interface RedisServer {
  readonly port: number;
  /** Where it speaks TLS; null when it was started without certificates. */
  readonly tlsPort: number | null;
  /** Without credentials, in the clear. */
  readonly url: string;
  /** Of the process that runs now; another one after `restart`. */
  readonly pid: number;
  /** Where its append-only file and its log are. */
  readonly directory: string;
  /** Freezes it (SIGSTOP): connections stay open, nothing is answered. */
  pause(): void;
  resume(): void;
  /** SIGKILL, as a crash would. Resolves when the process is gone. */
  kill(): Promise<void>;
  /**
   * Sets its wall clock so many seconds ahead of ours (below 0: behind). Only where it was started
   * with `settableClock`. Resolves when the server counts by it.
   */
  setClock(aheadSeconds: number): Promise<void>;
  /** Starts it again on the same port and data; kills it first if it still runs. */
  restart(): Promise<void>;
  /** Ends it for good and removes its directory. */
  stop(): Promise<void>;
}

export interface RedisOptions {
  /** Where it listens in place of a free port of 127.0.0.1: both are free there. */
  readonly at?: { readonly host: string; readonly port: number; readonly tlsPort: number };
  readonly aclFile?: string;
  /** A redis.conf; everything else here overrides it. */
  readonly configFile?: string;
  /** Further configuration as command-line words: `['--maxmemory', '10mb']`. */
  readonly config?: readonly string[];
  /** Also speak TLS, with these; clients must show a certificate. */
  readonly certificates?: RedisCertificates;
  /**
   * Append-only file, written before each answer; without it nothing survives a restart. True: with
   * fsync, as a gate needs it. `unsynced`: what is answered survives the end of the process all the
   * same, and a busy disk holds nobody up.
   */
  readonly appendOnly?: boolean | 'unsynced';
  /**
   * For `setClock`: with a clock of its own, which a compiler makes (`requireOrSkip(ctx, 'cc')`).
   */
  readonly settableClock?: boolean;
}

const START_TRIES = 3;
const READY_MS = 30_000;
const living = new Set<ChildProcess>();

process.once('exit', () => {
  for (const child of living) child.kill('SIGKILL');
});

/**
 * The server's binary (`$REDIS_SERVER_BIN`, else on PATH), or null: then a test says why it cannot
 * run.
 */
export function findRedisServer(): string | null {
  const named = process.env.REDIS_SERVER_BIN;
  const candidates = named
    ? [named]
    : (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, 'redis-server'));
  return candidates.find(isExecutable) ?? null;
}

/** Why tests on Redis cannot run here, for `context.skip`; null when they can. */
export function redisMissing(): string | null {
  return findRedisServer() === null
    ? 'redis-server is not installed (or set REDIS_SERVER_BIN)'
    : null;
}

/** Throws when no binary is found or the server does not come up within 30 s. */
export async function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  const binary = findRedisServer();
  if (binary === null)
    throw new Error('redis-server not found: install it, or set REDIS_SERVER_BIN to its path');
  const directory = await mkdtemp(join(tmpdir(), 'sallyport-redis-'));
  const { at } = options;
  const portFor = async (given: number | undefined) => given ?? freePort();
  for (let attempt = 1; ; attempt += 1) {
    const tlsPort = options.certificates === undefined ? null : await portFor(at?.tlsPort);
    const ports = { port: await portFor(at?.port), tlsPort };
    const server = new LocalRedis(binary, ports, directory, options);
    try {
      await server.start();
      return server;
    } catch (fault) {
      // Between finding a free port and listening on it, somebody else may have taken it.
      if (attempt < START_TRIES) continue;
      await server.stop();
      throw fault;
    }
  }
}

class LocalRedis implements RedisServer {
  readonly port: number;
  readonly tlsPort: number | null;
  readonly directory: string;
  readonly #binary: string;
  readonly #options: RedisOptions;
  #child: ChildProcess | null = null;
  #output = '';

  constructor(
    binary: string,
    ports: { readonly port: number; readonly tlsPort: number | null },
    directory: string,
    options: RedisOptions,
  ) {
    this.#binary = binary;
    this.port = ports.port;
    this.tlsPort = ports.tlsPort;
    this.directory = directory;
    this.#options = options;
  }

  get url(): string {
    return `redis://${this.host}:${this.port}`;
  }

  get host(): string {
    return this.#options.at?.host ?? '127.0.0.1';
  }

  get pid(): number {
    const pid = this.#child?.pid;
    if (pid === undefined) throw new Error('redis-server is not running');
    return pid;
  }

  async start(): Promise<void> {
    if (this.#options.settableClock === true) this.#makeClock();
    const child = spawn(this.#binary, this.#words(), {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...this.#clockEnvironment() },
    });
    this.#child = child;
    living.add(child);
    child.once('exit', () => living.delete(child));
    child.on('error', (fault) => this.#keep(fault.message));
    child.stdout?.on('data', (chunk) => this.#keep(String(chunk)));
    child.stderr?.on('data', (chunk) => this.#keep(String(chunk)));
    const end = performance.now() + READY_MS;
    while (!(await answersPing(this.host, this.port))) {
      if (
        child.exitCode !== null ||
        child.signalCode !== null ||
        child.pid === undefined ||
        performance.now() > end
      ) {
        await this.kill();
        throw new Error(`redis-server did not come up on port ${this.port}:\n${this.#output}`);
      }
      await sleep(5);
    }
  }

  pause(): void {
    process.kill(this.pid, 'SIGSTOP');
  }

  resume(): void {
    process.kill(this.pid, 'SIGCONT');
  }

  async setClock(aheadSeconds: number): Promise<void> {
    writeFileSync(this.#clockFile, String(aheadSeconds));
    const end = performance.now() + READY_MS;
    while (
      Math.abs((await secondsOf(this.host, this.port)) - Date.now() / 1000 - aheadSeconds) > 2
    ) {
      if (performance.now() > end) throw new Error('the clock of redis-server cannot be set');
      await sleep(5);
    }
  }

  /** The file that the server's clock reads at every look at it. */
  get #clockFile(): string {
    return join(this.directory, 'clock');
  }

  #makeClock(): void {
    writeFileSync(this.#clockFile, '0');
    const source = join(import.meta.dirname, 'settable-clock.c');
    execFileSync('cc', ['-shared', '-fPIC', '-nostdlib', '-o', `${this.#clockFile}.so`, source]);
  }

  #clockEnvironment(): Record<string, string> {
    return this.#options.settableClock === true
      ? { LD_PRELOAD: `${this.#clockFile}.so`, SETTABLE_CLOCK_FILE: this.#clockFile }
      : {};
  }

  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (
      child === null ||
      child.pid === undefined ||
      child.exitCode !== null ||
      child.signalCode !== null
    )
      return;
    const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    child.kill('SIGKILL');
    await gone;
  }

  async restart(): Promise<void> {
    await this.kill();
    await this.start();
  }

  async stop(): Promise<void> {
    await this.kill();
    await rm(this.directory, { recursive: true, force: true });
  }

  #words(): string[] {
    const { appendOnly = false } = this.#options;
    const fsync = appendOnly === 'unsynced' ? 'no' : 'always';
    const persistence =
      appendOnly === false
        ? ['--appendonly', 'no']
        : ['--appendonly', 'yes', '--appendfsync', fsync];
    const acl = this.#options.aclFile === undefined ? [] : ['--aclfile', this.#options.aclFile];
    const place = [
      '--bind',
      this.host,
      '--port',
      String(this.port),
      '--dir',
      this.directory,
      '--save',
      '',
      '--daemonize',
      'no',
    ];
    const file = this.#options.configFile === undefined ? [] : [this.#options.configFile];
    const { certificates } = this.#options;
    const tls =
      certificates === undefined || this.tlsPort === null
        ? []
        : tlsWords(certificates, this.tlsPort);
    return [...file, ...place, ...persistence, ...acl, ...tls, ...(this.#options.config ?? [])];
  }

  /** The last lines, for the message when it does not start. */
  #keep(text: string): void {
    this.#output = (this.#output + text).slice(-4_000);
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Its wall clock, by TIME; NaN when it does not say. */
async function secondsOf(host: string, port: number): Promise<number> {
  return new Promise((resolve) => {
    const socket = connect({ port, host });
    const finish = (seconds: number) => {
      socket.destroy();
      resolve(seconds);
    };
    socket.setTimeout(2_000, () => finish(Number.NaN));
    socket.once('error', () => finish(Number.NaN));
    socket.once('connect', () => socket.write('TIME\r\n'));
    socket.once('data', (chunk) => finish(Number(String(chunk).split('\r\n')[2])));
  });
}

/**
 * A server that loads its data answers LOADING and one with users NOAUTH: the second is ready, the
 * first is not.
 */
async function answersPing(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host });
    const finish = (ready: boolean) => {
      socket.destroy();
      resolve(ready);
    };
    socket.setTimeout(2_000, () => finish(false));
    socket.once('error', () => finish(false));
    socket.once('connect', () => socket.write('PING\r\n'));
    socket.once('data', (chunk) => finish(/^(\+PONG|-NOAUTH)/.test(String(chunk))));
  });
}

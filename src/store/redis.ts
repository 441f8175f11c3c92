import { type RedisOptions as DriverOptions, Redis } from 'ioredis';
import { StoreUnavailable } from './fault.ts';
import { classify, replyCode } from './redis-fault.ts';
import { loadScript, type Script } from './script.ts';

/**
 * The one way to Redis. Everything above speaks through `RedisConnection`, a few functions wide, so that Sentinel and Cluster need another factory
 * and no other caller.
 */
export interface RedisConnection {
  /** One command. Throws `StoreUnavailable`, at the latest after the command timeout. */
  call(command: string, ...words: readonly RedisWord[]): Promise<unknown>;
  /** Commands sent together and carried out in this order, but not as one step: all replies, or the first error. */
  pipeline(commands: readonly RedisCommand[]): Promise<unknown[]>;
  /** Reads of one moment: no write can come between them. `keys` are all keys that the commands name. */
  readTogether(keys: readonly string[], commands: readonly RedisCommand[]): Promise<unknown[]>;
  /** Runs a script by its digest, sending its text only to a server that does not know it yet. */
  run(script: Script, keys: readonly string[], words: readonly RedisWord[]): Promise<unknown>;
  /** Another connection to the same server for reads that wait up to `blockMs` on the server's side. */
  forBlocking(name: string, blockMs: number): RedisConnection;
  /** Resolves once commands can be sent; throws `StoreUnavailable` after `deadlineMs`. */
  ready(deadlineMs: number): Promise<void>;
  /** Drops the connection. Commands under way fail. */
  close(): void;
}

export type RedisWord = string | number | Buffer;
export type RedisCommand = readonly [command: string, ...words: (string | number)[]];

export interface RedisTls {
  /** PEM texts. `ca` null: the system's. */
  readonly ca: string | null;
  readonly serverName: string | null;
  readonly certificate: string | null;
  readonly key: string | null;
  /** False only when the operator said so: then anyone on the way can read and change the registry. */
  readonly verify: boolean;
}

export interface RedisSettings {
  /** `redis://host:port/database` or `rediss://…`, without credentials. */
  readonly url: string;
  readonly username: string | null;
  readonly password: string | null;
  /** Only for `rediss:`; null = verified against the system's CAs. */
  readonly tls: RedisTls | null;
  /** What `CLIENT LIST` shows: letters, digits, `-`, `.`, `_`, `:`. */
  readonly name: string;
  /** How long one command may take, in milliseconds. */
  readonly commandTimeoutMs?: number;
}

const DEFAULTS = { commandTimeoutMs: 1_000, port: 6379 } as const;

/** Between two attempts to connect: doubling from the first, with up to half of it shaved off at random so that a fleet does not come back in step. */
const RECONNECT = { firstMs: 50, longestMs: 500 } as const;

const READ_TOGETHER = loadScript('read-together', { readOnly: true });

/** Connects in the background; use `ready` to wait. Throws only when the URL makes no sense. */
export function connectRedis(settings: RedisSettings): RedisConnection {
  const commandTimeoutMs = settings.commandTimeoutMs ?? DEFAULTS.commandTimeoutMs;
  return new StandaloneConnection({ ...endpointOf(settings), connectionName: settings.name }, commandTimeoutMs);
}

class StandaloneConnection implements RedisConnection {
  readonly #driver: Redis;
  readonly #endpoint: DriverOptions;
  readonly #commandTimeoutMs: number;
  /** Why the connection is down; null while it is up or when nothing is known yet. */
  #connectFault: StoreUnavailable | null = null;
  /** The first command may wait for the first connection; later ones fail at once while there is none. */
  #connectedBefore = false;

  constructor(endpoint: DriverOptions, commandTimeoutMs: number, blockMs = 0) {
    this.#endpoint = endpoint;
    this.#commandTimeoutMs = commandTimeoutMs;
    this.#driver = new Redis({ ...endpoint, ...behaviour(commandTimeoutMs, blockMs), replyMapping: 'legacy' });
    this.#driver.on('ready', () => {
      this.#connectFault = null;
      this.#connectedBefore = true;
    });
    // Without this listener an unreachable server would print to the console, or end the process.
    this.#driver.on('error', (fault: unknown) => {
      this.#connectFault = classify(fault);
    });
  }

  async call(command: string, ...words: readonly RedisWord[]): Promise<unknown> {
    return this.#guarded(() => this.#driver.call(command, [...words]));
  }

  async pipeline(commands: readonly RedisCommand[]): Promise<unknown[]> {
    return this.#guarded(() => Promise.all(commands.map(([command, ...words]) => this.#driver.call(command, words))));
  }

  async readTogether(keys: readonly string[], commands: readonly RedisCommand[]): Promise<unknown[]> {
    const words = commands.map((command) => command.map(String));
    return (await this.run(READ_TOGETHER, keys, [JSON.stringify(words)])) as unknown[];
  }

  async run(script: Script, keys: readonly string[], words: readonly RedisWord[]): Promise<unknown> {
    const suffix = script.readOnly ? '_RO' : '';
    return this.#guarded(async () => {
      try {
        return await this.#driver.call(`EVALSHA${suffix}`, script.sha1, keys.length, ...keys, ...words);
      } catch (fault) {
        if (replyCode(fault) !== 'NOSCRIPT') throw fault;
        return await this.#driver.call(`EVAL${suffix}`, script.text, keys.length, ...keys, ...words);
      }
    });
  }

  forBlocking(name: string, blockMs: number): RedisConnection {
    return new StandaloneConnection({ ...this.#endpoint, connectionName: name }, this.#commandTimeoutMs, blockMs);
  }

  async ready(deadlineMs: number): Promise<void> {
    if (this.#driver.status === 'ready') return;
    const up = Promise.withResolvers<void>();
    const onReady = () => up.resolve();
    const onEnd = () => up.reject(this.#notConnected());
    // Waiting makes an unreachable server reachable, but no password right.
    const onError = () => {
      if (this.#connectFault?.why === 'forbidden') onEnd();
    };
    const timer = setTimeout(onEnd, deadlineMs);
    this.#driver.once('ready', onReady).once('end', onEnd).on('error', onError);
    try {
      await up.promise;
    } finally {
      clearTimeout(timer);
      this.#driver.off('ready', onReady).off('end', onEnd).off('error', onError);
    }
  }

  close(): void {
    this.#driver.disconnect();
  }

  async #guarded<T>(command: () => Promise<T>): Promise<T> {
    if (!this.#connectedBefore && this.#driver.status !== 'end') await this.ready(this.#commandTimeoutMs);
    try {
      return await command();
    } catch (fault) {
      throw classify(fault, this.#driver.status === 'ready' ? null : this.#connectFault);
    }
  }

  #notConnected(): StoreUnavailable {
    return this.#connectFault ?? new StoreUnavailable('unreachable', null, 'Redis cannot be reached (no connection in time)');
  }
}

/**
 * Nothing is queued, repeated or sent again behind the caller's back: a command is sent once, on a living connection, and answered within its
 * time, or it fails. A connection on which nothing arrives for twice that long is dropped, because it may be half-open.
 */
function behaviour(commandTimeoutMs: number, blockMs: number): DriverOptions {
  return {
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    // INFO before every use would ask for a right that the gate does not need; LOADING is told by each command.
    enableReadyCheck: false,
    disableClientInfo: true,
    protocol: 2,
    connectTimeout: commandTimeoutMs * 2,
    commandTimeout: commandTimeoutMs + blockMs,
    socketTimeout: commandTimeoutMs * 2 + blockMs,
    retryStrategy: reconnectDelayMs,
  };
}

function reconnectDelayMs(attempt: number): number {
  const delayMs = Math.min(RECONNECT.longestMs, RECONNECT.firstMs * 2 ** Math.min(attempt - 1, 10));
  return Math.ceil(delayMs * (1 - Math.random() / 2));
}

function endpointOf(settings: RedisSettings): DriverOptions {
  const url = new URL(settings.url);
  if (url.protocol !== 'redis:' && url.protocol !== 'rediss:') throw new TypeError('a Redis URL begins with redis: or rediss:');
  // An IPv6 address stands in brackets in a URL and without them everywhere else.
  const host = url.hostname.replace(/^\[|\]$/g, '');
  return {
    host,
    port: url.port === '' ? DEFAULTS.port : Number(url.port),
    db: Number(url.pathname.slice(1) || '0'),
    ...(settings.username === null ? {} : { username: settings.username }),
    ...(settings.password === null ? {} : { password: settings.password }),
    ...(url.protocol === 'rediss:' ? { tls: tlsOf(settings.tls, host) } : {}),
  };
}

function tlsOf(tls: RedisTls | null, host: string): NonNullable<DriverOptions['tls']> {
  return {
    minVersion: 'TLSv1.2',
    rejectUnauthorized: tls?.verify ?? true,
    servername: tls?.serverName ?? host,
    ...(tls?.ca ? { ca: tls.ca } : {}),
    ...(tls?.certificate ? { cert: tls.certificate } : {}),
    ...(tls?.key ? { key: tls.key } : {}),
  };
}

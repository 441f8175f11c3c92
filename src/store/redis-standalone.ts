import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { AbstractConnector, type RedisOptions as DriverOptions, type Redis } from 'ioredis';
import { systemNames } from '../names/system.ts';
import { TCP_KEEP_ALIVE } from '../wire/keep-alive.ts';
import { StoreUnavailable } from './fault.ts';
import { destroyedAfterReading, PatientRedis } from './redis-driver.ts';
import { classify, replyCode } from './redis-fault.ts';
import type {
  Confirmed,
  RedisAddress,
  RedisCommand,
  RedisCommands,
  RedisConnection,
  RedisManner,
  RedisTls,
  RedisWord,
  ReplicaWait,
} from './redis-port.ts';
import { UselessConnection } from './redis-useless.ts';
import { loadScript, type Script } from './script.ts';

/**
 * Between two attempts to connect: doubling from the first, with up to half of it shaved off at
 * random so that a fleet does not come back in step.
 */
const RECONNECT = { firstMs: 50, longestMs: 500 } as const;

const READ_TOGETHER = loadScript('read-together', { readOnly: true });

/**
 * Makes the sockets for the driver. It listens for one error of each and not for the next (an alert
 * that comes while a failed connection is being put away), and an error that nobody listens for
 * ends the process.
 */
class Connector extends AbstractConnector {
  readonly #options: DriverOptions;

  constructor(options: unknown) {
    super((options as DriverOptions).disconnectTimeout ?? 0);
    this.#options = options as DriverOptions;
  }

  async connect(): Promise<Socket> {
    const { host = 'localhost', port = 0, tls } = this.#options;
    const to = { host, port, lookup: systemNames.lookup };
    const socket = tls === undefined ? connectTcp(to) : connectTls({ ...to, ...tls });
    socket.once('error', (fault) => {
      this.firstError = fault;
    });
    socket.on('error', () => {});
    this.connecting = true;
    this.stream = destroyedAfterReading(socket);
    return socket;
  }
}

/** A connection to one server, which comes back by itself when it is lost. */
export class StandaloneConnection implements RedisConnection {
  readonly spreadsKeys = false;
  /**
   * The same, each command with the permission to use a slot that is only on its way to this server
   * (ASK).
   */
  readonly asking: RedisCommands;
  readonly #plain: RedisCommands;
  readonly #driver: Redis;
  readonly #address: RedisAddress;
  readonly #manner: RedisManner;
  /** Why the connection is down; null while it is up or when nothing is known yet. */
  #connectFault: StoreUnavailable | null = null;
  /**
   * The first command may wait for the first connection; later ones fail at once while there is
   * none.
   */
  #connectedBefore = false;

  constructor(address: RedisAddress, manner: RedisManner) {
    this.#address = address;
    this.#manner = manner;
    const useless = new UselessConnection(() => performance.now());
    this.#driver = new PatientRedis({
      ...driverOptions(address, manner),
      replyMapping: 'legacy',
      reconnectOnError: (fault) => {
        if (manner.stays === true || !useless.isAfter(replyCode(fault))) return false;
        systemNames.doubt(address.host);
        return true;
      },
    });
    this.#driver.on('ready', () => {
      this.#connectFault = null;
      this.#connectedBefore = true;
    });
    // Without this listener an unreachable server would print to the console, or end the process.
    this.#driver.on('error', (fault: unknown) => {
      this.#connectFault = classify(fault);
    });
    const guarded = <T>(work: () => Promise<T>) => this.#guarded(work);
    this.#plain = new Commands(this.#driver, guarded, false);
    this.asking = new Commands(this.#driver, guarded, true);
  }

  /** Whether a command could be sent now. */
  get connected(): boolean {
    return this.#driver.status === 'ready';
  }

  call(command: string, ...words: readonly RedisWord[]): Promise<unknown> {
    return this.#plain.call(command, ...words);
  }

  callAt(_key: string, command: string, ...words: readonly RedisWord[]): Promise<unknown> {
    return this.#plain.call(command, ...words);
  }

  pipeline(commands: readonly RedisCommand[]): Promise<unknown[]> {
    return this.#plain.pipeline(commands);
  }

  readTogether(keys: readonly string[], commands: readonly RedisCommand[]): Promise<unknown[]> {
    return this.#plain.readTogether(keys, commands);
  }

  run(script: Script, keys: readonly string[], words: readonly RedisWord[]): Promise<unknown> {
    return this.#plain.run(script, keys, words);
  }

  runConfirmed(
    script: Script,
    keys: readonly string[],
    words: readonly RedisWord[],
    wait: ReplicaWait,
  ): Promise<Confirmed> {
    return this.#plain.runConfirmed(script, keys, words, wait);
  }

  forBlocking(name: string, blockMs: number): RedisConnection {
    return new StandaloneConnection(this.#address, { ...this.#manner, name, blockMs });
  }

  async ready(deadlineMs: number): Promise<void> {
    if (this.connected) return;
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

  async #guarded<T>(work: () => Promise<T>): Promise<T> {
    if (!this.#connectedBefore && this.#driver.status !== 'end')
      await this.ready(this.#manner.commandTimeoutMs);
    try {
      return await work();
    } catch (fault) {
      throw classify(fault, this.connected ? null : this.#connectFault);
    }
  }

  #notConnected(): StoreUnavailable {
    return (
      this.#connectFault ??
      new StoreUnavailable('unreachable', null, 'Redis cannot be reached (no connection in time)')
    );
  }
}

class Commands implements RedisCommands {
  readonly #driver: Redis;
  readonly #guarded: <T>(work: () => Promise<T>) => Promise<T>;
  readonly #asking: boolean;

  constructor(driver: Redis, guarded: <T>(work: () => Promise<T>) => Promise<T>, asking: boolean) {
    this.#driver = driver;
    this.#guarded = guarded;
    this.#asking = asking;
  }

  async call(command: string, ...words: readonly RedisWord[]): Promise<unknown> {
    return this.#guarded(() => this.#send(command, words));
  }

  /**
   * All are answered before the first error is told: whoever sends them again elsewhere must not
   * overtake them.
   */
  async pipeline(commands: readonly RedisCommand[]): Promise<unknown[]> {
    return this.#guarded(async () => {
      const replies = await Promise.allSettled(
        commands.map(([command, ...words]) => this.#send(command, words)),
      );
      return replies.map((reply) => {
        if (reply.status === 'rejected') throw reply.reason;
        return reply.value;
      });
    });
  }

  async readTogether(
    keys: readonly string[],
    commands: readonly RedisCommand[],
  ): Promise<unknown[]> {
    const words = commands.map((command) => command.map(String));
    return (await this.run(READ_TOGETHER, keys, [JSON.stringify(words)])) as unknown[];
  }

  async run(
    script: Script,
    keys: readonly string[],
    words: readonly RedisWord[],
  ): Promise<unknown> {
    return this.#guarded(() =>
      this.#evaluate(script, (command, first) =>
        this.#send(command, [first, keys.length, ...keys, ...words], script.answersBytes),
      ),
    );
  }

  async runConfirmed(
    script: Script,
    keys: readonly string[],
    words: readonly RedisWord[],
    { replicas, waitMs }: ReplicaWait,
  ): Promise<Confirmed> {
    const both = async (command: string, first: string): Promise<Confirmed> => {
      const reply = this.#send(command, [first, keys.length, ...keys, ...words]);
      // Sent before the reply is here, so that nothing can come between the two.
      const confirmed = this.#driver.call('WAIT', replicas, waitMs).then(Number, () => null);
      return { reply: await reply, replicas: await confirmed };
    };
    return this.#guarded(() => this.#evaluate(script, both));
  }

  /** `send` with the script's digest; with its text where the server does not know it. */
  async #evaluate<T>(
    script: Script,
    send: (command: string, first: string) => Promise<T>,
  ): Promise<T> {
    const suffix = script.readOnly ? '_RO' : '';
    try {
      return await send(`EVALSHA${suffix}`, script.sha1);
    } catch (fault) {
      if (replyCode(fault) !== 'NOSCRIPT') throw fault;
      return await send(`EVAL${suffix}`, script.text);
    }
  }

  #send(command: string, words: readonly RedisWord[], asBytes = false): Promise<unknown> {
    // What goes wrong with ASKING shows in the command that it stands before.
    if (this.#asking) this.#driver.call('ASKING').catch(() => undefined);
    return asBytes
      ? this.#driver.callBuffer(command, [...words])
      : this.#driver.call(command, [...words]);
  }
}

/**
 * Nothing is queued, repeated or sent again behind the caller's back: a command is sent once, on a
 * living connection, and answered within its time, or it fails. A connection on which nothing
 * arrives for twice that long is dropped, because it may be half-open.
 */
function driverOptions({ host, port }: RedisAddress, manner: RedisManner): DriverOptions {
  const { commandTimeoutMs, blockMs, username, password, tls } = manner;
  return {
    host,
    port,
    Connector,
    db: manner.database,
    connectionName: manner.name,
    ...(username === null ? {} : { username }),
    ...(password === null ? {} : { password }),
    ...(tls === null ? {} : { tls: tlsOptions(tls, host) }),
    keepAlive: TCP_KEEP_ALIVE.keepAliveInitialDelay,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    // INFO before every use would ask for a right that the gate does not need; LOADING is told by
    // each command.
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

function tlsOptions(tls: RedisTls, host: string): NonNullable<DriverOptions['tls']> {
  const serverName = tls.serverName ?? host;
  return {
    minVersion: 'TLSv1.2',
    rejectUnauthorized: tls.verify,
    // RFC 6066 §3: SNI holds names only. Without it Node holds the certificate against the address.
    ...(isIP(serverName) === 0 ? { servername: serverName } : {}),
    ...(tls.ca === null ? {} : { ca: tls.ca }),
    ...(tls.certificate === null ? {} : { cert: tls.certificate }),
    ...(tls.key === null ? {} : { key: tls.key }),
  };
}

import type { Callback, RedisOptions as DriverOptions } from 'ioredis';
import { TCP_KEEP_ALIVE } from '../http1/keep-alive.ts';
import type { StoreUnavailable } from './fault.ts';
import type { RedisAccess, Shown } from './redis-access.ts';
import { Connector, tlsOptions, wasReached } from './redis-connector.ts';
import { PatientRedis } from './redis-driver.ts';
import { classify, replyCode } from './redis-fault.ts';
import type { CommandMeter, RedisAddress } from './redis-port.ts';

/**
 * Between two attempts to connect: doubling from the first, with up to half of it shaved off at
 * random so that a fleet does not come back in step.
 */
const RECONNECT = { firstMs: 50, longestMs: 500 } as const;

/** A driver towards one server that asks at each attempt to connect what it is to show. */
export class ServerDriver extends PatientRedis {
  readonly #access: RedisAccess;
  readonly #host: string;
  #shown: Shown;
  #provenVersion = -1;
  #isProven = false;
  /** In a row. */
  #refusals = 0;
  #isTrial: boolean;

  /**
   * Connects only when it is told to. A trial shows the newest secrets, once, and is over when they
   * are refused.
   */
  constructor(
    address: RedisAddress,
    manner: RedisManner,
    isTrial: boolean,
    reconnectOnError: NonNullable<DriverOptions['reconnectOnError']>,
  ) {
    super({ ...driverOptions(address, manner), reconnectOnError, replyMapping: 'legacy' });
    this.#access = manner.access;
    this.#host = address.host;
    this.#isTrial = isTrial;
    this.#shown = manner.access.shown(0);
    this.options.retryStrategy = (attempt) => (this.#isTrial ? null : reconnectDelayMs(attempt));
  }

  /** Of the secrets that a server has accepted from this driver; -1 = none yet. */
  get provenVersion(): number {
    return this.#provenVersion;
  }

  override connect(callback?: Callback<void>): Promise<void> {
    // Who is away has refused nothing, and is shown the newest when it is back.
    if (!this.#isProven && wasReached(this.stream)) this.#refusals += 1;
    this.#isProven = false;
    this.#shown = this.#access.shown(this.#isTrial ? 0 : this.#refusals);
    const { username, password, tls } = this.#shown.secrets;
    Object.assign(this.options, {
      username: username ?? undefined,
      password: password ?? undefined,
      tls: tls === null ? undefined : tlsOptions(tls, this.#host),
    });
    return super.connect(callback);
  }

  /**
   * Null: the server works with us as what we have shown. Else why not. Without a password nothing
   * is said of that before the first command.
   */
  async proven(): Promise<StoreUnavailable | null> {
    const { secrets, version } = this.#shown;
    try {
      if (secrets.password === null) await this.call('PING');
    } catch (fault) {
      if (replyCode(fault) !== 'NOPERM') return classify(fault);
    }
    this.#isProven = true;
    this.#refusals = 0;
    this.#provenVersion = version;
    return null;
  }

  /** Connects once, and tells what came of it. */
  async tried(): Promise<StoreUnavailable | null> {
    let told: unknown = null;
    const onError = (fault: unknown) => {
      told ??= fault;
    };
    this.on('error', onError);
    try {
      await this.connect();
      return await this.proven();
    } catch (fault) {
      return classify(told ?? fault);
    } finally {
      this.off('error', onError);
    }
  }

  /** From now on it comes back by itself when it is lost. */
  adopt(): void {
    this.#isTrial = false;
  }

  /** What is under way is answered first, within its time. */
  retire(): void {
    this.quit().catch(() => this.disconnect());
  }
}

/**
 * Nothing is queued, repeated or sent again behind the caller's back: a command is sent once, on a
 * living connection, and answered within its time, or it fails. A connection on which nothing
 * arrives for twice that long is dropped, because it may be half-open.
 */
function driverOptions({ host, port }: RedisAddress, manner: RedisManner): DriverOptions {
  const { commandTimeoutMs, blockMs } = manner;
  return {
    host,
    port,
    Connector,
    lazyConnect: true,
    db: manner.database,
    connectionName: manner.name,
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
  };
}

function reconnectDelayMs(attempt: number): number {
  const delayMs = Math.min(RECONNECT.longestMs, RECONNECT.firstMs * 2 ** Math.min(attempt - 1, 10));
  return Math.ceil(delayMs * (1 - Math.random() / 2));
}

/** How one server is reached, whichever it is. */
export interface RedisManner {
  /** As whom, and by which certificates: asked at each attempt to connect. */
  readonly access: RedisAccess;
  readonly database: number;
  /** What `CLIENT LIST` shows: letters, digits, `-`, `.`, `_`, `:`. */
  readonly name: string;
  /** How long one command may take, in milliseconds. */
  readonly commandTimeoutMs: number;
  /** How long a command may wait on the server's side beyond that. */
  readonly blockMs: number;
  /** Told of what becomes of commands; absent: nobody is. */
  readonly meter?: CommandMeter | undefined;
  /** Stays with a server that says it is the wrong one: for looking at that very server. */
  readonly stays?: boolean;
}

import type { Redis } from 'ioredis';
import { systemNames } from '../names/system.ts';
import { StoreUnavailable } from './fault.ts';
import type { AccessMember } from './redis-access.ts';
import { classify, replyCode } from './redis-fault.ts';
import {
  addressText,
  type Confirmed,
  type RedisAddress,
  type RedisCommand,
  type RedisCommands,
  type RedisConnection,
  type RedisWord,
  type ReplicaWait,
} from './redis-port.ts';
import { type RedisManner, ServerDriver } from './redis-server-driver.ts';
import { Succession } from './redis-succession.ts';
import { UselessConnection } from './redis-useless.ts';
import { loadScript, type Script } from './script.ts';

const READ_TOGETHER = loadScript('read-together', { readOnly: true });

/**
 * A connection to one server, which comes back by itself when it is lost, and gives way to another
 * one when the secrets change that it was made with.
 */
export class StandaloneConnection implements RedisConnection, AccessMember {
  readonly spreadsKeys = false;
  readonly label: string;
  /**
   * The same, each command with the permission to use a slot that is only on its way to this server
   * (ASK).
   */
  readonly asking: RedisCommands;
  readonly #plain: RedisCommands;
  readonly #address: RedisAddress;
  readonly #manner: RedisManner;
  readonly #succession: Succession;
  readonly #waiting = new Set<PromiseWithResolvers<void>>();
  #driver: ServerDriver;
  #closed = false;
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
    this.label = addressText(address);
    const guarded = <T>(work: () => Promise<T>) => this.#guarded(work);
    this.#plain = new Commands(() => this.#driver, guarded, false);
    this.asking = new Commands(() => this.#driver, guarded, true);
    this.#succession = new Succession({
      isDue: () => !this.#closed && this.#driver.provenVersion !== manner.access.version,
      open: () => this.#open(true),
      succeed: (next) => this.#succeedBy(next),
      refused: (fault) => manner.access.refused(this, fault.message),
    });
    manner.access.join(this);
    manner.meter?.join(this);
    this.#driver = this.#open(false);
    this.#driver.connect().catch(() => {});
  }

  changed(): void {
    this.#succession.begin();
  }

  #open(isTrial: boolean): ServerDriver {
    const { access, stays } = this.#manner;
    const useless = new UselessConnection(() => performance.now());
    const driver = new ServerDriver(this.#address, this.#manner, isTrial, (fault) => {
      const code = replyCode(fault);
      // Only where there is something else to show.
      if (code === 'NOAUTH' && !access.hasFormer) return false;
      if (stays === true || !useless.isAfter(code)) return false;
      systemNames.doubt(this.#address.host);
      return true;
    });
    driver.on('ready', () => {
      if (driver === this.#driver) void this.#up(driver);
    });
    // Without this listener an unreachable server would print to the console, or end the process.
    driver.on('error', (fault: unknown) => {
      if (driver === this.#driver) this.#down(classify(fault, null, this.label));
    });
    return driver;
  }

  async #up(driver: ServerDriver): Promise<void> {
    this.#connectFault = null;
    this.#connectedBefore = true;
    for (const one of this.#waiting) one.resolve();
    const fault = await driver.proven();
    if (fault !== null || driver !== this.#driver || this.#closed) return;
    this.#manner.access.accepted(this, driver.provenVersion);
    this.#succession.begin();
  }

  #down(fault: StoreUnavailable): void {
    this.#connectFault = fault;
    // Waiting makes an unreachable server reachable, but no password right.
    if (fault.why !== 'forbidden' || this.#manner.access.hasFormer) return;
    for (const one of this.#waiting) one.reject(fault);
  }

  /** What is under way ends on the former driver; what comes from now on goes over this one. */
  #succeedBy(next: ServerDriver): void {
    const former = this.#driver;
    this.#driver = next;
    next.adopt();
    void this.#up(next);
    former.retire();
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
    return new StandaloneConnection(this.#address, {
      ...this.#manner,
      name,
      blockMs,
      meter: undefined,
    });
  }

  async ready(deadlineMs: number): Promise<void> {
    if (this.connected) return;
    const up = Promise.withResolvers<void>();
    const timer = setTimeout(() => up.reject(this.#notConnected()), deadlineMs);
    this.#waiting.add(up);
    try {
      await up.promise;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(up);
    }
  }

  /**
   * Without the goodbye that a server which stands still would never answer. A connection that is
   * still being made has a time limit of its own.
   */
  cut(): void {
    if (this.connected) this.#driver.stream.destroy();
  }

  close(): void {
    // Once: told of it again, the driver would wait two seconds for an end that has been.
    if (this.#closed) return;
    this.#closed = true;
    this.#succession.close();
    this.#manner.access.leave(this);
    this.#manner.meter?.leave(this);
    this.#driver.disconnect();
    for (const one of this.#waiting) one.reject(this.#notConnected());
  }

  async #guarded<T>(work: () => Promise<T>): Promise<T> {
    const { meter, commandTimeoutMs } = this.#manner;
    try {
      if (!this.#connectedBefore && !this.#closed) await this.ready(commandTimeoutMs);
      const sentMs = performance.now();
      const reply = await work();
      meter?.answered(performance.now() - sentMs);
      return reply;
    } catch (fault) {
      const told = classify(fault, this.connected ? null : this.#connectFault, this.label);
      // By its closing the connection says nothing of the server.
      if (told.why === 'unreachable' && !this.#closed) meter?.unanswered();
      throw told;
    }
  }

  #notConnected(): StoreUnavailable {
    return (
      this.#connectFault ??
      new StoreUnavailable(
        'unreachable',
        null,
        `${this.label}: Redis cannot be reached (no connection in time)`,
      )
    );
  }
}

class Commands implements RedisCommands {
  /** Asked anew for each command: a connection may have come in the place of another. */
  readonly #driver: () => Redis;
  readonly #guarded: <T>(work: () => Promise<T>) => Promise<T>;
  readonly #asking: boolean;

  constructor(
    driver: () => Redis,
    guarded: <T>(work: () => Promise<T>) => Promise<T>,
    asking: boolean,
  ) {
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
      const confirmed = this.#driver()
        .call('WAIT', replicas, waitMs)
        .then(Number, () => null);
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
    const driver = this.#driver();
    if (this.#asking) driver.call('ASKING').catch(() => undefined);
    return asBytes ? driver.callBuffer(command, [...words]) : driver.call(command, [...words]);
  }
}

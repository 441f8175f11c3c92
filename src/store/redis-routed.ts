import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'ioredis';
import { StoreUnavailable } from './fault.ts';
import { Redirected } from './redis-fault.ts';
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
import type { RedisManner } from './redis-server-driver.ts';
import { StandaloneConnection } from './redis-standalone.ts';
import type { Script } from './script.ts';

/**
 * Knows which of several servers has a key now. Shared by the connections that were made for one
 * purpose.
 */
export interface Directory {
  /** Different keys may be on different servers at one time. */
  readonly spreadsKeys: boolean;
  /** Resolves once something is known; throws `StoreUnavailable` when nothing can be. */
  known(): Promise<void>;
  /** As it is known now. Null = any server. Throws `StoreUnavailable` when nobody has the key. */
  serverFor(key: string | null): RedisAddress;
  /** A server has told where the key's slot is now. */
  moved(redirect: Redirected, by: RedisAddress): void;
  /** Something failed that may mean that another server has the keys now. Never throws. */
  lookAgain(): Promise<void>;
  /** Called with all servers in use whenever they change. Answers how to stop that. */
  onChange(listener: (inUse: readonly RedisAddress[]) => void): () => void;
  close(): void;
}

/** A command is sent on to another server at most so often. */
const MAX_REDIRECTS = 5;
/** Between two looks while nothing can be reached, and how long one server may take then. */
const READY = { pauseMs: 50, perServerMs: 500 } as const;
/** Reads that cannot be made in one step are repeated when a write came between. */
const APART_TRIES = 3;

/** Answers after which the keys may be somewhere else. */
const POINTS_ELSEWHERE: ReadonlySet<string> = new Set([
  'READONLY',
  'MASTERDOWN',
  'CLUSTERDOWN',
  'UNBLOCKED',
  'LOADING',
  'MOVED',
]);

/**
 * A connection to several servers that work as one. Each command goes to the server that the
 * directory names; nothing is repeated unless the server said that it has not done it.
 */
export class RoutedConnection implements RedisConnection {
  readonly #directory: Directory;
  readonly #ownsDirectory: boolean;
  readonly #manner: RedisManner;
  readonly #stopListening: () => void;
  /** By address. As many as the directory names, and those just out of use. */
  readonly #nodes = new Map<string, StandaloneConnection>();
  #closed = false;

  get spreadsKeys(): boolean {
    return this.#directory.spreadsKeys;
  }

  constructor(directory: Directory, manner: RedisManner, ownsDirectory = true) {
    this.#directory = directory;
    this.#manner = manner;
    this.#ownsDirectory = ownsDirectory;
    this.#stopListening = directory.onChange((inUse) =>
      this.#retire(new Set(inUse.map(addressText))),
    );
  }

  async call(command: string, ...words: readonly RedisWord[]): Promise<unknown> {
    const key = firstKey(command, words);
    if (key === null)
      throw new TypeError(
        `${command} names no key, so it is not clear which server is meant: use callAt`,
      );
    return this.callAt(key, command, ...words);
  }

  callAt(key: string, command: string, ...words: readonly RedisWord[]): Promise<unknown> {
    return this.#routed(key, (node) => node.call(command, ...words));
  }

  async pipeline(commands: readonly RedisCommand[]): Promise<unknown[]> {
    const groups = await this.#byServer(commands);
    const replies: unknown[] = [];
    const send = async ({ start, places }: Group) => {
      const answers = await this.#pipelineAt(
        start,
        places.map((place) => commands[place]!),
      );
      for (const [index, place] of places.entries()) replies[place] = answers[index];
    };
    await Promise.all(groups.map(send));
    return replies;
  }

  /**
   * Looked up at one moment for all: commands on keys of one slot must not be torn apart by news
   * that arrives between them.
   */
  async #byServer(commands: readonly RedisCommand[]): Promise<readonly Group[]> {
    await this.#directory.known();
    const groups = new Map<string, Group>();
    let start = this.#directory.serverFor(null);
    for (const [place, [command, ...words]] of commands.entries()) {
      const key = firstKey(command, words);
      if (key !== null) start = this.#directory.serverFor(key);
      const text = addressText(start);
      const group = groups.get(text) ?? { start, places: [] };
      groups.set(text, group);
      group.places.push(place);
    }
    return [...groups.values()];
  }

  async #pipelineAt(start: RedisAddress, commands: readonly RedisCommand[]): Promise<unknown[]> {
    try {
      return await this.#follow(start, (node) => node.pipeline(commands), false);
    } catch (fault) {
      if (!(fault instanceof Redirected && fault.once)) throw fault;
      return this.#oneByOne(start, commands);
    }
  }

  async readTogether(
    keys: readonly string[],
    commands: readonly RedisCommand[],
  ): Promise<unknown[]> {
    try {
      return await this.#routed(keys[0] ?? null, (node) => node.readTogether(keys, commands));
    } catch (fault) {
      if (!(fault instanceof StoreUnavailable && fault.code === 'TRYAGAIN')) throw fault;
      return this.#readApart(commands, fault);
    }
  }

  run(script: Script, keys: readonly string[], words: readonly RedisWord[]): Promise<unknown> {
    return this.#routed(keys[0] ?? null, (node) => node.run(script, keys, words));
  }

  runConfirmed(
    script: Script,
    keys: readonly string[],
    words: readonly RedisWord[],
    wait: ReplicaWait,
  ): Promise<Confirmed> {
    return this.#routed(keys[0] ?? null, (node) => node.runConfirmed(script, keys, words, wait));
  }

  forBlocking(name: string, blockMs: number): RedisConnection {
    return new RoutedConnection(
      this.#directory,
      { ...this.#manner, name, blockMs, meter: undefined },
      false,
    );
  }

  async ready(deadlineMs: number): Promise<void> {
    const endMs = performance.now() + deadlineMs;
    for (;;) {
      try {
        await this.#directory.known();
        const address = this.#directory.serverFor(null);
        return await this.#node(address).ready(
          Math.max(1, Math.min(READY.perServerMs, endMs - performance.now())),
        );
      } catch (fault) {
        const forbidden = fault instanceof StoreUnavailable && fault.why === 'forbidden';
        if (forbidden || this.#closed || performance.now() + READY.pauseMs > endMs) throw fault;
        await this.#directory.lookAgain();
        await sleep(READY.pauseMs);
      }
    }
  }

  cut(): void {
    for (const node of this.#nodes.values()) node.cut();
  }

  close(): void {
    this.#closed = true;
    this.#stopListening();
    for (const node of this.#nodes.values()) node.close();
    if (this.#ownsDirectory) this.#directory.close();
  }

  async #routed<T>(key: string | null, work: (node: RedisCommands) => Promise<T>): Promise<T> {
    await this.#directory.known();
    return this.#follow(this.#directory.serverFor(key), work);
  }

  /** Does the work at a server, or where that one says that it is to be done. */
  async #follow<T>(
    start: RedisAddress,
    work: (node: RedisCommands) => Promise<T>,
    followOnce = true,
  ): Promise<T> {
    const endMs = performance.now() + this.#manner.commandTimeoutMs + this.#manner.blockMs;
    let at = start;
    let asking = false;
    for (let redirects = 0; ; redirects += 1) {
      const node = this.#node(at);
      try {
        return await work(asking ? node.asking : node);
      } catch (fault) {
        if (!(fault instanceof Redirected)) {
          this.#lookAgainAfter(fault);
          throw fault;
        }
        if (!fault.once) this.#directory.moved(fault, at);
        if ((fault.once && !followOnce) || redirects === MAX_REDIRECTS || performance.now() > endMs)
          throw fault;
        at = { host: fault.host === '' ? at.host : fault.host, port: fault.port };
        asking = fault.once;
      }
    }
  }

  /**
   * Keys of the pipeline are on their way to another server, some here and some there already. Each
   * command begins at the server that has the slot, and none is sent before the one ahead of it is
   * answered, so the order holds.
   */
  async #oneByOne(start: RedisAddress, commands: readonly RedisCommand[]): Promise<unknown[]> {
    const replies: unknown[] = [];
    for (const [command, ...words] of commands)
      replies.push(await this.#follow(start, (node) => node.call(command, ...words)));
    return replies;
  }

  /**
   * No server has all the keys while their slot is on its way. The first read, the same before and
   * after the others, proves that nothing was written between.
   */
  async #readApart(commands: readonly RedisCommand[], fault: StoreUnavailable): Promise<unknown[]> {
    const [[command, ...words], ...others] = commands as [RedisCommand, ...RedisCommand[]];
    for (let attempt = 0; attempt < APART_TRIES; attempt += 1) {
      const before = await this.call(command, ...words);
      const replies = await Promise.all(
        others.map(([other, ...otherWords]) => this.call(other, ...otherWords)),
      );
      const after = await this.call(command, ...words);
      if (JSON.stringify(before) === JSON.stringify(after)) return [before, ...replies];
    }
    throw fault;
  }

  #lookAgainAfter(fault: unknown): void {
    if (!(fault instanceof StoreUnavailable)) return;
    if (fault.why === 'unreachable' || POINTS_ELSEWHERE.has(fault.code ?? ''))
      void this.#directory.lookAgain();
  }

  #node(address: RedisAddress): StandaloneConnection {
    if (this.#closed)
      throw new StoreUnavailable(
        'unreachable',
        null,
        'Redis cannot be reached (the connection is closed)',
      );
    const text = addressText(address);
    let node = this.#nodes.get(text);
    if (node === undefined) {
      node = new StandaloneConnection(address, this.#manner);
      this.#nodes.set(text, node);
    }
    return node;
  }

  /**
   * What is out of use is cut after the time that a command under way may still take: a wait on a
   * server that has lost its role would never end.
   */
  #retire(inUse: ReadonlySet<string>): void {
    for (const [text, node] of this.#nodes) {
      if (inUse.has(text)) continue;
      this.#nodes.delete(text);
      setTimeout(() => node.close(), this.#manner.commandTimeoutMs);
    }
  }
}

interface Group {
  readonly start: RedisAddress;
  /** Where its commands stand among all. */
  readonly places: number[];
}

function firstKey(command: string, words: readonly RedisWord[]): string | null {
  const [key] = new Command(command, [...words]).getKeys();
  return key === undefined ? null : String(key);
}

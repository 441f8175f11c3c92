import type { Script } from './script.ts';

/**
 * What can be asked of one Redis or of several that work as one. Everything throws
 * `StoreUnavailable`.
 */
export interface RedisCommands {
  /**
   * One command that names a key, sent once: at the latest after the command timeout it is answered
   * or has failed (where servers are looked for, after twice that).
   */
  call(command: string, ...words: readonly RedisWord[]): Promise<unknown>;
  /**
   * Commands sent together: all replies, or the first error. Those on keys of one hash tag are
   * carried out in this order by one server, though not as one step; a command without a key goes
   * with the one before it. On a Cluster whose slots are moving they may be carried out twice, so
   * send only what can bear it.
   */
  pipeline(commands: readonly RedisCommand[]): Promise<unknown[]>;
  /**
   * Reads of one moment: no write can come between them. `keys` are all keys that the commands
   * name. The first command reads something that every write of the others changes (the registry's
   * position): it proves the moment where the server cannot read all in one step.
   */
  readTogether(keys: readonly string[], commands: readonly RedisCommand[]): Promise<unknown[]>;
  /**
   * Runs a script by its digest, sending its text only to a server that does not know it yet.
   * `keys` are in one slot.
   */
  run(script: Script, keys: readonly string[], words: readonly RedisWord[]): Promise<unknown>;
  /**
   * Runs a script that writes, and counts the replicas that have got what it wrote, over one
   * connection: asked over another one (also the same, lost and come back meanwhile), Redis counts
   * replicas that have all of what that other one wrote, which is nothing.
   */
  runConfirmed(
    script: Script,
    keys: readonly string[],
    words: readonly RedisWord[],
    wait: ReplicaWait,
  ): Promise<Confirmed>;
}

export interface ReplicaWait {
  readonly replicas: number;
  /** Below the command timeout. */
  readonly waitMs: number;
}

export interface Confirmed {
  readonly reply: unknown;
  /** Null: the script has run, and how many replicas have it is not known. */
  readonly replicas: number | null;
}

/**
 * The one way to Redis. Everything above speaks through this, a few functions wide, so that no
 * caller knows whether it talks to one server, to the primary that sentinels name, or to a Cluster.
 */
export interface RedisConnection extends RedisCommands {
  /**
   * Keys lie on different servers (a Cluster): a script may name only such as have one hash tag in
   * common.
   */
  readonly spreadsKeys: boolean;
  /**
   * A command that names no key, about the server that holds this one and over the connection that
   * writes it: WAIT, INFO, TIME.
   */
  callAt(key: string, command: string, ...words: readonly RedisWord[]): Promise<unknown>;
  /**
   * Another connection to the same servers for reads that wait up to `blockMs` on the server's
   * side.
   */
  forBlocking(name: string, blockMs: number): RedisConnection;
  /** Resolves once commands can be sent; throws `StoreUnavailable` after `deadlineMs`. */
  ready(deadlineMs: number): Promise<void>;
  /** Drops the connection and makes it anew. Commands under way fail at once. */
  cut(): void;
  /** Drops the connection. Commands under way fail. */
  close(): void;
}

export type RedisWord = string | number | Buffer;
export type RedisCommand = readonly [command: string, ...words: (string | number)[]];

/** What becomes of commands, for whoever counts. Must not throw. */
export interface CommandMeter {
  /** A connection to a server serves from now on; `connected`: whether it stands. */
  join(connection: { readonly connected: boolean }): void;
  leave(connection: { readonly connected: boolean }): void;
  /** A command was carried out, and answered after so long. */
  answered(tookMs: number): void;
  /** A command got no reply in its time, or could not be sent. */
  unanswered(): void;
}

export interface RedisTls {
  /** PEM texts. `ca` null: the system's. */
  readonly ca: string | null;
  readonly serverName: string | null;
  readonly certificate: string | null;
  readonly key: string | null;
  /**
   * False only when the operator said so: then anyone on the way can read and change the registry.
   */
  readonly verify: boolean;
}

export interface RedisAddress {
  readonly host: string;
  readonly port: number;
}

export interface RedisUser {
  readonly username: string | null;
  readonly password: string | null;
}

export function addressText({ host, port }: RedisAddress): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

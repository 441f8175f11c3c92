import { StoreUnavailable } from '../../src/store/fault.ts';
import type { Confirmed, RedisCommand, RedisConnection, RedisWord } from '../../src/store/redis.ts';
import type { Script } from '../../src/store/script.ts';
import { noReplicas, SimDatabase } from './sim-database.ts';
import type { Process, World } from './world.ts';

interface Waiter {
  readonly seq: number;
  readonly key: string;
  wake(reply: unknown): void;
}

/** How many writes a failover may lose at most. */
const COPIES = 12;

/**
 * One server. `isolated`: it has lost its replicas and refuses writes (min-replicas-to-write),
 * while it still answers reads.
 */
export class SimServer {
  readonly #world: World;
  database: SimDatabase;
  state: 'primary' | 'isolated' | 'dead' = 'primary';
  readonly #copies: SimDatabase[] = [];
  readonly #keepsCopies: boolean;
  readonly waiters = new Set<Waiter>();
  /** How far its wall clock, by which keys expire, is ahead of the time that passes. */
  clockAheadMs = 0;

  constructor(world: World, database: SimDatabase, keepsCopies: boolean) {
    this.#world = world;
    this.database = database;
    this.#keepsCopies = keepsCopies;
  }

  /** The server that takes over, without the last `lost` writes. */
  successor(lost: number): SimServer {
    const database =
      lost === 0 ? this.database : (this.#copies.at(-lost) ?? this.#copies[0] ?? this.database);
    const next = new SimServer(this.#world, database.copy(), this.#keepsCopies);
    next.clockAheadMs = this.clockAheadMs;
    return next;
  }

  command(words: RedisCommand): unknown {
    if (SimDatabase.writes(words[0])) this.#beforeWrite();
    return this.database.command(this.#world.nowMs + this.clockAheadMs, words);
  }

  script(script: Script, keys: readonly string[], words: readonly (string | number)[]): unknown {
    this.#beforeWrite();
    const answer = this.database.script(this.#world.nowMs + this.clockAheadMs, script, keys, words);
    for (const waiter of [...this.waiters]) {
      const entries = this.database.entriesAfter(waiter.key, waiter.seq);
      if (entries.length > 0) waiter.wake([[waiter.key, entries]]);
    }
    return answer;
  }

  #beforeWrite(): void {
    if (this.state === 'isolated') throw noReplicas();
    if (!this.#keepsCopies) return;
    this.#copies.push(this.database.copy());
    if (this.#copies.length > COPIES) this.#copies.shift();
  }
}

/** The path between a process and the servers. */
export class Link {
  server: SimServer;
  /** Nothing passes in this direction. */
  cutThere = false;
  cutBack = false;
  latencyMs = { least: 0.2, most: 2 };
  readonly held: (() => void)[] = [];

  constructor(server: SimServer) {
    this.server = server;
  }

  heal(): void {
    this.cutThere = false;
    this.cutBack = false;
    this.latencyMs = { least: 0.2, most: 2 };
    for (const deliver of this.held.splice(0)) deliver();
  }
}

/**
 * A connection with one order of messages in each direction, as TCP keeps it. What a cut holds back
 * is lost or comes late.
 */
export class SimConnection implements RedisConnection {
  readonly spreadsKeys = false;
  readonly #world: World;
  readonly #process: Process;
  readonly #link: Link;
  readonly #timeoutMs: number;
  #lastThereMs = 0;
  #lastBackMs = 0;
  #closed = false;

  constructor(world: World, process: Process, link: Link, timeoutMs: number) {
    this.#world = world;
    this.#process = process;
    this.#link = link;
    this.#timeoutMs = timeoutMs;
  }

  call(command: string, ...words: readonly RedisWord[]): Promise<unknown> {
    if (command === 'XREAD') return this.#blockingRead(words);
    return this.#exchange((server) => server.command([command, ...(words as (string | number)[])]));
  }

  callAt(_key: string, command: string, ...words: readonly RedisWord[]): Promise<unknown> {
    if (command === 'INFO')
      return this.#exchange((server) => (server.state === 'primary' ? this.info : ''));
    return this.call(command, ...words);
  }

  /** What INFO says of replication. */
  info = 'role:master\r\nconnected_slaves:0\r\nrepl_backlog_active:0';

  pipeline(commands: readonly RedisCommand[]): Promise<unknown[]> {
    return this.#exchange((server) => {
      const replies = commands.map((words) => {
        try {
          return server.command(words);
        } catch (fault) {
          return fault;
        }
      });
      const fault = replies.find((reply) => reply instanceof Error);
      if (fault !== undefined) throw fault;
      return replies;
    }) as Promise<unknown[]>;
  }

  readTogether(_keys: readonly string[], commands: readonly RedisCommand[]): Promise<unknown[]> {
    return this.#exchange((server) => commands.map((words) => server.command(words))) as Promise<
      unknown[]
    >;
  }

  run(script: Script, keys: readonly string[], words: readonly RedisWord[]): Promise<unknown> {
    return this.#exchange((server) => server.script(script, keys, words as (string | number)[]));
  }

  /**
   * There are no replicas to wait for in these worlds: what a failover loses is chosen by the seed.
   */
  async runConfirmed(
    script: Script,
    keys: readonly string[],
    words: readonly RedisWord[],
  ): Promise<Confirmed> {
    return { reply: await this.run(script, keys, words), replicas: 0 };
  }

  forBlocking(_name: string, blockMs: number): RedisConnection {
    return new SimConnection(this.#world, this.#process, this.#link, this.#timeoutMs + blockMs);
  }

  async ready(): Promise<void> {}

  cut(): void {}

  close(): void {
    this.#closed = true;
  }

  #blockingRead(words: readonly RedisWord[]): Promise<unknown> {
    const texts = words.map(String);
    const blockMs = Number(texts[texts.indexOf('BLOCK') + 1]);
    const key = texts.at(-2)!;
    const seq = Number.parseInt(texts.at(-1)!, 10);
    return this.#exchange((server, reply) => {
      const entries = server.database.entriesAfter(key, seq);
      if (entries.length > 0) return [[key, entries]];
      const waiter: Waiter = {
        seq,
        key,
        wake: (answer) => {
          if (server.waiters.delete(waiter)) reply(answer);
        },
      };
      server.waiters.add(waiter);
      this.#world.after(blockMs, () => waiter.wake(null));
      return LATER;
    });
  }

  #exchange(
    act: (server: SimServer, reply: (answer: unknown) => void) => unknown,
  ): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#closed) reject(unreachable());
      let open = true;
      const close = (settle: () => void): undefined | false => {
        if (!open) return false;
        open = false;
        settle();
        return undefined;
      };
      this.#world.after(this.#timeoutMs, () => close(() => reject(unreachable())), this.#process);
      const { server } = this.#link;
      const answer = (settle: () => void) => this.#pass('back', () => close(settle), server);
      this.#pass(
        'there',
        () => {
          try {
            const reply = act(server, (late) => answer(() => resolve(late)));
            if (reply !== LATER) answer(() => resolve(reply));
          } catch (fault) {
            answer(() => reject(fault as Error));
          }
        },
        server,
      );
    });
  }

  #pass(direction: 'there' | 'back', deliver: () => unknown, server: SimServer): void {
    const link = this.#link;
    // What comes back waits while the process is stopped; what goes there is on its way.
    const owner = direction === 'back' ? this.#process : null;
    const last = direction === 'there' ? this.#lastThereMs : this.#lastBackMs;
    const atMs = Math.max(
      last,
      this.#world.nowMs + this.#world.between(link.latencyMs.least, link.latencyMs.most),
    );
    if (direction === 'there') this.#lastThereMs = atMs;
    else this.#lastBackMs = atMs;
    const arrive = (): undefined | false => {
      if (server.state === 'dead') return false;
      return deliver() === false ? false : undefined;
    };
    const pass = (): undefined | false => {
      if (!(direction === 'there' ? link.cutThere : link.cutBack)) return arrive();
      if (this.#world.chance(0.5)) link.held.push(() => this.#world.after(0, arrive, owner));
      return false;
    };
    this.#world.after(atMs - this.#world.nowMs, pass, owner);
  }
}

const LATER = Symbol('answered later');

function unreachable(): StoreUnavailable {
  return new StoreUnavailable('unreachable', null, 'no answer in time');
}

import { StoreUnavailable } from './fault.ts';
import { classify, type Redirected } from './redis-fault.ts';
import { SharedLook } from './redis-look.ts';
import { addressText, type RedisAddress } from './redis-port.ts';
import type { Directory } from './redis-routed.ts';
import type { RedisManner } from './redis-server-driver.ts';
import { SLOTS, slotOf } from './redis-slot.ts';
import { StandaloneConnection } from './redis-standalone.ts';

/** How long one server may take to say who has which slots. */
const COMMAND_TIMEOUT_MS = 500;
/**
 * Servers asked at once; the first that answers is believed until a command shows that it was
 * wrong.
 */
const ASKED_AT_ONCE = 3;
/** Servers that are remembered for the next look. */
const MAX_SERVERS = 128;

/** The primaries of a Cluster, by slot. */
export class ClusterDirectory implements Directory {
  readonly spreadsKeys = true;
  readonly #seeds: readonly RedisAddress[];
  readonly #manner: RedisManner;
  readonly #look: SharedLook;
  readonly #listeners = new Set<(inUse: readonly RedisAddress[]) => void>();
  /** By slot; empty until the first answer. */
  #owners: (RedisAddress | undefined)[] = [];
  /** Primaries and replicas of the last answer. */
  #servers: readonly RedisAddress[] = [];
  /**
   * Where the next look begins: another server each time, because one that is cut off answers with
   * what it knew.
   */
  #next = 0;
  #fault: StoreUnavailable | null = null;

  constructor(seeds: readonly RedisAddress[], manner: RedisManner) {
    this.#seeds = seeds;
    this.#manner = {
      ...manner,
      name: `${manner.name}:slots`,
      commandTimeoutMs: COMMAND_TIMEOUT_MS,
      blockMs: 0,
    };
    this.#look = new SharedLook(() => this.#ask());
  }

  async known(): Promise<void> {
    if (this.#owners.length === 0) await this.#look.now();
    if (this.#owners.length > 0) return;
    throw (
      this.#fault ??
      new StoreUnavailable('unreachable', null, 'no server of the cluster has answered yet')
    );
  }

  serverFor(key: string | null): RedisAddress {
    const owner =
      key === null ? this.#owners.find((one) => one !== undefined) : this.#owners[slotOf(key)];
    if (owner !== undefined) return owner;
    void this.#look.now();
    throw new StoreUnavailable(
      'refused',
      'CLUSTERDOWN',
      'no server of the cluster serves this part of the keys',
    );
  }

  moved(redirect: Redirected, by: RedisAddress): void {
    this.#owners[redirect.slot] = {
      host: redirect.host === '' ? by.host : redirect.host,
      port: redirect.port,
    };
    void this.#look.now();
  }

  lookAgain(): Promise<void> {
    return this.#look.now();
  }

  onChange(listener: (inUse: readonly RedisAddress[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close(): void {
    this.#look.close();
  }

  async #ask(): Promise<void> {
    const candidates = this.#candidates();
    const faults: StoreUnavailable[] = [];
    for (let begin = 0; begin < candidates.length; begin += ASKED_AT_ONCE) {
      const asked = candidates.slice(begin, begin + ASKED_AT_ONCE);
      try {
        this.#learn(await Promise.any(asked.map((address) => this.#slotsFrom(address))));
        return;
      } catch (fault) {
        const all = fault instanceof AggregateError ? fault.errors : [fault];
        faults.push(...all.map((one) => classify(one)));
      }
    }
    this.#fault = faults.find((fault) => fault.why !== 'unreachable') ?? faults[0] ?? null;
  }

  #candidates(): readonly RedisAddress[] {
    const all = [
      ...new Map(
        [...this.#servers, ...this.#seeds].map((address) => [addressText(address), address]),
      ).values(),
    ];
    this.#next += 1;
    const begin = this.#next % all.length;
    return [...all.slice(begin), ...all.slice(0, begin)].slice(0, MAX_SERVERS);
  }

  async #slotsFrom(address: RedisAddress): Promise<readonly SlotRange[]> {
    const connection = new StandaloneConnection(address, this.#manner);
    try {
      return rangesFrom(await connection.call('CLUSTER', 'SLOTS'), address);
    } catch (fault) {
      if (!(fault instanceof StoreUnavailable && fault.code === 'ERR')) throw fault;
      throw new StoreUnavailable(
        'refused',
        'ERR',
        `the Redis at ${addressText(address)} is not part of a Cluster`,
      );
    } finally {
      connection.close();
    }
  }

  #learn(ranges: readonly SlotRange[]): void {
    const owners = new Array<RedisAddress | undefined>(SLOTS);
    for (const { first, last, servers } of ranges) owners.fill(servers[0], first, last + 1);
    this.#owners = owners;
    this.#servers = ranges.flatMap(({ servers }) => servers).slice(0, MAX_SERVERS);
    const primaries = ranges.flatMap(({ servers }) => servers.slice(0, 1));
    for (const listener of this.#listeners) listener(primaries);
  }
}

interface SlotRange {
  readonly first: number;
  readonly last: number;
  /** The primary, then its replicas. */
  readonly servers: readonly RedisAddress[];
}

type SlotsReply = readonly [
  first: number,
  last: number,
  ...servers: (readonly [host: string | null, port: number])[],
][];

/**
 * A server that knows no name of its own leaves its host empty: it is the one that we have asked.
 */
function rangesFrom(reply: unknown, asked: RedisAddress): readonly SlotRange[] {
  const ranges = (reply as SlotsReply).map(([first, last, ...servers]) => ({
    first,
    last,
    servers: servers
      .filter(([host]) => host !== '?')
      .map(([host, port]) => ({ host: host === null || host === '' ? asked.host : host, port })),
  }));
  if (ranges.length > 0) return ranges;
  throw new StoreUnavailable(
    'refused',
    'CLUSTERDOWN',
    `no slots are assigned in the cluster of ${addressText(asked)}`,
  );
}

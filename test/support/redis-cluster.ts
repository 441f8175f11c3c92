import { freePort } from './free-port.ts';
import {
  allowReplication,
  asAdmin,
  askUntil,
  blockReplication,
  infoOf,
  type RedisAdmin,
  until,
} from './redis-replication.ts';
import { type RedisOptions, type RedisServer, startRedis } from './redis-server.ts';

export interface ClusterOptions extends RedisOptions {
  /** A user of the ACL file who may do everything. */
  readonly admin?: RedisAdmin;
  /** After how long of silence a node is taken for failed. Default 2,000. */
  readonly nodeTimeoutMs?: number;
}

/** Three primaries and a replica of each, on free ports of the loopback. */
export interface RedisCluster {
  readonly addresses: readonly { readonly host: string; readonly port: number }[];
  readonly nodes: readonly RedisServer[];
  /** The primary that has a slot now. */
  ownerOf(slot: number): Promise<RedisServer>;
  replicaOf(primary: RedisServer): Promise<RedisServer>;
  /** Has the replica take over from its living primary, without losing anything. */
  failover(primary: RedisServer): Promise<RedisServer>;
  /**
   * What the primary accepts from now on reaches no replica: whatever is written before `kill` is
   * lost by the failover.
   */
  loseTail(slot: number): Promise<{ readonly primary: RedisServer; readonly replica: RedisServer }>;
  /**
   * Moves a slot to another primary key by key, as a reshard does. `pace` is awaited after each
   * key.
   */
  migrate(
    slot: number,
    pace?: (moved: number, left: number) => Promise<void>,
  ): Promise<RedisServer>;
  /** Resolves once another node has the slot, and the cluster serves it. */
  ownerOtherThan(slot: number, former: RedisServer): Promise<RedisServer>;
  stop(): Promise<void>;
}

const PRIMARIES = 3;
const NODES = 6;
const SLOTS = 16_384;
/** While they form: nodes ask one another more often, and wait less until they serve. */
const FORMING_MS = 1_000;
const NODE_TIMEOUT_MS = 2_000;

/** Bounded: throws when it is not there within 40 s for each step. */
export async function startCluster(options: ClusterOptions = {}): Promise<RedisCluster> {
  const cluster = new LocalCluster(options);
  try {
    await cluster.start();
    return cluster;
  } catch (fault) {
    await cluster.stop();
    throw fault;
  }
}

interface NodeLine {
  readonly id: string;
  readonly port: number;
  readonly flags: readonly string[];
  readonly primaryId: string;
  readonly slots: readonly string[];
}

class LocalCluster implements RedisCluster {
  readonly #options: ClusterOptions;
  readonly #admin: RedisAdmin;
  readonly nodes: RedisServer[] = [];

  constructor(options: ClusterOptions) {
    this.#options = options;
    this.#admin = options.admin ?? null;
  }

  get addresses() {
    return this.nodes.map(({ port }) => ({ host: '127.0.0.1', port }));
  }

  async start(): Promise<void> {
    const busPorts: number[] = [];
    for (let index = 0; index < NODES; index += 1) {
      const busPort = await freePort();
      busPorts.push(busPort);
      this.nodes.push(await startRedis({ ...this.#options, config: this.#configOf(busPort) }));
    }
    for (const [index, node] of this.nodes.entries()) {
      await allowReplication(node, this.#admin);
      await this.#as(node, (root) => root.call('CLUSTER', 'SET-CONFIG-EPOCH', index + 1));
    }
    for (let index = 0; index < PRIMARIES; index += 1) {
      const [first, last] = [
        Math.floor((SLOTS * index) / PRIMARIES),
        Math.floor((SLOTS * (index + 1)) / PRIMARIES) - 1,
      ];
      await this.#as(this.nodes[index]!, (root) =>
        root.call('CLUSTER', 'ADDSLOTSRANGE', first, last),
      );
    }
    await this.#meet(busPorts);
    await this.#everywhere(
      'all nodes know each other',
      (lines) => lines.length === NODES && lines.every(isSettled),
    );
    for (let index = PRIMARIES; index < NODES; index += 1) {
      const primaryId = (await this.#linesOf(this.nodes[index - PRIMARIES]!)).find(isMyself)!.id;
      await this.#as(this.nodes[index]!, (root) => root.call('CLUSTER', 'REPLICATE', primaryId));
    }
    await this.#everywhere(
      'each primary has a replica',
      (lines) => lines.filter(isReplica).length === NODES - PRIMARIES,
    );
    const timeoutMs = this.#options.nodeTimeoutMs ?? NODE_TIMEOUT_MS;
    for (const node of this.nodes) await until('the cluster serves', () => this.#serves(node));
    for (const node of this.nodes.slice(PRIMARIES)) {
      await until('the replica follows', () =>
        this.#as(node, async (root) => /master_link_status:up/.test(await infoOf(root))),
      );
    }
    for (const node of this.nodes) {
      await this.#as(node, async (root) => {
        await root.call('CONFIG', 'SET', 'cluster-node-timeout', timeoutMs);
        await root.call('CONFIG', 'SET', 'cluster-replica-no-failover', 'no');
      });
    }
  }

  /**
   * A node that does not answer an introduction in time is forgotten, so it is introduced again.
   */
  async #meet(busPorts: readonly number[]): Promise<void> {
    const [first] = this.nodes;
    for (const [index, node] of this.nodes.entries()) {
      await until(`node ${index} is introduced`, async () => {
        const lines = await this.#linesOf(first!);
        if (lines.some((line) => isOf(line, node) && isSettled(line))) return true;
        const known = lines.some((line) => isOf(line, node));
        const port = node.tlsPort ?? node.port;
        if (!known)
          await this.#as(first!, (root) =>
            root.call('CLUSTER', 'MEET', '127.0.0.1', port, busPorts[index]!),
          );
        return false;
      });
    }
  }

  #configOf(busPort: number): readonly string[] {
    // Until all is in place nobody takes over from anybody, however slow the machine is.
    const cluster = [
      '--cluster-replica-no-failover',
      'yes',
      '--cluster-enabled',
      'yes',
      '--cluster-port',
      String(busPort),
      '--cluster-node-timeout',
      String(FORMING_MS),
    ];
    const tls =
      this.#options.certificates === undefined
        ? []
        : ['--tls-cluster', 'yes', '--tls-replication', 'yes'];
    return [...(this.#options.config ?? []), ...cluster, ...tls];
  }

  async ownerOf(slot: number): Promise<RedisServer> {
    for (const node of this.nodes) {
      const lines = await this.#linesOf(node).catch(() => null);
      const owner = lines?.find(
        (line) => !line.flags.includes('fail') && line.slots.some((range) => holds(range, slot)),
      );
      if (owner !== undefined) return this.#byPort(owner.port);
    }
    throw new Error(`nobody has slot ${slot}`);
  }

  async replicaOf(primary: RedisServer): Promise<RedisServer> {
    const lines = await this.#linesOf(primary);
    const { id } = lines.find(isMyself)!;
    const replica = lines.find((line) => line.primaryId === id);
    if (replica === undefined) throw new Error('the primary has no replica');
    return this.#byPort(replica.port);
  }

  async failover(primary: RedisServer): Promise<RedisServer> {
    const replica = await this.replicaOf(primary);
    await askUntil(
      'the replica has taken over',
      async () => (await this.#linesOf(replica)).some((line) => isMyself(line) && !isReplica(line)),
      () => this.#as(replica, (root) => root.call('CLUSTER', 'FAILOVER')),
    );
    await this.#everywhere('everybody knows that the replica has taken over', (lines) =>
      lines.some((line) => isOf(line, replica) && !isReplica(line) && line.slots.length > 0),
    );
    return replica;
  }

  async loseTail(slot: number) {
    const primary = await this.ownerOf(slot);
    const replica = await this.replicaOf(primary);
    await blockReplication(primary, this.#admin);
    return { primary, replica };
  }

  async migrate(
    slot: number,
    pace: (moved: number, left: number) => Promise<void> = async () => {},
  ): Promise<RedisServer> {
    const from = await this.ownerOf(slot);
    const lines = await this.#linesOf(from);
    const target = lines.find(
      (line) => !isOf(line, from) && line.slots.length > 0 && !line.flags.includes('fail'),
    )!;
    const source = lines.find(isMyself)!;
    const to = this.#byPort(target.port);
    await this.#as(to, (root) => root.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', source.id));
    await this.#as(from, async (root) => {
      await root.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', target.id);
      const auth =
        this.#admin === null ? [] : ['AUTH2', this.#admin.username, this.#admin.password];
      for (let moved = 0; ; moved += 1) {
        const [key] = (await root.call('CLUSTER', 'GETKEYSINSLOT', slot, 1)) as string[];
        const left = Number(await root.call('CLUSTER', 'COUNTKEYSINSLOT', slot));
        if (key === undefined) break;
        await pace(moved, left);
        await root.call('MIGRATE', '127.0.0.1', to.port, key, 0, 5_000, ...auth);
      }
    });
    // The new owner first: between the two, the old one would send everybody to a node that knows
    // nothing yet.
    for (const node of [to, from])
      await this.#as(node, (root) => root.call('CLUSTER', 'SETSLOT', slot, 'NODE', target.id));
    return to;
  }

  async ownerOtherThan(slot: number, former: RedisServer): Promise<RedisServer> {
    let found: RedisServer | null = null;
    await until('another node has the slot', async () => {
      for (const node of this.nodes) {
        if (node === former) continue;
        const mine = (await this.#linesOf(node).catch(() => [])).find(isMyself);
        if (mine?.slots.some((range) => holds(range, slot)) && (await this.#serves(node)))
          found = node;
      }
      return found !== null;
    });
    return found!;
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop()));
  }

  async #everywhere(
    what: string,
    holdsFor: (lines: readonly NodeLine[]) => boolean,
  ): Promise<void> {
    for (const node of this.nodes)
      await until(what, async () => holdsFor(await this.#linesOf(node)));
  }

  async #serves(node: RedisServer): Promise<boolean> {
    return this.#as(node, async (root) =>
      /^cluster_state:ok\r$/m.test(String(await root.call('CLUSTER', 'INFO'))),
    );
  }

  async #linesOf(node: RedisServer): Promise<readonly NodeLine[]> {
    const text = String(await this.#as(node, (root) => root.call('CLUSTER', 'NODES')));
    return text.trim().split('\n').map(lineFrom);
  }

  #byPort(port: number): RedisServer {
    const found = this.nodes.find((node) => node.port === port || node.tlsPort === port);
    if (found === undefined) throw new Error(`port ${port} is none of ours`);
    return found;
  }

  #as<T>(node: RedisServer, work: Parameters<typeof asAdmin<T>>[2]): Promise<T> {
    return asAdmin(node, this.#admin, work);
  }
}

/** `id ip:port@busport flags primary ping pong epoch link slot slot-slot …` (CLUSTER NODES). */
function lineFrom(text: string): NodeLine {
  const [id = '', address = '', flags = '', primaryId = '', , , , , ...slots] = text
    .trim()
    .split(' ');
  const port = Number(/:([0-9]+)@/.exec(address)?.[1]);
  return {
    id,
    port,
    flags: flags.split(','),
    primaryId,
    slots: slots.filter((range) => !range.startsWith('[')),
  };
}

function holds(range: string, slot: number): boolean {
  const [first, last = first] = range.split('-').map(Number);
  return slot >= first! && slot <= last!;
}

/** Nodes that speak TLS are listed by that port. */
function isOf({ port }: NodeLine, server: RedisServer): boolean {
  return port === server.port || port === server.tlsPort;
}

function isMyself({ flags }: NodeLine): boolean {
  return flags.includes('myself');
}

function isReplica({ flags }: NodeLine): boolean {
  return flags.includes('slave');
}

function isSettled({ flags, port }: NodeLine): boolean {
  return port > 0 && !flags.includes('handshake') && !flags.includes('noaddr');
}

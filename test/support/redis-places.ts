import { connectRedis, type RedisConnection } from '../../src/store/redis.ts';
import { slotOf } from '../../src/store/redis-slot.ts';
import { startCluster } from './redis-cluster.ts';
import { asAdmin } from './redis-replication.ts';
import { PRIMARY_NAME, startSentinels } from './redis-sentinel.ts';
import { type RedisServer, startRedis } from './redis-server.ts';

/** Redis in one of the ways in which it can be configured, for suites that run over each. */
export interface RedisPlace {
  connect(name: string, commandTimeoutMs: number): RedisConnection;
  /** As it stands under `store` in a configuration file. */
  readonly config: Readonly<Record<string, unknown>>;
  /** The servers that take writes, while nothing fails over. */
  readonly primaries: readonly RedisServer[];
  /** The one that has the key. */
  holderOf(key: string): RedisServer;
  /** Forgets everything. */
  wipe(): Promise<void>;
  stop(): Promise<void>;
}

const ANYBODY = { username: null, password: null, tls: null } as const;
/** So long that nothing fails over when a suite freezes or restarts a server. */
const PATIENT_MS = 120_000;

export const REDIS_PLACES: Readonly<
  Record<'one server' | 'sentinels' | 'a cluster', () => Promise<RedisPlace>>
> = {
  'one server': async () => {
    const server = await startRedis({ appendOnly: 'unsynced' });
    return {
      connect: (name, commandTimeoutMs) =>
        connectRedis({ ...ANYBODY, url: server.url, name, commandTimeoutMs }),
      config: { kind: 'redis', url: server.url },
      ...over([server], () => server),
      stop: () => server.stop(),
    };
  },
  sentinels: async () => {
    const topology = await startSentinels({ appendOnly: 'unsynced', downAfterMs: PATIENT_MS });
    const sentinels = { ...ANYBODY, primary: PRIMARY_NAME, addresses: topology.addresses };
    const addresses = topology.addresses.map(({ host, port }) => `${host}:${port}`);
    return {
      connect: (name, commandTimeoutMs) =>
        connectRedis({
          ...ANYBODY,
          sentinels: { ...sentinels, tls: false },
          name,
          commandTimeoutMs,
        }),
      config: { kind: 'redis', sentinels: { name: PRIMARY_NAME, addresses } },
      ...over([topology.servers[0]], () => topology.servers[0]),
      stop: () => topology.stop(),
    };
  },
  'a cluster': async () => {
    const cluster = await startCluster({ appendOnly: 'unsynced', nodeTimeoutMs: PATIENT_MS });
    const primaries = cluster.nodes.slice(0, 3);
    const addresses = cluster.addresses.slice(0, 2);
    return {
      connect: (name, commandTimeoutMs) =>
        connectRedis({ ...ANYBODY, cluster: addresses, name, commandTimeoutMs }),
      config: { kind: 'redis', cluster: addresses.map(({ host, port }) => `${host}:${port}`) },
      ...over(primaries, (key) => primaries[Math.floor((slotOf(key) * 3) / 16_384)]!),
      stop: () => cluster.stop(),
    };
  },
};

function over(primaries: readonly RedisServer[], holderOf: (key: string) => RedisServer) {
  return {
    primaries,
    holderOf,
    wipe: async () => {
      for (const server of primaries) await asAdmin(server, null, (root) => root.call('FLUSHALL'));
    },
  };
}

import { join } from 'node:path';
import { type RedisCluster, startCluster } from '../redis-cluster.ts';
import { PRIMARY_NAME, type RedisSentinels, startSentinels } from '../redis-sentinel.ts';
import { type RedisServer, startRedis } from '../redis-server.ts';
import { primariesOf, type StoredEvent, storedInFile, storedInRedis } from './raw-record.ts';

export type AuditStore = 'Redis' | 'Sentinels' | 'Cluster' | 'embedded';

/** Where the record of a stage lies. Those of another kind are null. */
export interface StagedStore {
  readonly kind: AuditStore;
  readonly redis: RedisServer | null;
  readonly sentinels: RedisSentinels | null;
  readonly cluster: RedisCluster | null;
  /** A URL, or keys of `store`; null: the embedded one. */
  readonly address: string | Readonly<Record<string, unknown>> | null;
  /** All that it holds, read raw; of the embedded one, from the data folder at rest. */
  stored(dataDir: string): Promise<readonly StoredEvent[]>;
  stop(): Promise<void>;
}

const NONE = { redis: null, sentinels: null, cluster: null };
const textOf = ({ host, port }: { host: string; port: number }) => `${host}:${port}`;

export function openStore(kind: AuditStore): Promise<StagedStore> {
  return OPENED[kind]();
}

const OPENED: Readonly<Record<AuditStore, () => Promise<StagedStore>>> = {
  async Redis() {
    const redis = await startRedis({ appendOnly: true });
    const stored = () => storedInRedis(redis.port);
    const stop = () => redis.stop();
    return { ...NONE, kind: 'Redis', redis, address: redis.url, stored, stop };
  },
  async Sentinels() {
    const sentinels = await startSentinels({ appendOnly: true });
    const addresses = sentinels.addresses.map(textOf);
    return {
      ...NONE,
      kind: 'Sentinels',
      sentinels,
      address: { sentinels: { name: PRIMARY_NAME, addresses } },
      stored: async () => storedInRedis((await sentinels.primary()).port),
      stop: () => sentinels.stop(),
    };
  },
  async Cluster() {
    const cluster = await startCluster({ appendOnly: true });
    return {
      ...NONE,
      kind: 'Cluster',
      cluster,
      address: { cluster: cluster.addresses.map(textOf) },
      async stored() {
        const ports = await primariesOf(cluster.addresses.map(({ port }) => port));
        return (await Promise.all(ports.map(storedInRedis))).flat();
      },
      stop: () => cluster.stop(),
    };
  },
  async embedded() {
    const stored = async (dataDir: string) => storedInFile(join(dataDir, 'audit.db'));
    return { ...NONE, kind: 'embedded', address: null, stored, stop: async () => {} };
  },
};

import type { Clock } from '../clock.ts';
import type { Config, RedisStoreConfig } from '../config/schema.ts';
import { RedisPublished } from '../published/redis.ts';
import { RedisRegistryStore } from '../registry/redis/registry.ts';
import { ServedRegistry } from '../registry/served.ts';
import { RedisUsage } from '../stats/usage/redis.ts';
import { connectRedis, type RedisConnection } from '../store/redis.ts';
import { redisSettings } from './store-settings.ts';
import { lateReader, type OpenStores } from './stores-port.ts';

/** How long the first connection to Redis may take. */
const REDIS_READY_MS = 3_000;

/**
 * What the data folder has served, for who is not its gate: heeded where there is a marker, and
 * never written, because a command may be run where no gate keeps anything.
 */
function onlooker({ instance }: Config): ServedRegistry {
  return new ServedRegistry({ folder: instance.dataDir, store: 'redis', remembers: false });
}

/** A registry in Redis, and its record, which may be in another one. */
export async function openRedis(
  config: Config,
  redis: RedisStoreConfig,
  clock: Clock,
): Promise<OpenStores> {
  const connection = connectRedis(redisSettings(redis, 'sallyport-cli', clock));
  try {
    await connection.ready(REDIS_READY_MS);
  } catch (error) {
    connection.close();
    throw error;
  }
  const apart = config.audit.store;
  // Made when it is first asked for, in the background: an audit that is away keeps no command from
  // the registry.
  let forAudit: RedisConnection | null = null;
  const auditAt = () => {
    if (apart === null) return connection;
    forAudit ??= connectRedis(redisSettings(apart, 'sallyport-cli-audit', clock));
    return forAudit;
  };
  const prefix = apart?.keyPrefix ?? redis.keyPrefix;
  const readyAudit = async () => {
    const at = auditAt();
    await at.ready(REDIS_READY_MS).catch(async (fault: unknown) => {
      throw (await import('../audit/log/redis/log.ts')).unavailable(fault);
    });
    return at;
  };
  // Most commands never ask for it.
  const reader = async () => {
    const { createRedisAuditReader } = await import('../audit/log/redis/reader.ts');
    return createRedisAuditReader(await readyAudit(), prefix);
  };
  const served = onlooker(config);
  const store = new RedisRegistryStore(connection, {
    keyPrefix: redis.keyPrefix,
    name: 'sallyport-cli',
    minReplicaAcks: config.registry.minReplicaAcks,
    served,
  });
  return {
    store,
    served,
    published: new RedisPublished(connection, redis.keyPrefix),
    usage: new RedisUsage(connection, redis.keyPrefix),
    audit: {
      ...lateReader(reader),
      reindex: async (query) => {
        const { activityPerAccount: perAccount, activityMaxBytes: maxBytes } = config.audit;
        const { days } = config.audit.retention;
        const bounds = { perAccount, maxBytes, days };
        const { reindexActivity } = await import('../audit/log/redis/reindex.ts');
        return reindexActivity({ connection: await readyAudit(), prefix, ...bounds, ...query });
      },
      close: async () => forAudit?.close(),
    },
    close: async () => {
      forAudit?.close();
      await store.close();
    },
  };
}

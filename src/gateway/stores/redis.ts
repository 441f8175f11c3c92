import { auditLimits, redisSettings } from '../../admin/store-settings.ts';
import { redisKeyStore } from '../../assertion/redis.ts';
import { AddressKey } from '../../audit/log/redis/address-key.ts';
import { createRedisAuditLog } from '../../audit/log/redis/log.ts';
import { createRedisAuditReader } from '../../audit/log/redis/reader.ts';
import { reindexActivity } from '../../audit/log/redis/reindex.ts';
import type { RetentionObserver } from '../../audit/log/redis/retention.ts';
import type { AuditReader } from '../../audit/port.ts';
import type { RedisStoreConfig } from '../../config/schema.ts';
import { RedisSessions } from '../../console/redis-sessions.ts';
import { RedisQuotaStore } from '../../limits/redis.ts';
import { RedisTries } from '../../limits/redis-tries.ts';
import { RedisPublished } from '../../published/redis.ts';
import { RedisRegistryStore } from '../../registry/redis/registry.ts';
import { RedisRegistrySource } from '../../registry/redis/source.ts';
import { ServedRegistry } from '../../registry/served.ts';
import { RedisStats } from '../../stats/redis.ts';
import { RedisUsage } from '../../stats/usage/redis.ts';
import { connectRedis } from '../../store/redis.ts';
import type { Log } from '../../telemetry/log.ts';
import { redisWebhooks } from '../../webhooks/redis.ts';
import { type GateContext, own } from '../context.ts';
import { renewsTokens } from '../renewals.ts';
import type { GatewayStores } from './port.ts';
import { StoreSecrets } from './secrets.ts';

/** A command on a log of many events may take longer than those that records wait for. */
const REINDEX_COMMAND_MS = 5_000;
/** Below the second within which a call must know whether it is on record. */
const AUDIT_COMMAND_TIMEOUT_MS = 900;

/**
 * At least two connections, so that a batch of records never waits behind a look-up, nor a look-up
 * behind a batch. Throws `CertificateFault`.
 */
export function openRedisStores(gate: GateContext, store: RedisStoreConfig): GatewayStores {
  const { clock, log, metrics } = gate;
  const { config } = gate.state;
  const { keyPrefix } = store;
  const name = `sallyport-${config.instance.name}`;
  const secrets = new StoreSecrets(store, clock, log);
  const { served, registry, source, writing } = openRegistryStore(gate, store, name, secrets);
  const forAudit = openAuditStore(gate, store, name, secrets);
  const auditLog = own(
    gate,
    createRedisAuditLog({
      connection: forAudit.connection,
      prefix: forAudit.prefix,
      clock,
      ...auditLimits(config),
      activityMaxBytes: config.audit.activityMaxBytes,
      projection: { activityLost: (count) => metrics.audit.count('activity_lost', count) },
      changes: writing === null ? null : { connection: forAudit.changes, prefix: keyPrefix },
      tellsGaps: true,
      observer: retentionObserver(log),
    }),
  );
  if (gate.addresses.form === 'hashed')
    own(gate, new AddressKey({ ...forAudit, addresses: gate.addresses, onFault: noKey(log) }));
  return {
    source,
    served,
    log: auditLog,
    quotas: new RedisQuotaStore(registry, keyPrefix),
    isOwner: false,
    managed:
      writing === null || config.listen.admin === null
        ? null
        : {
            store: writing,
            audit: auditReaderOf(gate, forAudit, `${name}-reindex`),
            sessions: new RedisSessions(registry, keyPrefix, clock),
            tries: new RedisTries(registry, keyPrefix),
            webhooks: redisWebhooks(registry, keyPrefix),
          },
    renewals: writing,
    assertionKeys: {
      store: redisKeyStore(registry, keyPrefix),
      sealingSecret: () => config.assertion.sealingKey?.reveal() ?? null,
    },
    stats: new RedisStats(registry, keyPrefix),
    published: new RedisPublished(registry, keyPrefix),
    usage: new RedisUsage(registry, keyPrefix),
    secrets,
    auditSecrets: forAudit.secrets,
  };
}

/** Making activity logs anew has a connection of its own: the record does not wait for it. */
function auditReaderOf(
  { state }: GateContext,
  { connection, prefix }: Pick<ReturnType<typeof openAuditStore>, 'connection' | 'prefix'>,
  name: string,
): AuditReader {
  const { activityPerAccount: perAccount, activityMaxBytes: maxBytes } = state.config.audit;
  const { days } = state.config.audit.retention;
  return {
    ...createRedisAuditReader(connection, prefix),
    async reindex(query) {
      const own = connection.forBlocking(name, REINDEX_COMMAND_MS);
      const where = { connection: own, prefix };
      try {
        return await reindexActivity({ ...where, perAccount, maxBytes, days, ...query });
      } finally {
        own.close();
      }
    },
  };
}

/** Where the record goes: a Redis of its own, or a connection of its own to the registry's. */
function openAuditStore(
  gate: GateContext,
  store: RedisStoreConfig,
  name: string,
  shared: StoreSecrets,
) {
  const { clock, log, metrics } = gate;
  const open = (config: RedisStoreConfig, suffix: 'audit' | 'changes', { access }: StoreSecrets) =>
    own(
      gate,
      connectRedis(
        {
          ...redisSettings(config, `${name}-${suffix}`, clock),
          commandTimeoutMs: AUDIT_COMMAND_TIMEOUT_MS,
        },
        access,
        metrics.stores[suffix],
      ),
    );
  const apart = gate.state.config.audit.store;
  if (apart === null) {
    const connection = open(store, 'audit', shared);
    return { connection, changes: connection, prefix: store.keyPrefix, secrets: null };
  }
  const secrets = new StoreSecrets(apart, clock, log, 'audit.store');
  const connection = open(apart, 'audit', secrets);
  // Changes stay with the registry, whose script writes them.
  const changes = open(store, 'changes', shared);
  return { connection, changes, prefix: apart.keyPrefix, secrets };
}

/** The right to write the registry is asked for only where something writes it. */
function openRegistryStore(
  gate: GateContext,
  store: RedisStoreConfig,
  name: string,
  { access }: StoreSecrets,
) {
  const { config } = gate.state;
  const served = new ServedRegistry({
    folder: config.instance.dataDir,
    store: 'redis',
    remembers: true,
  });
  const registry = connectRedis(
    redisSettings(store, name, gate.clock),
    access,
    gate.metrics.stores.registry,
  );
  const options = {
    keyPrefix: store.keyPrefix,
    name,
    minReplicaAcks: config.registry.minReplicaAcks,
    served,
  };
  const writes = config.listen.admin !== null || renewsTokens(config);
  const writing = writes ? new RedisRegistryStore(registry, options) : null;
  // It owns its connection.
  const source = own(gate, writing ?? new RedisRegistrySource(registry, options));
  return { served, registry, source, writing };
}

const noKey = (log: Log) => (error: Error) =>
  log.warn('the key of client addresses cannot be had: events leave the address out', { error });

function retentionObserver(log: Log): RetentionObserver {
  return {
    pressure: (pressed) => {
      if (pressed)
        log.warn(
          'Redis has less than 15 % of maxmemory left: the oldest audit events go early to make room; give it more memory',
        );
      else log.info('Redis has memory again: audit events are kept as long as is configured');
    },
    activityBlind: () =>
      log.warn(
        'the Redis user may not measure and cut activity logs, so nothing holds them within audit.activityMaxBytes: make the users anew with config/redis/make-users.sh',
      ),
    unsigned: (error) =>
      log.warn(
        'what retention cuts of the audit is signed and Redis does not keep it, so audit verify misses what was cut: take the present config/redis/users.acl',
        { error },
      ),
    blind: () =>
      log.warn(
        'the Redis user may not ask how large the audit streams are (MEMORY USAGE), so their size is estimated: make the users anew with config/redis/make-users.sh',
      ),
  };
}

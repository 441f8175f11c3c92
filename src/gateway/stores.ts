import { join } from 'node:path';
import { EMBEDDED_FILES, openFolderRegistry } from '../admin/folder-registry.ts';
import { auditLimits, redisSettings } from '../admin/stores.ts';
import { openEmbeddedAudit } from '../audit/log/embedded/log.ts';
import { createRedisAuditLog } from '../audit/log/redis/log.ts';
import { createRedisAuditReader } from '../audit/log/redis/reader.ts';
import type { RetentionObserver } from '../audit/log/redis/retention.ts';
import type { AuditLog, AuditReader } from '../audit/port.ts';
import type { Clock } from '../clock.ts';
import type { Config, RedisStoreConfig } from '../config/schema.ts';
import { EmbeddedSessions } from '../console/embedded-sessions.ts';
import { RedisSessions } from '../console/redis-sessions.ts';
import type { SessionStore } from '../console/sessions.ts';
import { EmbeddedTries } from '../limits/embedded-tries.ts';
import type { QuotaStore } from '../limits/quota-port.ts';
import { RedisQuotaStore } from '../limits/redis.ts';
import { RedisTries } from '../limits/redis-tries.ts';
import type { TryStore } from '../limits/tries-port.ts';
import type { RegistrySource, RegistryStore } from '../registry/port.ts';
import { RedisRegistryStore } from '../registry/redis/registry.ts';
import { RedisRegistrySource } from '../registry/redis/source.ts';
import { ServedRegistry } from '../registry/served.ts';
import { EmbeddedStats } from '../stats/embedded.ts';
import type { StatsStore } from '../stats/port.ts';
import { RedisStats } from '../stats/redis.ts';
import { connectRedis } from '../store/redis.ts';
import type { Log } from '../telemetry/log.ts';
import { renewsTokens } from './renewals.ts';
import { StoreSecrets } from './store-secrets.ts';

/** What the admin listener works with. */
export interface ManagedStores {
  readonly store: RegistryStore;
  readonly audit: AuditReader;
  readonly sessions: SessionStore;
  /** Counts of tries that may have been guesses. */
  readonly tries: TryStore;
}

/** What a running gate works with. */
export interface GatewayStores {
  readonly source: RegistrySource;
  /** Which registry this data folder has served: the source answers of no other. */
  readonly served: ServedRegistry;
  readonly log: AuditLog;
  /** Where rate limits are shared with other instances; null when there are none. */
  readonly quotas: QuotaStore | null;
  /** Only with the embedded store, whose owner this process is: it serves the command line too. */
  readonly owned: { readonly store: RegistryStore; readonly audit: AuditReader } | null;
  /**
   * What administration needs: with the embedded store always, with Redis only where there is an
   * admin listener.
   */
  readonly managed: ManagedStores | null;
  /** Where tokens are exchanged, as routes with an action ask for it; null where none did. */
  readonly renewals: RegistryStore | null;
  /** What was counted minute by minute. */
  readonly stats: StatsStore;
  /** Null with the embedded store, which asks for none. */
  readonly secrets: StoreSecrets | null;
  close(): Promise<void>;
}

/** Below the second within which a call must know whether it is on record. */
const AUDIT_COMMAND_TIMEOUT_MS = 900;

/**
 * Opens the stores of a configuration. Redis need not be there: connections are made in the
 * background, and until then nothing is served. Throws `StoreInUse` when another process owns the
 * embedded store.
 */
export async function openGatewayStores(
  config: Config,
  clock: Clock,
  activityLost: (count: number) => void,
  log: Log,
): Promise<GatewayStores> {
  return config.store.kind === 'redis'
    ? openRedis(config, config.store, clock, activityLost, log)
    : openEmbedded(config, clock);
}

async function openEmbedded(config: Config, clock: Clock): Promise<GatewayStores> {
  const { dataDir } = config.instance;
  const { store, served } = await openFolderRegistry(dataDir, clock, true);
  try {
    const audit = await openEmbeddedAudit({
      ...auditLimits(config),
      path: join(dataDir, EMBEDDED_FILES.audit),
    });
    const sessions = new EmbeddedSessions(join(dataDir, EMBEDDED_FILES.sessions), clock);
    const tries = new EmbeddedTries(join(dataDir, EMBEDDED_FILES.tries), clock);
    const stats = new EmbeddedStats(join(dataDir, EMBEDDED_FILES.stats));
    const close = async () => {
      await stats.close();
      await tries.close();
      await sessions.close();
      await audit.close();
      await store.close();
    };
    const owned = { store, audit };
    return {
      source: store,
      served,
      log: audit,
      quotas: null,
      owned,
      managed: { ...owned, sessions, tries },
      renewals: store,
      stats,
      secrets: null,
      close,
    };
  } catch (error) {
    await store.close();
    throw error;
  }
}

/**
 * Two connections, so that a batch of records never waits behind a look-up, nor a look-up behind a
 * batch.
 */
function openRedis(
  config: Config,
  store: RedisStoreConfig,
  clock: Clock,
  activityLost: (count: number) => void,
  log: Log,
): GatewayStores {
  const name = `sallyport-${config.instance.name}`;
  const secrets = new StoreSecrets(store, clock, log);
  const { access } = secrets;
  const registry = connectRedis(redisSettings(store, name, clock), access);
  const forAudit = redisSettings(store, `${name}-audit`, clock);
  const audit = connectRedis({ ...forAudit, commandTimeoutMs: AUDIT_COMMAND_TIMEOUT_MS }, access);
  const { minReplicaAcks } = config.registry;
  const { dataDir: folder } = config.instance;
  const served = new ServedRegistry({ folder, store: 'redis', remembers: true });
  const options = { keyPrefix: store.keyPrefix, name, minReplicaAcks, served };
  const administers = config.listen.admin !== null;
  const writing =
    administers || renewsTokens(config) ? new RedisRegistryStore(registry, options) : null;
  const managing = administers ? writing : null;
  const source = writing ?? new RedisRegistrySource(registry, options);
  const managed: ManagedStores | null =
    managing === null
      ? null
      : {
          store: managing,
          audit: createRedisAuditReader(audit, store.keyPrefix),
          sessions: new RedisSessions(registry, store.keyPrefix, clock),
          tries: new RedisTries(registry, store.keyPrefix),
        };
  const stats = new RedisStats(registry, store.keyPrefix);
  const auditLog = createRedisAuditLog({
    connection: audit,
    prefix: store.keyPrefix,
    clock,
    ...auditLimits(config),
    projection: { activityLost },
    trimsChanges: writing !== null,
    observer: retentionObserver(log),
  });
  const close = async () => {
    await auditLog.close();
    audit.close();
    await source.close();
  };
  return {
    source,
    served,
    log: auditLog,
    quotas: new RedisQuotaStore(registry, store.keyPrefix),
    owned: null,
    managed,
    renewals: writing,
    stats,
    secrets,
    close,
  };
}

function retentionObserver(log: Log): RetentionObserver {
  return {
    pressure: (pressed) => {
      if (pressed)
        log.warn(
          'Redis has less than 15 % of maxmemory left: the oldest audit events go early to make room; give it more memory',
        );
      else log.info('Redis has memory again: audit events are kept as long as is configured');
    },
    blind: () =>
      log.warn(
        'the Redis user may not ask how large the audit streams are (MEMORY USAGE), so their size is estimated: make the users anew with config/redis/make-users.sh',
      ),
  };
}

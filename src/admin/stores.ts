import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type EmbeddedAuditOptions, openEmbeddedAudit } from '../audit/log/embedded/log.ts';
import type { AuditLog, AuditReader } from '../audit/port.ts';
import type { Clock } from '../clock.ts';
import { DataDirFault, prepareDataDir } from '../config/data-dir.ts';
import type { Config, RedisStoreConfig } from '../config/schema.ts';
import type { RegistryStore } from '../registry/port.ts';
import { readRevoked } from '../registry/revoked/file.ts';
import { Revoked } from '../registry/revoked/revoked.ts';
import { ServedRegistry } from '../registry/served.ts';
import { EmbeddedUsage } from '../stats/usage/embedded.ts';
import type { UsageReader } from '../stats/usage/port.ts';
import type { RedisConnection, RedisSettings } from '../store/redis.ts';
import { loadClientMaterial } from '../tls/client-material.ts';
import type { AdminContext } from './context.ts';
import { EMBEDDED_FILES, openFolderRegistry, servedIn } from './folder-registry.ts';

/** What administration needs of a store, opened apart from a running gate. */
export interface OpenStores {
  readonly store: RegistryStore;
  readonly served: ServedRegistry;
  readonly audit: AuditReader;
  /** Who called. */
  readonly usage: UsageReader;
  /** What the data folder's gate has seen of an account. */
  readonly known?: NonNullable<AdminContext['known']>;
  /** What running gates have published; absent: they publish to nobody but themselves. */
  readonly published?: NonNullable<AdminContext['published']>;
  close(): Promise<void>;
}

/** How long the first connection to Redis may take. */
const REDIS_READY_MS = 3_000;

export interface OpenOptions {
  readonly clock: Clock;
  readonly create: boolean;
  /** Whether a store without registry, or with another one than was served, is opened as well. */
  readonly any?: boolean;
  /** Told what was put right on the way, one line each. */
  note(line: string): void;
}

/**
 * Opens the store that a configuration names. `create`: a change is about to be made, so a data
 * folder that has never held a registry gets one; a Redis never does by this. A store without
 * registry is `RegistryUnavailable` (`empty`, or `foreign` where one was served), and looking at
 * the wrong place leaves nothing behind there. Throws `StoreInUse` when another process owns an
 * embedded store.
 */
export async function openStores(config: Config, options: OpenOptions): Promise<OpenStores> {
  const { store } = config;
  const stores =
    store.kind === 'redis'
      ? await openRedis(config, store, options.clock)
      : await openEmbedded(config, options);
  try {
    if (options.any === true) return stores;
    const { epoch } = await stores.store.snapshot();
    return { ...stores, known: knownIn(config, epoch, options.note) };
  } catch (error) {
    await stores.close();
    throw error;
  }
}

/** What the gate of this data folder has seen, read when it is first asked for. */
function knownIn(
  { instance, store }: Config,
  epoch: string,
  note: OpenOptions['note'],
): NonNullable<AdminContext['known']> {
  let seen: Revoked | null = null;
  const read = () => {
    try {
      const found = readRevoked(instance.dataDir, store.kind);
      if (found !== null) return new Revoked({ epoch: found.at.epoch, facts: found.facts });
    } catch (error) {
      note(`what the gate of ${instance.dataDir} saw revoked cannot be read: ${String(error)}`);
    }
    return new Revoked();
  };
  return (account) => {
    if (seen === null) {
      seen = read();
      seen.begin(epoch);
    }
    return seen.known(account);
  };
}

async function openEmbedded(
  config: Config,
  { clock, create, any = false, note }: OpenOptions,
): Promise<OpenStores> {
  const { dataDir } = config.instance;
  if (!create && !any && !existsSync(join(dataDir, EMBEDDED_FILES.registry)))
    servedIn(dataDir).assert(null);
  prepareForMarker(config, note);
  const { store, served } = await openFolderRegistry(dataDir, clock, create);
  const audit = lazily(() =>
    openEmbeddedAudit({ ...auditLimits(config), path: join(dataDir, EMBEDDED_FILES.audit) }),
  );
  const usage = usageIn(join(dataDir, EMBEDDED_FILES.usage));
  return {
    store,
    served,
    audit,
    usage,
    close: async () => {
      await usage.close();
      await audit.close();
      await store.close();
    },
  };
}

/** Makes the data folder ready to remember a registry. Throws `DataDirFault`. */
export function prepareForMarker({ instance }: Config, note: OpenOptions['note']): void {
  for (const line of prepareDataDir(instance.dataDir)) note(line);
  mustNotLeaveRootsFiles(instance.dataDir);
}

/**
 * What root creates in another user's folder, the gate that runs as that user could not open any
 * more.
 */
function mustNotLeaveRootsFiles(dataDir: string): void {
  const owner = statSync(dataDir).uid;
  if (process.getuid?.() !== 0 || owner === 0) return;
  throw new DataDirFault(
    `${dataDir} belongs to user ${owner}: run this command as that user, not as root`,
  );
}

export function auditLimits(
  config: Config,
): Pick<EmbeddedAuditOptions, 'retention' | 'activityPerAccount'> {
  const { retention, activityPerAccount } = config.audit;
  return { retention, activityPerAccount };
}

/** The audit file has a thread of its own; most commands never ask for it. */
function lazily(open: () => Promise<AuditLog & AuditReader>): AuditReader {
  let opened: Promise<AuditReader> | null = null;
  const reader = () => {
    opened ??= open();
    return opened;
  };
  return {
    activity: async (query) => (await reader()).activity(query),
    tail: async (query) => (await reader()).tail(query),
    noticesAfter: async (after, limit) => (await reader()).noticesAfter(after, limit),
    record: scanOf(reader),
    search: async (query) => (await reader()).search(query),
    oldestMs: async () => (await reader()).oldestMs(),
    close: async () => {
      if (opened !== null) await (await opened).close();
    },
  };
}

function scanOf(reader: () => Promise<AuditReader>): AuditReader['record'] {
  return {
    scan: async (query) => (await reader()).record.scan(query),
    size: async () => (await reader()).record.size(),
    heads: async () => (await reader()).record.heads(),
    keys: async () => (await reader()).record.keys(),
    anchors: async () => (await reader()).record.anchors(),
  };
}

/** Opened when it is first asked for, and never made: that is for the gate. */
function usageIn(path: string): UsageReader & { close(): Promise<void> } {
  let opened: EmbeddedUsage | null = null;
  const file = () => {
    if (opened === null && existsSync(path)) opened = new EmbeddedUsage(path);
    return opened;
  };
  return {
    minutes: async (...asked) => (await file()?.minutes(...asked)) ?? [],
    hours: async (...asked) => (await file()?.hours(...asked)) ?? [],
    close: async () => opened?.close(),
  };
}

/**
 * What the data folder has served, for who is not its gate: heeded where there is a marker, and
 * never written, because a command may be run where no gate keeps anything.
 */
function onlooker({ instance }: Config): ServedRegistry {
  return new ServedRegistry({ folder: instance.dataDir, store: 'redis', remembers: false });
}

async function openRedis(
  config: Config,
  redis: RedisStoreConfig,
  clock: Clock,
): Promise<OpenStores> {
  // Loaded only where Redis is the store: the driver is half of what starting a command costs.
  const { connectRedis } = await import('../store/redis.ts');
  const { RedisRegistryStore } = await import('../registry/redis/registry.ts');
  const { RedisPublished } = await import('../published/redis.ts');
  const { createRedisAuditReader } = await import('../audit/log/redis/reader.ts');
  const { unavailable } = await import('../audit/log/redis/log.ts');
  const { reindexActivity } = await import('../audit/log/redis/reindex.ts');
  const { RedisUsage } = await import('../stats/usage/redis.ts');
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
    await at.ready(REDIS_READY_MS).catch((fault: unknown) => {
      throw unavailable(fault);
    });
    return at;
  };
  const reader = async () => createRedisAuditReader(await readyAudit(), prefix);
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
      activity: async (query) => (await reader()).activity(query),
      tail: async (query) => (await reader()).tail(query),
      noticesAfter: async (after, limit) => (await reader()).noticesAfter(after, limit),
      record: scanOf(reader),
      search: async (query) => (await reader()).search(query),
      oldestMs: async () => (await reader()).oldestMs(),
      reindex: async (query) => {
        const { activityPerAccount: perAccount, activityMaxBytes: maxBytes } = config.audit;
        const { days } = config.audit.retention;
        const bounds = { perAccount, maxBytes, days };
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

/**
 * The connection that a configuration asks for. `name` is what `CLIENT LIST` shows. Throws
 * `CertificateFault` for PEM files that do not serve.
 */
export function redisSettings(config: RedisStoreConfig, name: string, clock: Clock): RedisSettings {
  const { url, sentinels, cluster, username, password, tls } = config;
  const common = {
    username,
    password: password?.reveal() ?? null,
    name,
    tls: tls === null ? null : loadClientMaterial(tls, clock.wallMs()),
  };
  if (url !== null) return { ...common, url };
  if (cluster !== null) return { ...common, cluster };
  if (sentinels === null) throw new TypeError('a Redis is named by url, sentinels or cluster');
  const { name: primary, addresses, username: user, password: secret } = sentinels;
  const place = {
    primary,
    addresses,
    username: user,
    password: secret?.reveal() ?? null,
    tls: sentinels.tls,
  };
  return { ...common, sentinels: place };
}

import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { seededRoles } from '../account/role.ts';
import { type EmbeddedAuditOptions, openEmbeddedAudit } from '../audit/embedded.ts';
import type { AuditLog, AuditReader } from '../audit/port.ts';
import type { Clock } from '../clock.ts';
import { DataDirFault, prepareDataDir } from '../config/data-dir.ts';
import type { Config, RedisStoreConfig } from '../config/schema.ts';
import { openEmbeddedRegistry } from '../registry/embedded.ts';
import { type RegistryStore, RegistryUnavailable } from '../registry/port.ts';
import type { RedisSettings } from '../store/redis.ts';
import { loadClientMaterial } from '../tls/client-material.ts';

/** What administration needs of a store, opened apart from a running gate. */
export interface OpenStores {
  readonly store: RegistryStore;
  readonly audit: AuditReader;
  close(): Promise<void>;
}

export const EMBEDDED_FILES = {
  registry: 'registry.db',
  audit: 'audit.db',
  sessions: 'sessions.db',
  stats: 'stats.db',
  tries: 'tries.db',
} as const;

/** How long the first connection to Redis may take. */
const REDIS_READY_MS = 3_000;

export interface OpenOptions {
  readonly clock: Clock;
  readonly create: boolean;
  /** Told what was put right on the way, one line each. */
  note(line: string): void;
}

/**
 * Opens the store that a configuration names. `create`: an empty store gets its registry (a change
 * is about to be made); without it, a store without registry is `RegistryUnavailable` with `empty`,
 * so that looking at the wrong place leaves nothing behind there. Throws `StoreInUse` when another
 * process owns an embedded store.
 */
export async function openStores(
  config: Config,
  { clock, create, note }: OpenOptions,
): Promise<OpenStores> {
  const { store } = config;
  const stores =
    store.kind === 'redis'
      ? await openRedis(store, config.registry.minReplicaAcks, clock)
      : openEmbedded(config, create, note);
  try {
    if (create) await ensureRegistry(stores.store, clock);
    else await stores.store.snapshot();
    return stores;
  } catch (error) {
    await stores.close();
    throw error;
  }
}

/** Looks before it writes: an existing registry can be used by somebody who may only read. */
async function ensureRegistry(store: RegistryStore, clock: Clock): Promise<void> {
  try {
    await store.snapshot();
  } catch (error) {
    if (!(error instanceof RegistryUnavailable) || error.why !== 'empty') throw error;
    await store.initialise(seededRoles(new Date(clock.wallMs()).toISOString()));
  }
}

function openEmbedded(config: Config, create: boolean, note: OpenOptions['note']): OpenStores {
  const { dataDir } = config.instance;
  if (!create && !existsSync(join(dataDir, EMBEDDED_FILES.registry)))
    throw new RegistryUnavailable('empty', `there is no registry in ${dataDir}`);
  for (const line of prepareDataDir(dataDir)) note(line);
  mustNotLeaveRootsFiles(dataDir);
  const store = openEmbeddedRegistry(join(dataDir, EMBEDDED_FILES.registry));
  const audit = lazily(() =>
    openEmbeddedAudit({ ...auditLimits(config), path: join(dataDir, EMBEDDED_FILES.audit) }),
  );
  return {
    store,
    audit,
    close: async () => {
      await audit.close();
      await store.close();
    },
  };
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
    close: async () => {
      if (opened !== null) await (await opened).close();
    },
  };
}

async function openRedis(
  config: RedisStoreConfig,
  minReplicaAcks: number,
  clock: Clock,
): Promise<OpenStores> {
  // Loaded only where Redis is the store: the driver is half of what starting a command costs.
  const { connectRedis } = await import('../store/redis.ts');
  const { RedisRegistryStore } = await import('../registry/redis.ts');
  const { createRedisAuditReader } = await import('../audit/redis-reader.ts');
  const connection = connectRedis(redisSettings(config, 'sallyport-cli', clock));
  try {
    await connection.ready(REDIS_READY_MS);
  } catch (error) {
    connection.close();
    throw error;
  }
  const store = new RedisRegistryStore(connection, {
    keyPrefix: config.keyPrefix,
    name: 'sallyport-cli',
    minReplicaAcks,
  });
  return {
    store,
    audit: createRedisAuditReader(connection, config.keyPrefix),
    close: () => store.close(),
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

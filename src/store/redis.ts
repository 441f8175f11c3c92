import { RedisAccess, type RedisSecrets } from './redis-access.ts';
import { ClusterDirectory } from './redis-cluster.ts';
import type {
  CommandMeter,
  RedisAddress,
  RedisConnection,
  RedisTls,
  RedisUser,
} from './redis-port.ts';
import { RoutedConnection } from './redis-routed.ts';
import { SentinelDirectory } from './redis-sentinel.ts';
import type { RedisManner } from './redis-server-driver.ts';
import { StandaloneConnection } from './redis-standalone.ts';

export type {
  Confirmed,
  RedisAddress,
  RedisCommand,
  RedisConnection,
  RedisTls,
  RedisUser,
  RedisWord,
} from './redis-port.ts';

interface Common extends RedisUser {
  /**
   * With a URL only for `rediss:` (null = verified against the system's CAs); with sentinels and
   * with a Cluster null = no TLS.
   */
  readonly tls: RedisTls | null;
  /** What `CLIENT LIST` shows: letters, digits, `-`, `.`, `_`, `:`. */
  readonly name: string;
  /** How long one command may take, in milliseconds. */
  readonly commandTimeoutMs?: number;
  /** Stays with a server that says it is a replica: for looking at it. */
  readonly stays?: boolean;
}

export interface SentinelPlace extends RedisUser {
  /** Name of the primary. */
  readonly primary: string;
  readonly addresses: readonly RedisAddress[];
  readonly tls: boolean;
}

/**
 * One server (`redis://host:port/database` or `rediss://…`, without credentials), the primary that
 * sentinels name, or a Cluster by some of its nodes.
 */
export type RedisSettings = Common &
  (
    | { readonly url: string }
    | { readonly sentinels: SentinelPlace }
    | { readonly cluster: readonly RedisAddress[] }
  );

const DEFAULTS = { commandTimeoutMs: 1_000, port: 6379 } as const;

const VERIFIED: RedisTls = {
  ca: null,
  serverName: null,
  certificate: null,
  key: null,
  verify: true,
};

/**
 * The secrets that connections share, so that a change counts for all of them: as what its servers
 * know us, and the sentinels.
 */
export interface StoreAccess {
  readonly servers: RedisAccess;
  /** Null where there are none. */
  readonly sentinels: RedisAccess | null;
}

export function openAccess(settings: RedisSettings): StoreAccess {
  const { servers, sentinels } = secretsOf(settings);
  return {
    servers: new RedisAccess(servers),
    sentinels: sentinels === null ? null : new RedisAccess(sentinels),
  };
}

/** Secrets alone are taken over: where the servers are is as it was. */
export function changeAccess(access: StoreAccess, settings: RedisSettings): void {
  const { servers, sentinels } = secretsOf(settings);
  access.servers.change(servers);
  if (sentinels !== null) access.sentinels?.change(sentinels);
}

function secretsOf(settings: RedisSettings): {
  readonly servers: RedisSecrets;
  readonly sentinels: RedisSecrets | null;
} {
  const { username, password } = settings;
  const tls = tlsOf(settings);
  if (!('sentinels' in settings)) return { servers: { username, password, tls }, sentinels: null };
  const { sentinels } = settings;
  const own = {
    username: sentinels.username,
    password: sentinels.password,
    tls: sentinels.tls ? tls : null,
  };
  return { servers: { username, password, tls }, sentinels: own };
}

/**
 * Connects in the background; use `ready` to wait. Throws only when the URL makes no sense.
 *
 * @param access shared with other connections to the same servers; default: its own, which never
 *   changes
 * @param meter told of commands, but for those of connections `forBlocking`
 */
export function connectRedis(
  settings: RedisSettings,
  access: StoreAccess = openAccess(settings),
  meter?: CommandMeter,
): RedisConnection {
  const { name, stays = false } = settings;
  const { commandTimeoutMs = DEFAULTS.commandTimeoutMs } = settings;
  const manner: RedisManner = {
    access: access.servers,
    name,
    commandTimeoutMs,
    database: 0,
    blockMs: 0,
    stays,
  };
  const metered = { ...manner, meter };
  if ('url' in settings) return standalone(new URL(settings.url), metered);
  if ('cluster' in settings)
    return new RoutedConnection(new ClusterDirectory(settings.cluster, manner), metered);
  const asked = { ...manner, access: access.sentinels ?? access.servers };
  return new RoutedConnection(new SentinelDirectory(settings.sentinels, asked), metered);
}

/**
 * A connection to one server of several, whatever its role, in the same manner but as another user.
 * For looking at it.
 */
export function connectServer(
  settings: RedisSettings,
  address: RedisAddress,
  { username, password }: RedisUser,
): RedisConnection {
  const { name, commandTimeoutMs = DEFAULTS.commandTimeoutMs } = settings;
  return new StandaloneConnection(address, {
    access: new RedisAccess({ username, password, tls: tlsOf(settings) }),
    name,
    commandTimeoutMs,
    database: 0,
    blockMs: 0,
    stays: true,
  });
}

/** A URL says by its scheme whether there is TLS; else what is configured of it does. */
function tlsOf(settings: RedisSettings): RedisTls | null {
  if (!('url' in settings)) return settings.tls;
  return settings.url.startsWith('rediss:') ? (settings.tls ?? VERIFIED) : null;
}

/** Where a URL leads. */
export function addressOf(url: string): RedisAddress {
  const { hostname, port } = new URL(url);
  // An IPv6 address stands in brackets in a URL and without them everywhere else.
  return {
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? DEFAULTS.port : Number(port),
  };
}

function standalone(url: URL, manner: RedisManner): RedisConnection {
  if (url.protocol !== 'redis:' && url.protocol !== 'rediss:')
    throw new TypeError('a Redis URL begins with redis: or rediss:');
  const database = Number(url.pathname.slice(1) || '0');
  return new StandaloneConnection(addressOf(url.href), { ...manner, database });
}

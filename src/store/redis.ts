import { ClusterDirectory } from './redis-cluster.ts';
import type {
  RedisAddress,
  RedisConnection,
  RedisManner,
  RedisTls,
  RedisUser,
} from './redis-port.ts';
import { RoutedConnection } from './redis-routed.ts';
import { SentinelDirectory } from './redis-sentinel.ts';
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

/** Connects in the background; use `ready` to wait. Throws only when the URL makes no sense. */
export function connectRedis(settings: RedisSettings): RedisConnection {
  const { username, password, tls, name, stays = false } = settings;
  const { commandTimeoutMs = DEFAULTS.commandTimeoutMs } = settings;
  const manner: RedisManner = {
    username,
    password,
    tls,
    name,
    commandTimeoutMs,
    database: 0,
    blockMs: 0,
    stays,
  };
  if ('url' in settings) return standalone(new URL(settings.url), manner);
  if ('cluster' in settings)
    return new RoutedConnection(new ClusterDirectory(settings.cluster, manner), manner);
  return new RoutedConnection(new SentinelDirectory(settings.sentinels, manner), manner);
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
  const tls =
    'url' in settings && settings.url.startsWith('rediss:')
      ? (settings.tls ?? VERIFIED)
      : settings.tls;
  return new StandaloneConnection(address, {
    username,
    password,
    tls,
    name,
    commandTimeoutMs,
    database: 0,
    blockMs: 0,
    stays: true,
  });
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
  const tls = url.protocol === 'rediss:' ? (manner.tls ?? VERIFIED) : null;
  return new StandaloneConnection(addressOf(url.href), {
    ...manner,
    tls,
    database: Number(url.pathname.slice(1) || '0'),
  });
}

import { StoreUnavailable } from './fault.ts';
import {
  addressOf,
  connectServer,
  type RedisAddress,
  type RedisConnection,
  type RedisSettings,
  type RedisUser,
} from './redis.ts';
import { addressText } from './redis-port.ts';
import { SLOTS } from './redis-slot.ts';

/** What could be learned of one server. Null = it could not: no right, or no answer. */
export interface ServerFacts {
  readonly address: string;
  readonly fault: string | null;
  /** It answered that this name and password are not right. */
  readonly refusedUser: boolean;
  /** Fields of INFO. */
  readonly info: ReadonlyMap<string, string> | null;
  /** Settings, by name; only those in SETTINGS. */
  readonly settings: ReadonlyMap<string, string> | null;
  /** Whether somebody without name and password may use it. */
  readonly open: boolean | null;
  /**
   * Whether the default user may carry out everything: Redis reads its append-only file as this
   * user.
   */
  readonly defaultUserFull: boolean | null;
  /** How far its clock is ahead of ours, in milliseconds. */
  readonly clockAheadMs: number | null;
}

export interface SentinelFacts {
  readonly listed: number;
  readonly answered: number;
  /** How many there are, as those that answer know it. */
  readonly known: number;
  readonly quorum: number;
  readonly downAfterMs: number;
}

export interface ClusterFacts {
  readonly slotsWithoutServer: number;
  readonly primariesWithoutReplica: readonly string[];
}

export interface RedisFacts {
  readonly servers: readonly ServerFacts[];
  readonly sentinel: SentinelFacts | null;
  readonly cluster: ClusterFacts | null;
}

const SETTINGS = [
  'appendfsync',
  'save',
  'min-replicas-to-write',
  'min-replicas-max-lag',
  'port',
  'tls-port',
  'cluster-node-timeout',
] as const;

/** Servers looked at, and at a time. */
const MAX_SERVERS = 64;
const DEADLINE_MS = 1_500;

/**
 * Looks at every server of a Redis as it is configured, and changes nothing. `inspector`: as whom;
 * the user of a gate sees little. Throws `StoreUnavailable` when it cannot be found out which
 * servers there are.
 */
export async function surveyRedis(
  settings: RedisSettings,
  inspector: RedisUser,
): Promise<RedisFacts> {
  if ('url' in settings)
    return {
      ...(await survey(settings, inspector, [addressOf(settings.url)])),
      sentinel: null,
      cluster: null,
    };
  if ('cluster' in settings) {
    const { cluster, addresses } = await clusterOf(settings, settings.cluster);
    return { ...(await survey(settings, inspector, addresses)), sentinel: null, cluster };
  }
  const { sentinel, addresses } = await sentinelsOf(settings, settings.sentinels);
  return { ...(await survey(settings, inspector, addresses)), sentinel, cluster: null };
}

async function survey(
  settings: RedisSettings,
  inspector: RedisUser,
  addresses: readonly RedisAddress[],
) {
  return {
    servers: await Promise.all(
      addresses.slice(0, MAX_SERVERS).map((address) => lookAt(settings, inspector, address)),
    ),
  };
}

async function lookAt(
  settings: RedisSettings,
  inspector: RedisUser,
  address: RedisAddress,
): Promise<ServerFacts> {
  const open = await withServer(
    settings,
    address,
    { username: null, password: null },
    async (server) => {
      return (await orNull(server.call('PING'))) !== null;
    },
  ).catch(() => null);
  const text = addressText(address);
  try {
    return await withServer(settings, address, inspector, async (server) => {
      const [info, found, user, clockAheadMs] = await Promise.all([
        orNull(server.call('INFO')),
        orNull(server.call('CONFIG', 'GET', ...SETTINGS)),
        orNull(server.call('ACL', 'GETUSER', 'default')),
        clockOf(server),
      ]);
      return {
        address: text,
        fault: null,
        refusedUser: false,
        info: info === null ? null : linesOf(String(info)),
        settings: found === null ? null : mapOf(found),
        open,
        defaultUserFull: user === null ? null : isFull(mapOf(user)),
        clockAheadMs,
      };
    });
  } catch (fault) {
    if (!(fault instanceof StoreUnavailable)) throw fault;
    return {
      address: text,
      fault: fault.message,
      refusedUser: fault.code === 'WRONGPASS',
      info: null,
      settings: null,
      open,
      defaultUserFull: null,
      clockAheadMs: null,
    };
  }
}

async function withServer<T>(
  settings: RedisSettings,
  address: RedisAddress,
  user: RedisUser,
  work: (server: RedisConnection) => Promise<T>,
): Promise<T> {
  const server = connectServer(settings, address, user);
  try {
    await server.ready(DEADLINE_MS);
    return await work(server);
  } finally {
    server.close();
  }
}

/** Null for what is refused: then it is not known, which is not the same as being in order. */
async function orNull(reply: Promise<unknown>): Promise<unknown> {
  try {
    return await reply;
  } catch (fault) {
    if (fault instanceof StoreUnavailable && fault.why !== 'unreachable') return null;
    throw fault;
  }
}

/** Its answer stands for the middle of the way there and back. */
async function clockOf(server: RedisConnection): Promise<number | null> {
  const sentMs = Date.now();
  const reply = (await orNull(server.call('TIME'))) as readonly [string, string] | null;
  if (reply === null) return null;
  return Math.round(
    Number(reply[0]) * 1_000 + Number(reply[1]) / 1_000 - (sentMs + Date.now()) / 2,
  );
}

function isFull(user: ReadonlyMap<string, unknown>): boolean {
  return String(user.get('commands')).includes('+@all') && String(user.get('keys')).includes('~*');
}

function linesOf(info: string): ReadonlyMap<string, string> {
  const pairs = info.split('\r\n').filter((line) => line.includes(':') && !line.startsWith('#'));
  return new Map(
    pairs.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]),
  );
}

function mapOf(reply: unknown): ReadonlyMap<string, string> {
  const words = reply as string[];
  return new Map(
    words.flatMap((word, at) => (at % 2 === 0 ? [[word, String(words[at + 1])] as const] : [])),
  );
}

type SentinelPlace = Extract<RedisSettings, { sentinels: unknown }>['sentinels'];

async function sentinelsOf(settings: RedisSettings, place: SentinelPlace) {
  const asked = await Promise.allSettled(
    place.addresses.map((address) =>
      withServer(
        { ...settings, tls: place.tls ? settings.tls : null },
        address,
        place,
        async (sentinel) => {
          const primary = mapOf(await sentinel.call('SENTINEL', 'MASTER', place.primary));
          const replicas = (
            (await sentinel.call('SENTINEL', 'REPLICAS', place.primary)) as unknown[]
          ).map(mapOf);
          return { primary, replicas };
        },
      ),
    ),
  );
  const answers = asked.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  const [newest] = answers.sort(
    (a, b) => Number(b.primary.get('config-epoch')) - Number(a.primary.get('config-epoch')),
  );
  if (newest === undefined)
    throw (
      asked.find((one) => one.status === 'rejected')?.reason ??
      new TypeError('no sentinel is listed')
    );
  const number = (name: string) => Number(newest.primary.get(name));
  const sentinel: SentinelFacts = {
    listed: place.addresses.length,
    answered: answers.length,
    known: number('num-other-sentinels') + 1,
    quorum: number('quorum'),
    downAfterMs: number('down-after-milliseconds'),
  };
  return { sentinel, addresses: [newest.primary, ...newest.replicas].map(addressIn) };
}

function addressIn(fields: ReadonlyMap<string, string>): RedisAddress {
  return { host: fields.get('ip') ?? '', port: Number(fields.get('port')) };
}

async function clusterOf(settings: RedisSettings, seeds: readonly RedisAddress[]) {
  const ranges = await firstOf(seeds, (seed) =>
    withServer(settings, seed, settings, async (server) => {
      const reply = (await server.call('CLUSTER', 'SLOTS')) as [
        number,
        number,
        ...[string | null, number][],
      ][];
      return reply.map(([first, last, ...servers]) => ({
        slots: last - first + 1,
        servers: servers.map(([host, port]) => ({ host: host || seed.host, port })),
      }));
    }),
  );
  const lonely = ranges
    .filter(({ servers }) => servers.length === 1)
    .map(({ servers }) => addressText(servers[0]!));
  const all = new Map(
    ranges.flatMap(({ servers }) => servers.map((server) => [addressText(server), server])),
  );
  const cluster: ClusterFacts = {
    slotsWithoutServer: SLOTS - ranges.reduce((sum, { slots }) => sum + slots, 0),
    primariesWithoutReplica: [...new Set(lonely)],
  };
  return { cluster, addresses: [...all.values()] };
}

/** What the first that answers says; the last fault when none does. */
async function firstOf<T>(
  seeds: readonly RedisAddress[],
  ask: (seed: RedisAddress) => Promise<T>,
): Promise<T> {
  let last: unknown = new TypeError('no server is listed');
  for (const seed of seeds) {
    try {
      return await ask(seed);
    } catch (fault) {
      last = fault;
    }
  }
  throw last;
}

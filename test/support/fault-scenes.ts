import { Redis } from 'ioredis';
import { registryKeys } from '../../src/store/keys.ts';
import { slotOf } from '../../src/store/redis-slot.ts';
import { type FaultReport, faultRoutes, underFault } from './fault-load.ts';
import { startGateway, type TestGateway } from './gateway.ts';
import { startRawUpstream } from './raw-upstream.ts';
import { startCluster } from './redis-cluster.ts';
import { until } from './redis-replication.ts';
import { PRIMARY_NAME, startSentinels } from './redis-sentinel.ts';
import { startRedis } from './redis-server.ts';
import { startRelay, type TcpRelay } from './tcp-relay.ts';

/** One way in which Redis can fail, played with a gate under load. */
export type FaultScene = () => Promise<FaultReport>;

const LEASE_MS = 10_000;
const PREFIX = 'sallyport';
const SLOT = slotOf(registryKeys(PREFIX).meta);

/** A gate on a Redis, ready; both gone when the scene is over. */
async function withGate<T extends { stop(): Promise<void> }>(
  redis: T,
  store: Readonly<Record<string, unknown>>,
  play: (gate: TestGateway, redis: T) => Promise<FaultReport>,
  administratorStore: Readonly<Record<string, unknown>> = store,
): Promise<FaultReport> {
  const upstream = await startRawUpstream();
  try {
    const gate = await startGateway({
      upstreams: { api: { addresses: [upstream.url] } },
      routes: faultRoutes('api'),
      store: { ...store, keyPrefix: PREFIX },
      administratorStore: { ...administratorStore, keyPrefix: PREFIX },
      leaseMs: LEASE_MS,
      plaintext: true,
    });
    try {
      await until('the gate is ready', async () => gate.gateway.ready);
      return await play(gate, redis);
    } finally {
      await gate.stop();
    }
  } finally {
    await upstream.stop();
    await redis.stop();
  }
}

async function onOne(
  play: (gate: TestGateway, redis: Awaited<ReturnType<typeof startRedis>>) => Promise<FaultReport>,
) {
  const redis = await startRedis({ appendOnly: true });
  return withGate(redis, { url: redis.url }, play);
}

/**
 * The gate's path to Redis leads through a relay, the administrators' does not: they go on changing
 * what the gate cannot hear of.
 */
async function behindRelay(play: (gate: TestGateway, relay: TcpRelay) => Promise<FaultReport>) {
  const redis = await startRedis({ appendOnly: true });
  const relay = await startRelay(redis.port);
  const both = { stop: async () => void (await Promise.all([relay.stop(), redis.stop()])) };
  const store = { url: `redis://127.0.0.1:${relay.port}` };
  return withGate(both, store, (gate) => play(gate, relay), { url: redis.url });
}

async function onSentinels(
  play: (
    gate: TestGateway,
    redis: Awaited<ReturnType<typeof startSentinels>>,
  ) => Promise<FaultReport>,
) {
  const redis = await startSentinels({ appendOnly: true });
  const addresses = redis.addresses.map(({ host, port }) => `${host}:${port}`);
  return withGate(redis, { sentinels: { name: PRIMARY_NAME, addresses } }, play);
}

async function onCluster(
  play: (
    gate: TestGateway,
    redis: Awaited<ReturnType<typeof startCluster>>,
  ) => Promise<FaultReport>,
) {
  const redis = await startCluster({ appendOnly: true });
  return withGate(
    redis,
    { cluster: redis.addresses.map(({ host, port }) => `${host}:${port}`) },
    play,
  );
}

const wait = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** Frozen for so long: connections stay open, nothing is answered. */
export const frozen =
  (ms: number): FaultScene =>
  () =>
    onOne((gate, redis) =>
      underFault(gate, async () => {
        redis.pause();
        await wait(ms);
        redis.resume();
      }),
    );

/** kill -9, and started again on the same files after a second. */
export const killed: FaultScene = () =>
  onOne((gate, redis) =>
    underFault(gate, async () => {
      await redis.kill();
      await wait(1_000);
      await redis.restart();
    }),
  );

/**
 * For so long nothing gets from the gate to Redis (`there`), or from Redis to the gate (`back`);
 * connections stay open.
 */
export const cutOff =
  (way: 'there' | 'back', ms: number): FaultScene =>
  () =>
    behindRelay((gate, relay) =>
      underFault(gate, async () => {
        relay.silence(() => true, way);
        await wait(ms);
        relay.heal();
      }),
    );

/** A fault that is brought about by commands, over a connection of its own. */
const commanded = (fault: (administrator: Redis) => Promise<void>): Promise<FaultReport> =>
  onOne(async (gate, redis) => {
    const administrator = new Redis(redis.url);
    try {
      return await underFault(gate, () => fault(administrator));
    } finally {
      administrator.disconnect();
    }
  });

/**
 * Everything is deleted, and after a while a backup of half a second before is brought back: what
 * was revoked since then is live in it.
 */
export const flushed: FaultScene = () =>
  commanded(async (administrator) => {
    const backup = await backUp(administrator);
    await wait(500);
    await administrator.flushall();
    await wait(LEASE_MS / 2);
    await bringBack(administrator, backup);
  });

/**
 * Memory is short and Redis may evict what it likes. After a while it is given room, and a backup
 * is brought back.
 */
export const evicted: FaultScene = () =>
  commanded(async (administrator) => {
    const backup = await backUp(administrator);
    const used = Number(/used_memory:(\d+)/.exec(await administrator.info('memory'))?.[1]);
    await administrator.config('SET', 'maxmemory-policy', 'allkeys-lru');
    await administrator.config('SET', 'maxmemory', used);
    for (let n = 0; n < FILLERS; n += 1)
      await administrator.set(`filler:${n}`, 'x'.repeat(used / FILLERS / 4));
    await wait(LEASE_MS / 2);
    await administrator.config('SET', 'maxmemory', 0);
    await administrator.config('SET', 'maxmemory-policy', 'noeviction');
    await bringBack(administrator, backup);
  });

const FILLERS = 200;

/**
 * All of one moment, as a snapshot of Redis is. Leases and acknowledgements run out by themselves.
 */
const DUMP_ALL = `
local dumps = {}
for _, key in ipairs(redis.call('KEYS', ARGV[1])) do
  if not key:find(':lease:') and not key:find(':ack:') then
    dumps[#dumps + 1] = key
    dumps[#dumps + 1] = redis.call('DUMP', key)
  end
end
return dumps`;

async function backUp(redis: Redis): Promise<ReadonlyMap<string, Buffer>> {
  const dumps = (await redis.callBuffer('EVAL', DUMP_ALL, 0, `${PREFIX}:{registry}:*`)) as Buffer[];
  const backup = new Map<string, Buffer>();
  for (let index = 0; index < dumps.length; index += 2)
    backup.set(String(dumps[index]), dumps[index + 1]!);
  return backup;
}

async function bringBack(redis: Redis, backup: ReadonlyMap<string, Buffer>): Promise<void> {
  const restore = redis.multi();
  for (const [key, bytes] of backup) restore.restore(key, 0, bytes, 'REPLACE');
  await restore.exec();
}

export const sentinelFailover: FaultScene = () =>
  onSentinels((gate, redis) => underFault(gate, () => redis.failover()));

export const sentinelPrimaryKilled: FaultScene = () =>
  onSentinels((gate, redis) =>
    underFault(gate, async () => {
      const primary = await redis.primary();
      await primary.kill();
      await redis.promoted(redis.other(primary));
    }),
  );

/**
 * For half a second everything that is changed is told to nobody but the primary, which then dies.
 */
export const sentinelTailLost: FaultScene = () =>
  onSentinels((gate, redis) =>
    underFault(gate, async () => {
      const { primary, replica } = await redis.loseTail();
      await wait(500);
      await primary.kill();
      await redis.promoted(replica);
    }),
  );

export const clusterFailover: FaultScene = () =>
  onCluster((gate, redis) =>
    underFault(gate, async () => redis.failover(await redis.ownerOf(SLOT))),
  );

export const clusterPrimaryKilled: FaultScene = () =>
  onCluster((gate, redis) =>
    underFault(gate, async () => {
      const primary = await redis.ownerOf(SLOT);
      await primary.kill();
      await redis.ownerOtherThan(SLOT, primary);
    }),
  );

/** The slot of the whole registry moves to another primary, key by key. */
export const clusterReshard: FaultScene = () =>
  onCluster((gate, redis) => underFault(gate, () => redis.migrate(SLOT)));

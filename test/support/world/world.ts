import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DnsServer, startDns } from '../dns-server.ts';
import { type RedisOptions, type RedisServer, startRedis } from '../redis-server.ts';
import { newWorldAuthority, type WorldAuthority, writePair } from './certificates.ts';
import { type Fronts, startFronts } from './fronts.ts';
import { type GateSettings, makeAccount, startGates, type WorldGate } from './gates.ts';
import { NAME_SERVER } from './namespace.ts';
import { NAMES, PLACES, PORTS, TTL_SECONDS } from './places.ts';
import { type Service, startService } from './service.ts';

/**
 * Two gates behind HAProxy and nginx, with services and a store behind them, all known by names
 * alone.
 */
export interface World {
  readonly folder: string;
  readonly dns: DnsServer;
  readonly redis: RedisServer;
  readonly authority: WorldAuthority;
  /** Of everything that shows a certificate. */
  readonly caFile: string;
  readonly services: readonly Service[];
  readonly gates: readonly WorldGate[];
  readonly fronts: Fronts;
  /** Of an account that may do everything. */
  readonly token: string;
  /** From now on a name leads to these addresses. */
  points(name: string, addresses: readonly string[]): void;
  stop(): Promise<void>;
}

export interface WorldOptions extends Partial<GateSettings> {
  readonly redis?: RedisOptions;
  /** Before the gates start: makes what they need in the folder, and says how they use it. */
  prepare?(made: {
    readonly folder: string;
    readonly redis: RedisServer;
    readonly authority: WorldAuthority;
  }): Promise<Partial<GateSettings>>;
}

/**
 * As in production for a balancer that looks every 300 ms, on a machine that stands still now and
 * then.
 */
const LAME_DUCK_MS = 2_000;

export async function startWorld(options: WorldOptions = {}): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-world-'));
  const ends: (() => Promise<unknown> | unknown)[] = [
    () => rmSync(folder, { recursive: true, force: true }),
  ];
  const stop = async () => {
    for (const end of ends.splice(0).reverse()) await end();
  };
  try {
    return { ...(await setUp(folder, options, ends)), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function setUp(
  folder: string,
  { redis: ofRedis = {}, prepare, ...given }: WorldOptions,
  ends: (() => Promise<unknown> | unknown)[],
): Promise<Omit<World, 'stop'>> {
  const dns = await startDns(NAME_SERVER, 53);
  ends.push(() => dns.close());
  const points = (name: string, addresses: readonly string[]) =>
    void dns.zone.set(name, { addresses, ttlSeconds: TTL_SECONDS });
  for (const front of ['tcpFront', 'httpFront', 'nginxFront'] as const)
    points(NAMES[front], [PLACES[front]]);
  points(NAMES.gate, PLACES.gates);
  points(NAMES.service, PLACES.services);
  points(NAMES.redis, [PLACES.redis[0]]);
  const authority = await newWorldAuthority('World CA');
  const caFile = join(folder, 'ca.pem');
  writeFileSync(caFile, authority.pem);
  const pair = await authority.issue(Object.values(NAMES));
  const redis = await startWorldRedis(0, ofRedis);
  ends.push(() => redis.stop());
  const services = await Promise.all(PLACES.services.map((host) => startService(folder, host)));
  ends.push(() => Promise.all(services.map((one) => one.stop())));
  const settings: GateSettings = {
    files: writePair(folder, 'gate', pair),
    store: { url: `redis://${NAMES.redis}` },
    lameDuckMs: LAME_DUCK_MS,
    ...given,
    ...(await prepare?.({ folder, redis, authority })),
  };
  const token = await makeAccount(folder, { ...settings, store: { url: redis.url } });
  const gates = await startGates(folder, settings);
  ends.push(() => Promise.all(gates.map((gate) => gate.stop())));
  const fronts = await startFronts(folder, pair, caFile);
  ends.push(() => fronts.stop());
  return { folder, dns, redis, authority, caFile, services, gates, fronts, token, points };
}

/** In the place of that number. */
export function startWorldRedis(n: 0 | 1, options: RedisOptions = {}): Promise<RedisServer> {
  const at = { host: PLACES.redis[n], port: PORTS.redis, tlsPort: PORTS.redisTls };
  return startRedis({ ...options, at });
}

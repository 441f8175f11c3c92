import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Account, Role, Team } from '../../src/account/model.ts';
import { newToken, tokenDigest } from '../../src/account/token.ts';
import type { Decision } from '../../src/decision/decide.ts';
import type { Peer, RequestHead } from '../../src/http/request-head.ts';
import type { RegistrySource } from '../../src/registry/port.ts';
import { Random } from '../fuzz/random.ts';
import type { Caller } from './callers.ts';
import { APPLICATIONS, SERVICES } from './mixed.ts';

/** A decider as a gate has it, of this or another checkout. */
export interface Deciding {
  parse(head: Buffer): RequestHead;
  decide(head: RequestHead): Decision | Promise<Decision>;
  close(): Promise<void>;
}

export interface Population {
  readonly accounts: ReadonlyMap<string, Account>;
  readonly callers: readonly Caller[];
}

const AT = '2026-01-01T00:00:00.000Z';
const PEER: Peer = { address: '127.0.0.1', port: 40_000, secure: true };
const MAX_TARGET = 8_192;

/** One account in a hundred calls; of these one in ten was rotated, and one in ten has a grant. */
export function population(count: number): Population {
  const random = new Random(20261129);
  const accounts = new Map<string, Account>();
  const callers: Caller[] = [];
  for (let n = 0; n < count; n += 1) {
    const [id, name] = [String(n).padStart(12, '0'), `pipeline-${n}`];
    const token = newToken(id);
    const calls = n % 100 === 0;
    if (calls) callers.push({ id, name, token });
    const retired = calls && random.chance(0.1) ? [tokenDigest(newToken(id))] : [];
    const application = random.pick(APPLICATIONS);
    const grants = calls && random.chance(0.1) ? [{ application, role: 'deployer' }] : [];
    const teams = calls ? [{ team: 'delivery', role: 'deployer' }] : [];
    const about = { id, name, description: '', version: 1, createdAt: AT, updatedAt: AT };
    const stored = { digest: calls ? tokenDigest(token) : '0'.repeat(64), createdAt: AT };
    const fixed = { kind: 'service', status: 'active', expiresAt: null, password: null } as const;
    accounts.set(id, { ...about, ...fixed, role: 'reader', teams, grants, token: stored, retired });
  }
  return { accounts, callers };
}

/**
 * Real parser, routes, replica and limits, with every account cached. The store alone is a map: it
 * is asked once.
 */
export async function openDeciding(folder: string, { accounts }: Population): Promise<Deciding> {
  const { parseConfig } = await load<typeof import('../../src/config/load.ts')>(
    folder,
    'config/load.ts',
  );
  const { createDecider } = await load<typeof import('../../src/decision/decide.ts')>(
    folder,
    'decision/decide.ts',
  );
  const { Replica } = await load<typeof import('../../src/registry/replica/replica.ts')>(
    folder,
    'registry/replica/replica.ts',
    'registry/replica.ts',
  );
  const { parseRequestHead } = await load<typeof import('../../src/http1/request-parser.ts')>(
    folder,
    'http1/request-parser.ts',
    'wire/request-parser.ts',
  );
  const { GuessThrottle } = await load<typeof import('../../src/limits/guess-throttle.ts')>(
    folder,
    'limits/guess-throttle.ts',
  );
  const { RateLimiter } = await load<typeof import('../../src/limits/rate-limiter.ts')>(
    folder,
    'limits/rate-limiter.ts',
  );
  const { localBuckets } = await load<typeof import('../../src/limits/buckets.ts')>(
    folder,
    'limits/buckets.ts',
  );
  const { systemClock: clock } = await load<typeof import('../../src/clock.ts')>(
    folder,
    'clock.ts',
  );
  const { config } = parseConfig(CONFIG, 'bench.yaml');
  const view = new Replica({
    source: sourceOf(accounts),
    clock,
    instance: 'bench',
    leaseMs: 60_000,
    maxAccounts: accounts.size,
  });
  await view.start();
  for (const id of accounts.keys()) await view.lookup(id);
  const rates = new RateLimiter({ clock, makeBucket: localBuckets, accountRate: null });
  const lookups = new GuessThrottle({ source: view, clock });
  const { routes, limits } = config;
  const decider = createDecider({ view, routes, clock, limits, lookups, rates });
  return {
    parse(bytes) {
      const head = parseRequestHead(bytes.toString('latin1'), MAX_TARGET);
      if ('fault' in head) throw new Error(head.detail);
      return head;
    },
    decide: (head) => decider.decide(head, PEER),
    close: () => view.close(),
  };
}

/** The first of the files that is there. */
async function load<Module>(folder: string, ...paths: readonly string[]): Promise<Module> {
  const file = paths.map((path) => join(folder, 'src', path)).find(existsSync);
  if (file === undefined) throw new Error(`${folder} has none of ${paths.join(', ')}`);
  return import(pathToFileURL(file).href);
}

function sourceOf(accounts: ReadonlyMap<string, Account>): RegistrySource {
  const here = { epoch: '00000000-0000-0000-0000-000000000000', seq: 1 };
  const record = { version: 1, description: '', createdAt: AT, updatedAt: AT };
  const roles: Role[] = [
    { ...record, name: 'reader', permissions: ['deployments:read'] },
    { ...record, name: 'deployer', permissions: ['deployments:*'] },
  ];
  const teams: Team[] = [{ ...record, name: 'delivery', applications: APPLICATIONS }];
  return {
    identify: async () => here.epoch,
    snapshot: async () => ({ ...here, roles, teams, damagedRoles: [] }),
    account: async (id) => ({ ...here, account: accounts.get(id) ?? null }),
    renew: async () => here,
    release: async () => {},
    acknowledge: async () => {},
    assert: async () => {},
    recordUses: async () => {},
    follow: () => ({ close: async () => {} }),
    eventsAfter: async () => [],
    close: async () => {},
  };
}

/** JSON is YAML. */
const CONFIG = JSON.stringify({
  listen: { proxy: { address: '127.0.0.1:8443', plaintext: true } },
  upstreams: { deployments: { addresses: ['http://127.0.0.1:8080'] } },
  routes: SERVICES.flatMap((name) => {
    const path = `/services/${name}/{application}/**`;
    const route = { path, application: '{application}', upstream: 'deployments' };
    const read = { methods: ['GET', 'HEAD'], permission: 'deployments:read' };
    const write = { methods: ['POST', 'PUT', 'DELETE'], permission: 'deployments:write' };
    return [
      { ...route, name: `${name}-read`, ...read },
      { ...route, name: `${name}-write`, ...write },
    ];
  }),
});

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { seededRoles } from '../../src/account/role.ts';
import { storeOwner } from '../../src/admin/actor.ts';
import { type Administration, createAdministration } from '../../src/admin/administration.ts';
import type { AdminContext } from '../../src/admin/context.ts';
import { createTrails } from '../../src/admin/trail/trails.ts';
import { CallEvents } from '../../src/audit/event/call-event.ts';
import { openEmbeddedAudit } from '../../src/audit/log/embedded/log.ts';
import { createRedisAuditLog } from '../../src/audit/log/redis/log.ts';
import { createRedisAuditReader } from '../../src/audit/log/redis/reader.ts';
import type { AuditLog, AuditReader } from '../../src/audit/port.ts';
import { type Clock, systemClock } from '../../src/clock.ts';
import type { Route } from '../../src/decision/route.ts';
import { openEmbeddedRegistry } from '../../src/registry/embedded/registry.ts';
import type { RegistryStore } from '../../src/registry/port.ts';
import { RedisRegistryStore } from '../../src/registry/redis/registry.ts';
import { connectRedis } from '../../src/store/redis.ts';
import { batchOf, type Entry } from './audit-batch.ts';
import { DECISION, type DecisionFacts, decisionLine, OUTCOME, outcomeLine } from './call-events.ts';
import { findRedisServer, startRedis } from './redis-server.ts';

export const TRAIL_STORES = ['embedded', 'redis'] as const;
export const bossOf = storeOwner('tester', 'command-line');

/** A call as a gate records it; what is not said is as in `DECISION`. */
export type Recorded = Partial<DecisionFacts> & Pick<DecisionFacts, 'account'>;

/** A registry and a record of calls in a fresh store, with the administration over both. */
export interface TrailBench {
  readonly store: RegistryStore;
  readonly audit: AuditReader;
  readonly admin: Administration;
  /** Of the administration: so much later than it is. */
  readonly clock: Clock & { aheadMs: number };
  /** Another administration of the same, that looks at so many events for an answer. */
  adminOf(examinedMax?: number, more?: Pick<AdminContext, 'identityRoles'>): Administration;
  /** Appends decisions of calls, each permit with its outcome, as one instance. */
  record(instance: string, calls: readonly Recorded[]): Promise<void>;
  /** Appends lines as they are. */
  append(instance: string, lines: readonly string[]): Promise<void>;
  close(): Promise<void>;
}

const RETENTION = { days: 90, maxBytes: 0 } as const;

/** Null for a store that cannot be run here. */
export async function openTrailBench(
  kind: (typeof TRAIL_STORES)[number],
  routes: readonly Route[] | null,
): Promise<TrailBench | null> {
  if (kind === 'redis' && findRedisServer() === null) return null;
  const { store, log, audit, close } = kind === 'redis' ? await onRedis() : await embedded();
  await store.initialise(seededRoles(new Date().toISOString()));
  const clock = {
    aheadMs: 0,
    wallMs: () => Date.now() + clock.aheadMs,
    monotonicMs: () => systemClock.monotonicMs() + clock.aheadMs,
  };
  const adminOf: TrailBench['adminOf'] = (examinedMax, more = {}) =>
    createAdministration({
      ...more,
      ...{ store, clock, instance: null, routes: () => routes, audit },
      trails: createTrails({ audit, clock, ...(examinedMax === undefined ? {} : { examinedMax }) }),
    });
  const seqs = new Map<string, number>();
  const take = async (instance: string, entries: readonly Entry[]) => {
    const first = (seqs.get(instance) ?? 0) + 1;
    seqs.set(instance, first + entries.length - 1);
    for (let at = 0; at < entries.length; at += 500)
      await log.append(batchOf(instance, first + at, entries.slice(at, at + 500)));
  };
  const append = (instance: string, lines: readonly string[]) =>
    take(
      instance,
      lines.map((event) => ({ event, account: null })),
    );
  const record = (instance: string, calls: readonly Recorded[]) =>
    take(
      instance,
      calls.flatMap((call, n) =>
        linesOf(instance, n, call).map((event) => ({ event, account: call.account?.id ?? null })),
      ),
    );
  return { store, audit, clock, admin: adminOf(), adminOf, record, append, close };
}

function linesOf(instance: string, n: number, call: Recorded): readonly string[] {
  const events = new CallEvents(instance);
  const facts = { ...DECISION, id: `${instance}-${n}`, timeMs: Date.now(), ...call };
  const decision = decisionLine(events, 2 * n + 1, facts);
  const { id, timeMs, account, route, application, reason } = facts;
  const ended = { ...OUTCOME, id, timeMs, account, route, application };
  return reason === 'permitted' ? [decision, outcomeLine(events, 2 * n + 2, ended)] : [decision];
}

async function embedded() {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-trail-'));
  const store = openEmbeddedRegistry(join(folder, 'registry.db'));
  const path = join(folder, 'audit.db');
  const audit = await openEmbeddedAudit({ path, retention: RETENTION, activityPerAccount: 100 });
  const close = async () => {
    await audit.close();
    await store.close();
    rmSync(folder, { recursive: true });
  };
  return { store: store as RegistryStore, log: audit as AuditLog, audit, close };
}

async function onRedis() {
  const server = await startRedis();
  const settings = { url: server.url, username: null, password: null, tls: null, name: 'trail' };
  const [forRegistry, forAudit] = [connectRedis(settings), connectRedis(settings)];
  const store = new RedisRegistryStore(forRegistry, { keyPrefix: 'test', name: 'trail' });
  const log = createRedisAuditLog({
    ...{ connection: forAudit, prefix: 'test', clock: systemClock, retention: RETENTION },
    activityPerAccount: 100,
    projection: { activityLost: () => {} },
  });
  const audit = createRedisAuditReader(forAudit, 'test');
  const close = async () => {
    await log.close();
    forAudit.close();
    await store.close();
    await server.stop();
  };
  return { store: store as RegistryStore, log: log as AuditLog, audit, close };
}

import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { beforeEach, describe, expect, it } from 'vitest';
import { verifyAudit } from '../../src/admin/verify-audit.ts';
import { createRedisAuditReader } from '../../src/audit/log/redis/reader.ts';
import { connectRedis } from '../../src/store/redis.ts';
import type { GatewayOptions, TestGateway } from '../support/gateway.ts';
import { requireOrSkip } from '../support/system.ts';
import {
  Callers,
  readyz,
  type Store,
  startAnother,
  startGate,
  startStore,
  stopAfterwards,
} from './gates.ts';

beforeEach((ctx) => requireOrSkip(ctx, 'redis-server'));

const BOUND = { timeout: 30_000 };
const LEASE_MS = 60_000;

async function outcome(gate: TestGateway, name: string): Promise<number> {
  const text = await gate.gateway.metrics.text();
  const line = new RegExp(`^sallyport_audit_events_total\\{outcome="${name}"\\} (\\d+)$`, 'm');
  return Number(line.exec(text)?.[1] ?? 0);
}

async function spoolBytes(gate: TestGateway): Promise<number> {
  const text = await gate.gateway.metrics.text();
  return Number(/^sallyport_audit_spool_bytes (\d+)$/m.exec(text)?.[1]);
}

/** A ready gate that waits for its records, and a client that it has let in. */
async function open(store: Store, audit: object = {}, options: Partial<GatewayOptions> = {}) {
  const gate = await startGate(store, {
    leaseMs: LEASE_MS,
    ...options,
    config: { audit: { foldRefusalsAfter: 1_000_000, ...audit } },
  });
  const callers = new Callers();
  await callers.letIn(gate.port, gate.token);
  const redis = new Redis(store.redis.port, '127.0.0.1', { lazyConnect: true });
  redis.on('error', () => {});
  stopAfterwards(async () => redis.disconnect());
  return { gate, callers, redis };
}

async function calls(callers: Callers, gate: TestGateway, count: number, line = 'POST /change') {
  const statuses = new Set<number>();
  for (let done = 0; done < count; done += 1)
    statuses.add((await callers.call(gate.port, gate.token, line)).status);
  return [...statuses];
}

/** All that is in the spool is in the store, once. */
async function replayed(gate: TestGateway): Promise<void> {
  await expect
    .poll(async () => (await readyz(gate.gateway)).body.checks, BOUND)
    .toContainEqual({
      name: 'audit',
      state: 'ok',
    });
  const seqs = (await gate.events()).flatMap(({ instance, seq }) =>
    instance === gate.gateway.instance && seq !== undefined ? [seq] : [],
  );
  expect(seqs.toSorted((a, b) => a - b)).toEqual(seqs.map((_seq, at) => at + 1));
}

describe('while Redis', () => {
  const faults: Record<
    string,
    (store: Store, redis: Redis) => Promise<() => Promise<unknown> | unknown>
  > = {
    'stands still': async ({ redis }) => {
      redis.pause();
      return () => redis.resume();
    },
    'is gone': async ({ redis }) => {
      await redis.kill();
      return () => redis.restart();
    },
    'has no memory': async (_store, root) => {
      await root.config('SET', 'maxmemory', '1');
      return () => root.config('SET', 'maxmemory', '0');
    },
    'is a replica': async (_store, root) => {
      await root.call('REPLICAOF', '127.0.0.1', '1');
      return () => root.call('REPLICAOF', 'NO', 'ONE');
    },
  };
  it.each(Object.keys(faults))(
    '%s, calls go on, and their records are in it once it is well',
    async (name) => {
      const store = await startStore();
      const { gate, callers, redis } = await open(store);
      const heal = await faults[name]!(store, redis);
      expect(await calls(callers, gate, 20)).toEqual([200]);
      expect(await spoolBytes(gate)).toBeGreaterThan(0);
      const { body } = await readyz(gate.gateway);
      expect(body.checks.find((check) => check.name === 'audit')).toMatchObject({
        state: 'warning',
        why: expect.stringContaining('records go to the local spool'),
      });
      await heal();
      await replayed(gate);
      await expect.poll(() => spoolBytes(gate), BOUND).toBe(0);
      expect(await outcome(gate, 'replayed')).toBeGreaterThanOrEqual(20);
      expect(await outcome(gate, 'lost')).toBe(0);
      expect(await calls(callers, gate, 3)).toEqual([200]);
      await callers.examine(gate, store.upstream);
    },
  );
});

describe('a spool', () => {
  it('that is full forwards nothing, and 503 says why; strangers have a quarter of it', async () => {
    const store = await startStore();
    const { gate, callers } = await open(store, { spool: { maxBytes: 2 ** 20 } });
    store.redis.pause();
    const path = `POST /${'x'.repeat(6000)}`;
    const told = async (token: string | null) => {
      for (let count = 0; count < 400; count += 1) {
        const { status, reason } = await callers.call(gate.port, token, path);
        if (status === 503) return { reason, count };
      }
      return { reason: null, count: 400 };
    };
    // No room, and not only no answer in time from a busy disk.
    for (let count = 0; (await outcome(gate, 'unrecorded')) === 0; count += 1) {
      expect(count).toBeLessThan(400);
      await callers.call(gate.port, null, path);
    }
    expect(await spoolBytes(gate)).toBeLessThan(2 ** 19);
    await expect.poll(() => calls(callers, gate, 5), BOUND).toEqual([200]);
    expect((await callers.call(gate.port, null, path)).reason).toBe('audit-unavailable');
    expect((await told(gate.token)).reason).toBe('audit-unavailable');
    const forwarded = store.upstream.requests.length;
    expect(await calls(callers, gate, 3)).toEqual([503]);
    expect(store.upstream.requests.length).toBe(forwarded);
    store.redis.resume();
    await expect.poll(() => calls(callers, gate, 1), BOUND).toEqual([200]);
    await replayed(gate);
  });

  it('on a disk that is full, or read-only, forwards nothing either', async (ctx) => {
    if (process.getuid?.() !== 0) ctx.skip('mounting needs root');
    const store = await startStore();
    const { gate, callers } = await open(store);
    const folder = join(gate.dataDir, 'spool', gate.gateway.instance);
    mkdirSync(folder, { recursive: true });
    const mount = (...words: string[]) => execFileSync('mount', words, { stdio: 'pipe' });
    try {
      mount('-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', folder);
    } catch {
      ctx.skip('this system mounts no tmpfs');
    }
    stopAfterwards(async () => void execFileSync('umount', ['-l', folder]));
    store.redis.pause();
    const path = `POST /${'x'.repeat(6000)}`;
    const until503 = async () => {
      for (let count = 0; count < 400; count += 1)
        if ((await calls(callers, gate, 1, path))[0] === 503) return count;
      return null;
    };
    expect(await until503()).toBeGreaterThan(5);
    const forwarded = store.upstream.requests.length;
    expect(await calls(callers, gate, 3)).toEqual([503]);
    expect(store.upstream.requests.length).toBe(forwarded);
    store.redis.resume();
    await replayed(gate);
    // Once no file of it is open for writing.
    const isReadOnly = () => {
      try {
        mount('-o', 'remount,ro', folder);
        return true;
      } catch {
        return false;
      }
    };
    await expect.poll(isReadOnly, BOUND).toBe(true);
    store.redis.pause();
    expect(await calls(callers, gate, 3)).toEqual([503]);
    store.redis.resume();
    await expect.poll(() => calls(callers, gate, 1), BOUND).toEqual([200]);
    await replayed(gate);
  });
});

describe('what the disk has lost of an instance that is gone', () => {
  it('is told by an event of who takes its folder over, and by `audit verify`', async () => {
    const store = await startStore();
    const { gate, callers } = await open(store);
    await store.redis.kill();
    expect(await calls(callers, gate, 6)).toEqual([200]);
    await gate.gateway.close();
    const gone = gate.gateway.instance;
    const file = join(gate.dataDir, 'spool', gone, '00000001.spool');
    const bytes = readFileSync(file);
    bytes[Math.floor(bytes.length / 2)]! ^= 1;
    writeFileSync(file, bytes);
    await store.redis.restart();
    const next = await startAnother(gate.config, {}, gate.dataDir);
    const told = async () => (await gate.events()).filter(({ type }) => type === 'events-lost');
    await expect.poll(async () => (await told()).length, BOUND).toBe(1);
    const [loss] = await told();
    expect(loss).toMatchObject({
      instance: next.gateway.instance,
      ofInstance: gone,
      reason: 'spool-damaged',
    });
    const { firstSeq, lastSeq } = loss as { firstSeq?: number; lastSeq?: number };
    await next.gateway.close();
    const connection = connectRedis({
      url: store.redis.url,
      username: null,
      password: null,
      tls: null,
      name: 'verify',
    });
    stopAfterwards(async () => connection.close());
    const { record } = createRedisAuditReader(connection, 'sallyport');
    expect(await verifyAudit(record, {})).toMatchObject({
      edits: 0,
      findings: [{ kind: 'lost', instance: gone, firstSeq, lastSeq }],
    });
  });
});

describe('what Redis has lost', () => {
  it.each(['local', 'both'])(
    'has been in the spool under `%s`, and is in Redis again',
    async (durability) => {
      const store = await startStore();
      const { gate, callers, redis } = await open(store, { durability });
      const before = await outcome(gate, 'accepted');
      expect(await calls(callers, gate, 10)).toEqual([200]);
      await expect.poll(() => outcome(gate, 'accepted'), BOUND).toBe(before + 20);
      await replayed(gate);
      const keys = await redis.keys('sallyport:audit:*');
      await redis.del(...keys);
      // With nothing more to record, too.
      await expect.poll(async () => (await gate.events()).length, BOUND).toBeGreaterThan(20);
      await replayed(gate);
      expect(await outcome(gate, 'lost')).toBe(0);
      await callers.examine(gate, store.upstream);
    },
  );

  it('is counted under `store`, and an event says which numbers', async () => {
    const store = await startStore();
    const { gate, callers, redis } = await open(store);
    expect(await calls(callers, gate, 10)).toEqual([200]);
    await expect
      .poll(async () => await gate.gateway.metrics.text(), BOUND)
      .toMatch(/^sallyport_audit_pending 0$/m);
    const accepted = await outcome(gate, 'accepted');
    await redis.del(...(await redis.keys('sallyport:audit:*')));
    await expect.poll(() => outcome(gate, 'lost'), BOUND).toBe(accepted);
    const events = async () => (await gate.events()).filter(({ type }) => type === 'events-lost');
    await expect
      .poll(events, BOUND)
      .toMatchObject([{ firstSeq: 1, lastSeq: accepted, count: accepted, reason: 'failover' }]);
    expect(await calls(callers, gate, 3)).toEqual([200]);
    expect(await outcome(gate, 'lost')).toBe(accepted);
  });
});

import { expect, it } from 'vitest';
import type { Config } from '../../../src/config/schema.ts';
import { Descriptors, planDescriptors } from '../../../src/gateway/descriptors.ts';
import type { Log } from '../../../src/telemetry/log.ts';

function config(
  connections: number,
  upstreams: readonly number[],
  admin = false,
  decision = false,
): Config {
  return {
    limits: { connections },
    listen: { ops: {}, admin: admin ? {} : null, decision: decision ? {} : null },
    upstreams: upstreams.map((maxConnections) => ({ addresses: [{}, {}], maxConnections })),
  } as unknown as Config;
}

it('takes nothing away where the limit is not known, or is high enough', () => {
  const given = config(1000, [100]);
  expect(planDescriptors(given, null)).toEqual({
    clients: 1000,
    upstreams: Number.POSITIVE_INFINITY,
    shortage: null,
  });
  expect(planDescriptors(given, 1424)).toEqual({ clients: 1000, upstreams: 200, shortage: null });
  expect(planDescriptors(given, 1423).shortage).toEqual({ limit: 1423, needed: 1424 });
});

it('counts no more connections to upstreams than calls can be under way', () => {
  expect(planDescriptors(config(100, [512]), 424).shortage).toBe(null);
});

it('keeps what those need that ask for decisions', () => {
  expect(planDescriptors(config(1000, [100], false, true), 2447).shortage).toEqual({
    limit: 2447,
    needed: 1424 + 1024,
  });
});

it('keeps the reserve whatever the limit is, and halves the rest', () => {
  for (let limit = 64; limit < 20_000; limit += 7) {
    const { clients, upstreams, shortage } = planDescriptors(config(20_000, [512], true), limit);
    expect(shortage).toEqual({ limit, needed: 20_000 + 1024 + 736 });
    expect(clients + upstreams).toBeLessThanOrEqual(
      Math.max(16, limit - Math.min(736, limit >> 1)),
    );
    expect(upstreams).toBeGreaterThanOrEqual(Math.min(1024, clients - 1));
  }
});

it('lets neither side have what the other took before a reload, and warns of each new plan', () => {
  let clients = 0;
  const warned: unknown[] = [];
  const descriptors = new Descriptors({
    config: config(1000, [4]),
    limit: 424,
    clients: () => clients,
    count: () => {},
    log: { warn: (...said: unknown[]) => void warned.push(said) } as unknown as Log,
  });
  const now = () => [descriptors.clients, descriptors.upstreams];
  // 424 - 212 of reserve = 212 for both.
  expect([now(), warned.length]).toEqual([[204, 8], 1]);
  clients = 200;
  descriptors.replan(config(1000, [40]));
  expect([now(), warned.length]).toEqual([[132, 12], 2]);
  clients = 100;
  expect(now()).toEqual([132, 80]);
  for (let n = 0; n < 80; n += 1) expect(descriptors.budget.take()).toBe(true);
  expect(descriptors.budget.take()).toBe(false);
  descriptors.replan(config(1000, [4]));
  expect(now()).toEqual([132, 8]);
  for (let n = 0; n < 60; n += 1) descriptors.budget.give();
  expect(now()).toEqual([192, 8]);
  descriptors.replan(config(1000, [4]));
  expect(warned).toHaveLength(4);
});

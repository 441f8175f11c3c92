import { expect, it } from 'vitest';
import type { Config } from '../../../src/config/schema.ts';
import { planDescriptors } from '../../../src/gateway/descriptors.ts';

function config(connections: number, upstreams: readonly number[], admin = false): Config {
  return {
    limits: { connections },
    listen: { ops: {}, admin: admin ? {} : null },
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

import { setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, describe, expect, it } from 'vitest';
import type { SeenAnswer } from '../support/call-ledger.ts';
import { owner } from '../support/gateway.ts';
import { requireOrSkip } from '../support/system.ts';
import { startRelay } from '../support/tcp-relay.ts';
import {
  Callers,
  isReady,
  kinds,
  startAnother,
  startGate,
  startStore,
  stopAfterwards,
} from './gates.ts';

beforeEach((ctx) => requireOrSkip(ctx, 'redis-server'));

const ROTATIONS = 200;

function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)]!;
}

function shown(durations: readonly number[]): string {
  const sorted = durations.toSorted((a, b) => a - b);
  const [p50, p99] = [percentile(sorted, 0.5), percentile(sorted, 0.99)].map((value) =>
    value.toFixed(1),
  );
  return `p50 ${p50} ms, p99 ${p99} ms, at most ${sorted.at(-1)!.toFixed(1)} ms`;
}

describe('two gates on one Redis', () => {
  it('both refuse a rotated token from the moment the rotation is answered, under load', async () => {
    const store = await startStore();
    const first = await startGate(store);
    const second = await startAnother(first.config);
    await isReady(second.gateway);
    const callers = new Callers();
    const bystander = await first.createAccount({ name: 'bystander', role: 'tester' });
    const over = Promise.withResolvers<void>();
    const load = [first.port, second.port].map((port) =>
      callers.callWhile(over.promise, port, bystander.token, { everyMs: 10 }),
    );

    const rotating = await first.createAccount({ name: 'rotating', role: 'tester' });
    let token = rotating.token;
    const inForceMs: number[] = [];
    const answeredMs: number[] = [];
    for (let rotation = 0; rotation < ROTATIONS; rotation += 1) {
      // Both know the account, so that both have something to forget.
      for (const { port } of [first, second])
        expect((await callers.call(port, token)).status).toBe(200);
      const old = token;
      const begin = performance.now();
      const rotated = await first.administration.rotateToken(owner, { id: rotating.id });
      answeredMs.push(performance.now() - begin);
      expect(rotated.revocation).toMatchObject({ effective: true, instances: 2, acknowledged: 2 });
      inForceMs.push(rotated.revocation!.slowestMs!);
      const answers = await Promise.all([first, second].map(({ port }) => callers.call(port, old)));
      expect(answers.map(({ status }) => status)).toEqual([401, 401]);
      token = rotated.token;
    }
    over.resolve();
    for (const answers of await Promise.all(load)) expect(kinds(answers)).toEqual(['200']);
    console.log(
      `${ROTATIONS} rotations: in force on both gates after ${shown(inForceMs)}, answered after ${shown(answeredMs)}`,
    );
  }, 120_000);

  it('agree within the lease even when one of them no longer hears the feed', async () => {
    const store = await startStore();
    const relay = await startRelay(store.redis.port);
    stopAfterwards(() => relay.stop());
    const leaseMs = 3000;
    const first = await startGate(store, { leaseMs });
    if (first.config.store.kind !== 'redis') throw new Error('the gate was to work with Redis');
    const deaf = await startAnother(first.config, {
      store: { ...first.config.store, url: `redis://127.0.0.1:${relay.port}` },
    });
    await isReady(deaf.gateway);
    const callers = new Callers();
    await callers.letIn(deaf.port, first.token);
    // The connection of the feed alone goes silent; those for look-ups, leases and records live.
    relay.silence((head) => head.includes('sallyport-test:feed'));
    // Not waited for: the rotation waits for the deaf gate too.
    const changedMs = performance.now();
    const rotation = first.administration.rotateToken(owner, { id: first.account.id });
    // A lease that was renewed before the change was stored may run its whole time: counted from
    // when the gate that hears the feed knows of it.
    let storedMs = 0;
    const stored = expect
      .poll(async () => (await callers.call(first.port, first.token)).status, {
        timeout: 30_000,
        interval: 5,
      })
      .toBe(401)
      .then(() => {
        storedMs = performance.now();
      });
    let lastGoodMs = changedMs;
    for (;;) {
      const begin = performance.now();
      const answer = await callers.call(deaf.port, first.token);
      if (answer.status === 200) lastGoodMs = begin;
      else expect([401, 503]).toContain(answer.status);
      if (answer.status === 401) break;
      expect(begin - changedMs).toBeLessThan(60_000);
      await sleep(20);
    }
    console.log(
      `the feed cut, lease ${leaseMs} ms: the old token was last let in ${Math.round(lastGoodMs - changedMs)} ms after the change`,
    );
    await stored;
    expect(lastGoodMs - storedMs).toBeLessThanOrEqual(leaseMs);
    const { token } = await rotation;
    await expect
      .poll(async () => (await callers.call(deaf.port, token)).status, { timeout: 30_000 })
      .toBe(200);
    relay.heal();
    await isReady(deaf.gateway);
    expect((await callers.call(deaf.port, token)).status).toBe(200);
  }, 90_000);

  it('keep to the lease when one of them is cut off from Redis altogether', async () => {
    const store = await startStore();
    const relay = await startRelay(store.redis.port);
    stopAfterwards(() => relay.stop());
    const leaseMs = 2000;
    const first = await startGate(store, { leaseMs, guarantee: 'buffered' });
    if (first.config.store.kind !== 'redis') throw new Error('the gate was to work with Redis');
    const cut = await startAnother(first.config, {
      store: { ...first.config.store, url: `redis://127.0.0.1:${relay.port}` },
    });
    await isReady(cut.gateway);
    const callers = new Callers();
    await callers.letIn(cut.port, first.token);
    relay.silence();
    const changedMs = performance.now();
    const rotation = first.administration.rotateToken(owner, { id: first.account.id });
    let lastGoodMs = changedMs;
    const seen: SeenAnswer[] = [];
    while (
      performance.now() - changedMs < leaseMs + 1000 ||
      (seen.at(-1)?.status === 200 && lastGoodMs - changedMs <= leaseMs)
    ) {
      const begin = performance.now();
      const answer = await callers.call(cut.port, first.token);
      if (answer.status === 200) lastGoodMs = begin;
      seen.push(answer);
      await sleep(20);
    }
    for (const kind of kinds(seen)) expect(kind).toMatch(/^(200|503 registry-unavailable)$/);
    expect(lastGoodMs - changedMs).toBeLessThanOrEqual(leaseMs);
    expect(seen.at(-1)!.status).toBe(503);
    // Nobody was acknowledged, so the answer tells when it is certain.
    const { revocation } = await rotation;
    expect(revocation).toMatchObject({ instances: 2 });
    relay.heal();
    await isReady(cut.gateway);
    await expect
      .poll(async () => (await callers.call(cut.port, first.token)).status, { timeout: 30_000 })
      .toBe(401);
  }, 90_000);
});

describe('an upstream that is down', () => {
  it('is a 502 for as long as it is down, costs nobody else anything, and is back without a restart', async () => {
    const store = await startStore();
    const gate = await startGate(store, {
      upstreams: {
        raw: { addresses: ['http://127.0.0.1:1'] },
        well: { addresses: [store.upstream.url] },
      },
      routes: [
        {
          name: 'down',
          path: '/down',
          methods: ['GET', 'POST'],
          application: 'any',
          permission: 'test:all',
          upstream: 'raw',
        },
        {
          name: 'well',
          path: '/well',
          methods: ['GET', 'POST'],
          application: 'any',
          permission: 'test:all',
          upstream: 'well',
        },
      ],
    });
    const callers = new Callers();
    for (const line of ['GET /down', 'POST /down']) {
      expect(await callers.call(gate.port, gate.token, line)).toMatchObject({
        status: 502,
        reason: 'upstream-unreachable',
      });
      expect((await callers.call(gate.port, gate.token, 'POST /well')).status).toBe(200);
    }
    expect(gate.gateway.ready).toBe(true);
    await callers.examine(gate, store.upstream);
  });
});

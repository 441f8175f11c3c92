import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, describe, expect, it } from 'vitest';
import type { SeenAnswer } from '../support/call-ledger.ts';
import { connectRaw } from '../support/raw-client.ts';
import { requireOrSkip } from '../support/system.ts';
import { Callers, isReady, kinds, readyz, startAnother, startGate, startStore } from './gates.ts';

beforeEach((ctx) => requireOrSkip(ctx, 'redis-server'));

/** No caller waits longer; the deadline is a second, the rest is for a busy machine. */
const ANSWERED_MS = 15_000;

describe('a Redis that is killed and comes back', () => {
  it.each(['acknowledged', 'buffered'] as const)(
    'under `%s` costs no restart and no record, and nobody is told a lie',
    async (guarantee) => {
      const store = await startStore();
      const gate = await startGate(store, { guarantee, leaseMs: 2000 });
      const callers = new Callers();
      await callers.letIn(gate.port, gate.token);

      await store.redis.kill();
      const away: SeenAnswer[] = [];
      const begun = performance.now();
      // The lease has run out by then, whatever the guarantee; a machine that stood still has its
      // time to notice.
      for (
        ;
        performance.now() - begun < 3500 ||
        (away.at(-1)?.status === 200 && performance.now() - begun < 30_000);
      ) {
        for (const line of ['GET /read', 'POST /change']) {
          const answer = await callers.call(gate.port, gate.token, line);
          expect(answer.tookMs).toBeLessThan(ANSWERED_MS);
          away.push(answer);
        }
        await sleep(50);
      }
      expect(away.at(-1)).toMatchObject({
        status: 503,
        reason: 'registry-unavailable',
      });
      expect((await readyz(gate.gateway)).status).toBe(503);
      // The spool has the records: calls go on for as long as the lease does.
      expect(away.filter(({ status }) => status === 200).length).toBeGreaterThan(10);
      expect(kinds(away)).toEqual(['200', '503 registry-unavailable']);

      await store.redis.restart();
      const begin = performance.now();
      await isReady(gate.gateway);
      console.log(
        `Redis killed, ${guarantee}: ready ${Math.round(performance.now() - begin)} ms after it was back`,
      );
      await callers.letIn(gate.port, gate.token, 'POST /after');
      expect((await callers.call(gate.port, `${gate.token.slice(0, -1)}-`)).status).toBe(401);
      await callers.examine(gate, store.upstream);
    },
  );
});

describe('a Redis that is frozen', () => {
  it('for less than the lease is not noticed by those whose account is cached', async () => {
    const store = await startStore();
    const gate = await startGate(store, { guarantee: 'buffered', leaseMs: 10_000 });
    const callers = new Callers();
    await callers.letIn(gate.port, gate.token);
    store.redis.pause();
    const over = sleep(1000).finally(() => store.redis.resume());
    const answers = await callers.callWhile(
      over.then(() => sleep(500)),
      gate.port,
      gate.token,
      { line: 'POST /change' },
    );
    expect(kinds(answers)).toEqual(['200']);
    await isReady(gate.gateway);
    await callers.examine(gate, store.upstream);
  });

  it('for longer stops them at the lease, with 503 and never 401, and they come back without a restart', async () => {
    const store = await startStore();
    const leaseMs = 3000;
    const gate = await startGate(store, { guarantee: 'buffered', leaseMs });
    const callers = new Callers();
    await callers.letIn(gate.port, gate.token);
    store.redis.pause();
    const frozenMs = performance.now();
    let lastGoodMs = 0;
    const seen: SeenAnswer[] = [];
    while (
      performance.now() - frozenMs < 5000 ||
      (seen.at(-1)?.status === 200 && lastGoodMs <= leaseMs)
    ) {
      const begin = performance.now();
      const answer = await callers.call(gate.port, gate.token);
      if (answer.status === 200) lastGoodMs = begin - frozenMs;
      seen.push(answer);
      await sleep(20);
    }
    expect(kinds(seen)).toEqual(['200', '503 registry-unavailable']);
    console.log(
      `Redis frozen, lease ${leaseMs} ms: the last call that was let in came ${Math.round(lastGoodMs)} ms after the freeze`,
    );
    // Measured at the caller: a call that began within the lease.
    expect(lastGoodMs).toBeLessThanOrEqual(leaseMs);
    expect(seen.at(-1)).toMatchObject({ status: 503, reason: 'registry-unavailable' });
    store.redis.resume();
    const begin = performance.now();
    await isReady(gate.gateway);
    console.log(`Redis frozen: ready ${Math.round(performance.now() - begin)} ms after it went on`);
    await callers.letIn(gate.port, gate.token);
    await callers.examine(gate, store.upstream);
    const told = gate.log.join('').split('\n');
    const away = told.filter((line) => line.includes('the registry does not answer'));
    // One line for each thing that it was told meanwhile, not for each try.
    expect(away.length).toBe(new Set(away.map((line) => JSON.parse(line).error.message)).size);
    expect(told.filter((line) => line.includes('the registry answers again'))).toHaveLength(1);
    expect(told.filter((line) => line.includes('"stack"'))).toEqual([]);
  });

  it('does not let a token be called wrong that could not be looked up', async () => {
    const store = await startStore();
    const gate = await startGate(store, { guarantee: 'buffered', leaseMs: 30_000 });
    const other = await gate.createAccount({ name: 'never-seen', role: 'tester' });
    const callers = new Callers();
    await callers.call(gate.port, gate.token);
    store.redis.pause();
    expect(await callers.call(gate.port, other.token)).toMatchObject({
      status: 503,
      reason: 'registry-unavailable',
    });
    expect((await callers.call(gate.port, gate.token)).status).toBe(200);
    store.redis.resume();
    await isReady(gate.gateway);
    await expect
      .poll(async () => (await callers.call(gate.port, other.token)).status, { timeout: 30_000 })
      .toBe(200);
  });
});

describe('a gate that ends while Redis is frozen', () => {
  it('says that it is ending until its last records are written or given up', async () => {
    const store = await startStore();
    const gate = await startGate(store, { guarantee: 'buffered', leaseMs: 60_000 });
    const callers = new Callers();
    await callers.call(gate.port, gate.token);
    store.redis.pause();
    expect((await callers.call(gate.port, gate.token)).status).toBe(200);
    const ended = gate.gateway.close();
    const reached = () =>
      connectRaw({ port: gate.port }).then(
        (client) => void client.end(),
        () => 'closed',
      );
    await expect.poll(reached).toBe('closed');
    const { status, body } = await readyz(gate.gateway);
    expect(status).toBe(503);
    expect(body.checks.find(({ name }) => name === 'draining')?.why).toMatch(/shutting down/);
    store.redis.resume();
    await ended;
    // What could be written after all is there.
    const phases = (await gate.events()).map(({ phase }) => phase);
    expect(phases.filter((phase) => phase !== 'change' && phase !== 'chain')).toEqual([
      'decision',
      'outcome',
      'decision',
      'outcome',
    ]);
    await expect(readyz(gate.gateway)).rejects.toThrow();
  });

  it('ends all the same, and whoever runs on its data folder next brings its records in', async () => {
    const store = await startStore();
    const gate = await startGate(store, { guarantee: 'buffered', leaseMs: 60_000 });
    const callers = new Callers();
    await callers.call(gate.port, gate.token);
    await gate.events();
    store.redis.pause();
    for (let count = 0; count < 3; count += 1)
      expect((await callers.call(gate.port, gate.token)).status).toBe(200);
    await gate.gateway.close();
    expect(gate.log.some((line) => line.includes('stay in the spool'))).toBe(true);
    expect(await gate.gateway.metrics.text()).not.toMatch(/outcome="lost"\} [1-9]/);
    store.redis.resume();
    await startAnother(gate.config, {}, gate.dataDir);
    const recorded = async () =>
      (await gate.events()).filter(({ phase }) => phase === 'decision' || phase === 'outcome');
    await expect.poll(async () => (await recorded()).length, { timeout: 30_000 }).toBe(8);
    // Of the one that has ended nothing is left over.
    const left = () => readdirSync(join(gate.dataDir, 'spool'));
    await expect.poll(left, { timeout: 30_000 }).not.toContain(gate.gateway.instance);
  });
});

describe('a gate whose store', () => {
  it('is away when it starts opens its port, says 503 and why, and is ready once the store is there', async () => {
    const store = await startStore();
    const first = await startGate(store);
    const callers = new Callers();
    await store.redis.kill();
    const late = await startAnother(first.config);
    expect(late.gateway.ready).toBe(false);
    const answer = await callers.call(late.port, first.token);
    expect(answer.status).toBe(503);
    expect(['registry-unavailable', 'audit-unavailable']).toContain(answer.reason);
    const { status, body } = await readyz(late.gateway);
    expect(status).toBe(503);
    expect(body.checks.find(({ name }) => name === 'registry')?.why).toMatch(/Redis/);
    await store.redis.restart();
    await isReady(late.gateway);
    await isReady(first.gateway);
    expect((await callers.call(late.port, first.token)).status).toBe(200);
    expect((await readyz(late.gateway)).body.ready).toBe(true);
  });

  it('refuses its password says so, and serves nobody', async () => {
    const store = await startStore();
    const first = await startGate(store);
    const callers = new Callers();
    const passwordFile = join(first.dataDir, 'wrong.password');
    writeFileSync(passwordFile, 'wrong-password-4711', { mode: 0o600 });
    const { parseConfig } = await import('../../src/config/load.ts');
    const text = JSON.stringify({
      instance: { name: 'wrong', dataDir: first.dataDir },
      listen: {
        proxy: { address: '127.0.0.1:0', plaintext: true },
        ops: { address: '127.0.0.1:0' },
      },
      store: { kind: 'redis', url: store.redis.url, username: 'gate', passwordFile },
    });
    const wrong = await startAnother(parseConfig(text, join(first.dataDir, 'wrong.yaml')).config);
    expect(wrong.gateway.ready).toBe(false);
    expect((await callers.call(wrong.port, first.token)).status).toBe(503);
    const { body } = await readyz(wrong.gateway);
    expect(body.checks.find(({ name }) => name === 'registry')?.why).toMatch(
      /password|rights|forbid|refuse|WRONGPASS/i,
    );
    expect(wrong.log.join('\n') + JSON.stringify(body)).not.toContain('wrong-password-4711');
  });

  it('has lost everything says 503 to everyone: an empty registry is a lost one, not one without accounts', async () => {
    const store = await startStore();
    const gate = await startGate(store, { guarantee: 'buffered', leaseMs: 2000 });
    const callers = new Callers();
    await callers.letIn(gate.port, gate.token);
    const { Redis } = await import('ioredis');
    const redis = new Redis(store.redis.port, '127.0.0.1');
    await redis.flushall();
    await redis.quit();
    const answers = await callers.callWhile(sleep(4000), gate.port, gate.token);
    for (const kind of kinds(answers))
      expect(kind).toMatch(/^(200|503 registry-(foreign|unavailable))$/);
    expect(answers.at(-1)).toMatchObject({ status: 503, reason: 'registry-foreign' });
    expect(
      (await readyz(gate.gateway)).body.checks.find(({ name }) => name === 'registry')?.why,
    ).toMatch(/registry/);
  });
});

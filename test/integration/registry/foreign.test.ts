import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { newRoles } from '../../../src/admin/new-roles.ts';
import { systemClock } from '../../../src/clock.ts';
import { type Gateway, startGateway as start } from '../../../src/gateway/gateway.ts';
import { RedisRegistryStore } from '../../../src/registry/redis/registry.ts';
import { readRevoked } from '../../../src/registry/revoked/file.ts';
import { connectRedis } from '../../../src/store/redis.ts';
import { createLog } from '../../../src/telemetry/log.ts';
import { owner, startGateway, type TestGateway } from '../../support/gateway.ts';
import { startRawUpstream } from '../../support/raw-upstream.ts';
import { type RedisServer, redisMissing, startRedis } from '../../support/redis-server.ts';

const WITHIN = { timeout: 30_000 };

let upstream: Awaited<ReturnType<typeof startRawUpstream>>;
beforeAll(async () => {
  upstream = await startRawUpstream({
    answer: () => [{ send: 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n' }],
  });
});
afterAll(() => upstream.stop());

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

async function gate(store: 'embedded' | { url: string }): Promise<TestGateway> {
  const made = await startGateway({
    upstreams: { raw: { addresses: [upstream.url] } },
    store,
    plaintext: true,
    leaseMs: 2_000,
  });
  cleanups.push(() => made.stop());
  return made;
}

/** Another process of the same data folder, as a restart would be. */
async function again(of: TestGateway): Promise<Gateway> {
  const log = createLog({ format: 'json', level: 'error', write: () => {} });
  const gateway = await start(of.config, { log });
  cleanups.push(() => gateway.close());
  return gateway;
}

async function call(port: number, token: string): Promise<[number, string | null]> {
  const answer = await fetch(`http://127.0.0.1:${port}/x`, {
    headers: { authorization: `Bearer ${token}` },
  });
  const text = await answer.text();
  return [answer.status, text === '' ? null : (JSON.parse(text) as { reason: string }).reason];
}

const FOREIGN = [503, 'registry-foreign'];

describe('a Redis that was emptied', () => {
  const missing = redisMissing();
  let redis: RedisServer;
  beforeAll(async () => {
    if (missing === null) redis = await startRedis();
  });
  afterAll(() => redis?.stop());

  function connect() {
    return connectRedis({
      url: redis.url,
      username: null,
      password: null,
      tls: null,
      name: 'behind',
    });
  }

  it('is 503 registry-foreign until an operator adopts another registry', async (ctx) => {
    if (missing !== null) ctx.skip(missing);
    const first = await gate({ url: redis.url });
    expect(await call(first.port, first.token)).toEqual([200, null]);
    const behind = connect();
    cleanups.push(async () => behind.close());

    await behind.call('FLUSHALL');
    await expect.poll(() => call(first.port, first.token), WITHIN).toEqual(FOREIGN);
    // Neither a change nor a start makes a registry.
    await expect(first.createAccount({ name: 'x', role: 'none' })).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('registry init'),
    });
    const restarted = await again(first);
    expect(await call(restarted.addresses.proxy!.port, first.token)).toEqual(FOREIGN);
    expect(await behind.call('EXISTS', 'sallyport:{registry}:meta')).toBe(0);

    const store = new RedisRegistryStore(connect(), { keyPrefix: 'sallyport', name: 'init' });
    cleanups.push(() => store.close());
    expect(await store.initialise(newRoles(systemClock))).toBe(true);
    const id = (await store.identify())!;
    await expect
      .poll(() => JSON.stringify(restarted.readiness), WITHIN)
      .toContain(`registry adopt ${id}`);
    for (const { port } of [first, { port: restarted.addresses.proxy!.port }])
      expect(await call(port, first.token)).toEqual(FOREIGN);
    await expect(first.createAccount({ name: 'x', role: 'none' })).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining(`registry adopt ${id}`),
    });

    // The folder is told once, by whichever process; both gates take it over.
    await first.control.administration.registryAdopt(owner, { id });
    for (const { port } of [first, { port: restarted.addresses.proxy!.port }])
      await expect.poll(() => call(port, first.token), WITHIN).toEqual([401, 'token-refused']);
    const { token } = await first.createAccount({ name: 'x', role: 'administrator' });
    expect(await call(first.port, token)).toEqual([200, null]);
  });
});

describe('an embedded registry that is gone', () => {
  it('is 503 registry-foreign after the next start, until another one is adopted', async () => {
    const first = await gate('embedded');
    expect(await call(first.port, first.token)).toEqual([200, null]);
    await first.gateway.close();
    for (const suffix of ['', '-wal', '-shm'])
      rmSync(join(first.dataDir, `registry.db${suffix}`), { force: true });

    const second = await again(first);
    const { port } = second.addresses.proxy!;
    expect(await call(port, first.token)).toEqual(FOREIGN);
    expect(JSON.stringify(second.readiness)).toContain('registry init');
    const { id } = await second.control!.administration.registryInit(owner, {});
    expect(await call(port, first.token)).toEqual(FOREIGN);
    await second.control!.administration.registryAdopt(owner, { id });
    await expect.poll(() => call(port, first.token), WITHIN).toEqual([401, 'token-refused']);
  });

  it('is noticed in a folder of an earlier version, which has no marker', async () => {
    const first = await gate('embedded');
    await first.gateway.close();
    const marker = join(first.dataDir, 'registry-embedded.id');
    rmSync(marker);

    // With its registry the folder gets its marker once.
    const second = await again(first);
    expect(await call(second.addresses.proxy!.port, first.token)).toEqual([200, null]);
    expect(existsSync(marker)).toBe(true);
    await second.close();
    rmSync(marker);
    rmSync(join(first.dataDir, 'registry.db'));
    const third = await again(first);
    expect(await call(third.addresses.proxy!.port, first.token)).toEqual(FOREIGN);
  });
});

it('a gate writes down what it has seen revoked, and its next run knows it', WITHIN, async () => {
  const first = await gate('embedded');
  const { id } = first.account;
  await first.administration.rotateToken(owner, { id, waitMs: 0 });
  await first.gateway.close();
  const seen = readRevoked(first.dataDir, 'embedded');
  expect(seen?.facts.map(([account]) => account)).toContain(id);
  await again(first);
  expect(readRevoked(first.dataDir, 'embedded')?.facts).toEqual(seen?.facts);
});

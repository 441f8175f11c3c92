import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { asAdmin } from '../support/redis-replication.ts';
import { type RedisServer, startRedis } from '../support/redis-server.ts';
import { requireOrSkip } from '../support/system.ts';
import { startFollowing } from './rotation.ts';

// Only reached when what is waited for does not happen.
const LIMIT = { timeout: 60_000, interval: 20 };
vi.setConfig({ testTimeout: 120_000 });

/** A Redis where the user `rotated` has the password `old`, and a file that says so. */
async function passworded(ctx: Parameters<typeof requireOrSkip>[0], onDisk = 'old') {
  requireOrSkip(ctx, 'redis-server');
  const redis = await startRedis();
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-secret-'));
  onTestFinished(async () => {
    await redis.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  const passwordFile = join(folder, 'redis.password');
  const says = (password: string) => writeFileSync(passwordFile, `${password}\n`, { mode: 0o600 });
  says(onDisk);
  await takes(redis, 'old');
  const store = { url: redis.url, username: 'rotated', passwordFile };
  // What a gate that is shut out lets in ends with its lease, which is waited for.
  const following = await startFollowing({
    store,
    administratorStore: { url: redis.url },
    leaseMs: 5_000,
  });
  onTestFinished(() => following.stop());
  return { redis, says, ...following };
}

/** From now on the server takes this password, and no other. */
const takes = (redis: RedisServer, password: string) =>
  asAdmin(redis, null, (root) =>
    root.call('ACL', 'SETUSER', 'rotated', 'on', 'resetpass', `>${password}`, '~*', '&*', '+@all'),
  );

/** As Redis does with `ACL LOAD`, or a balancer in a bad hour. */
const cut = (redis: RedisServer) =>
  asAdmin(redis, null, (root) => root.call('CLIENT', 'KILL', 'USER', 'rotated'));

const connections = (redis: RedisServer) =>
  asAdmin(redis, null, async (root) =>
    [...String(await root.call('CLIENT', 'LIST')).matchAll(/^id=(\d+) .*user=rotated/gm)].map(
      ([, id]) => id,
    ),
  );

it('takes over a password that the server had first, without a restart', async (ctx) => {
  const { redis, says, call, secrets, gate } = await passworded(ctx);
  expect(await call()).toBe('200');
  await takes(redis, 'new');
  await cut(redis);
  await vi.waitFor(async () => expect(await call()).toBe('503'), LIMIT);
  says('new');
  await vi.waitFor(async () => expect(await call()).toBe('200'), LIMIT);
  await vi.waitFor(() => expect(secrets()).toBe(null), LIMIT);
  expect(gate.log.join('\n')).not.toMatch(/"(old|new)"/);
});

it('takes over a password that the file had first: the former one serves meanwhile', async (ctx) => {
  const { redis, says, call, secrets, gate, keepCalling } = await passworded(ctx);
  expect(await call()).toBe('200');
  says('new');
  await vi.waitFor(() => expect(secrets()).toMatch(/^store\.password: .*WRONGPASS/), LIMIT);
  expect(gate.gateway.ready).toBe(true);
  expect(gate.log.some((line) => /not taken over.*store\.password/.test(line))).toBe(true);
  // Who has to connect anew before the server has changed comes in as before.
  const [...before] = await connections(redis);
  await cut(redis);
  await vi.waitFor(
    async () => expect((await connections(redis)).length).toBe(before.length),
    LIMIT,
  );
  await vi.waitFor(async () => expect(await call()).toBe('200'), LIMIT);
  expect(secrets()).toMatch(/WRONGPASS/);
  const calling = keepCalling();
  await takes(redis, 'new');
  await vi.waitFor(() => expect(secrets()).toBe(null), LIMIT);
  expect((await calling.end()).failed).toEqual([]);
  expect(gate.log.some((line) => /are taken over.*store\.password/.test(line))).toBe(true);
});

it('replaces every connection by a new one, and no call fails', async (ctx) => {
  const { redis, says, keepCalling, secrets } = await passworded(ctx);
  await asAdmin(redis, null, (root) => root.call('ACL', 'SETUSER', 'rotated', '>new'));
  const before = await connections(redis);
  expect(before.length).toBeGreaterThan(2);
  const calling = keepCalling();
  says('new');
  await vi.waitFor(async () => {
    const now = await connections(redis);
    expect(now.length).toBe(before.length);
    expect(now.filter((id) => before.includes(id))).toEqual([]);
  }, LIMIT);
  expect(secrets()).toBe(null);
  const { calls: count, failed } = await calling.end();
  expect(count).toBeGreaterThan(10);
  expect(failed).toEqual([]);
});

it('begins to serve once the file says the right password', async (ctx) => {
  const { says, call, gate } = await passworded(ctx, 'wrong');
  expect(gate.gateway.ready).toBe(false);
  says('old');
  await vi.waitFor(async () => expect(await call()).toBe('200'), LIMIT);
});

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { owner } from '../support/gateway.ts';
import { asAdmin } from '../support/redis-replication.ts';
import { type RedisServer, startRedis } from '../support/redis-server.ts';
import { requireOrSkip } from '../support/system.ts';
import { startFollowing } from './rotation.ts';

// Only reached when what is waited for does not happen.
const LIMIT = { timeout: 60_000, interval: 20 };
vi.setConfig({ testTimeout: 120_000 });

/** A gate whose audit has a Redis of its own, and a file with the password for it. */
async function apart(ctx: Parameters<typeof requireOrSkip>[0], leaseMs = 30_000) {
  requireOrSkip(ctx, 'redis-server');
  const redis = await startRedis();
  const audit = await startRedis({
    appendOnly: 'unsynced',
    config: ['--maxmemory', '32mb'],
  });
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-audit-store-'));
  onTestFinished(async () => {
    await redis.stop();
    await audit.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  const passwordFile = join(folder, 'audit.password');
  const says = (password: string) => writeFileSync(passwordFile, `${password}\n`, { mode: 0o600 });
  says('old');
  await takes(audit, 'old');
  const named = { kind: 'redis', url: audit.url, username: 'gate', passwordFile, keyPrefix: 'rec' };
  const following = await startFollowing({
    store: { url: redis.url },
    leaseMs,
    config: { audit: { store: named } },
  });
  onTestFinished(() => following.stop());
  await vi.waitFor(async () => expect(await following.call()).toBe('200'), LIMIT);
  return { redis, audit, says, ...following };
}

/** From now on the server takes this password, and no other. */
const takes = (redis: RedisServer, password: string) =>
  asAdmin(redis, null, (root) =>
    root.call('ACL', 'SETUSER', 'gate', 'on', 'resetpass', `>${password}`, '~rec:*', '+@all'),
  );

const keysOf = (redis: RedisServer, pattern: string) =>
  asAdmin(redis, null, async (root) => ((await root.call('KEYS', pattern)) as string[]).length);

/** Until Redis takes no more. */
const fill = (redis: RedisServer) =>
  asAdmin(redis, null, async (root) => {
    const value = 'x'.repeat(100_000);
    const taken = (n: number) =>
      root.call('SET', `foreign:${n}`, value).then(
        () => true,
        () => false,
      );
    for (let n = 0; await taken(n); n += 1);
  });

it('keeps the audit in the one Redis and everything else in the other', async (ctx) => {
  const { redis, audit, gate } = await apart(ctx);
  const shown = async () =>
    (
      await gate.control.administration.activityPage(owner, { account: null, limit: 50 })
    ).items.filter((line) => line.includes('"type":"call"')).length;
  await vi.waitFor(async () => expect(await shown()).toBeGreaterThan(0), LIMIT);
  expect(await keysOf(audit, 'rec:audit:*')).toBeGreaterThan(0);
  expect(await keysOf(audit, 'rec:activity:*')).toBeGreaterThan(0);
  expect(await keysOf(audit, '*{registry}*')).toBe(0);
  expect(await keysOf(redis, '*:audit:*')).toBe(0);
  expect(await keysOf(redis, '*:activity:*')).toBe(0);
  expect(await keysOf(redis, 'sallyport:{registry}:*')).toBeGreaterThan(0);
});

it.for([
  ['away', (audit: RedisServer) => audit.kill(), (audit: RedisServer) => audit.restart()],
  ['full', fill, (audit: RedisServer) => asAdmin(audit, null, (root) => root.call('FLUSHALL'))],
] as const)(
  'leaves the registry as it is while the audit is %s',
  async ([, breaks, mends], ctx) => {
    const { audit, gate, call } = await apart(ctx);
    await breaks(audit);
    const made = await gate.createAccount({ name: 'meanwhile', role: 'tester' });
    expect(['200', '503']).toContain(await call());
    const rotated = await gate.administration.rotateToken(owner, { id: made.id });
    expect(rotated.revocation).toMatchObject({ effective: true, instances: 1 });
    expect(gate.gateway.readiness.checks).toContainEqual({ name: 'registry', state: 'ok' });
    await mends(audit);
    await takes(audit, 'old');
    await vi.waitFor(async () => expect(await call()).toBe('200'), LIMIT);
  },
);

it('says that the registry is away, and not the audit, when it is so', async (ctx) => {
  const { redis, gate } = await apart(ctx, 5_000);
  await redis.kill();
  const registry = () => gate.gateway.readiness.checks.find(({ name }) => name === 'registry');
  await vi.waitFor(() => expect(registry()?.state).toBe('failed'), LIMIT);
  const audit = gate.gateway.readiness.checks.find(({ name }) => name === 'audit');
  expect(audit).toEqual({ name: 'audit', state: 'ok' });
});

it('takes over a new password of the audit, whichever of file and server has it first', async (ctx) => {
  const { audit, says, call, secrets } = await apart(ctx);
  says('new');
  await vi.waitFor(() => expect(secrets()).toMatch(/^audit\.store\.password: .*WRONGPASS/), LIMIT);
  expect(await call()).toBe('200');
  await takes(audit, 'new');
  await vi.waitFor(() => expect(secrets()).toBe(null), LIMIT);
  await vi.waitFor(async () => expect(await call()).toBe('200'), LIMIT);
});

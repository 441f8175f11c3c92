import { describe, expect, it, vi } from 'vitest';
import { owner } from '../support/gateway.ts';
import { asAdmin } from '../support/redis-replication.ts';
import { startRedis } from '../support/redis-server.ts';
import { requireOrSkip } from '../support/system.ts';
import { type FollowingGate, startFollowing } from './rotation.ts';

const LIMIT = { timeout: 60_000, interval: 20 };
vi.setConfig({ testTimeout: 120_000 });

const LOOPBACK = '127.0.0.1';
const KEY = 'sallyport:audit:{0}:address-key';

async function callsOf({ gate }: FollowingGate): Promise<readonly string[]> {
  const { items } = await gate.control.administration.activityPage(owner, {
    account: null,
    limit: 100,
  });
  return items.filter((line) => line.includes('"type":"call"') && line.includes('clientAddress'));
}

const addressIn = (line: string) => JSON.parse(line).clientAddress as string;

/** Both wait for what a gate does every ten seconds: at the same time. */
describe.concurrent('addresses of clients on record', () => {
  it('gives an address one hash at every instance, and keeps the key where the store lost it', async (ctx) => {
    requireOrSkip(ctx, 'redis-server');
    const redis = await startRedis();
    ctx.onTestFinished(() => redis.stop());
    const open = async () => {
      const following = await startFollowing({
        store: { url: redis.url },
        config: { audit: { clientAddress: 'hashed' } },
      });
      ctx.onTestFinished(() => following.stop());
      return following;
    };
    const one = await open();
    await vi.waitFor(async () => expect(await one.call()).toBe('200'), LIMIT);
    const key = await asAdmin(redis, null, (root) => root.call('GET', KEY));
    const seen = new Set<string>();
    await vi.waitFor(async () => {
      expect(await one.call()).toBe('200');
      for (const line of await callsOf(one)) seen.add(addressIn(line));
      expect(seen.size).toBe(1);
    }, LIMIT);
    const lines = await callsOf(one);
    expect(lines.join('\n')).not.toContain(LOOPBACK);
    expect([...seen]).toEqual([expect.stringMatching(/^hmac:[0-9a-f]{32}$/)]);
    await asAdmin(redis, null, (root) => root.call('DEL', KEY));
    await vi.waitFor(async () => {
      expect(await asAdmin(redis, null, (root) => root.call('GET', KEY))).toBe(key);
    }, LIMIT);
  });

  it('says a network of whoever calls, and judges the address', async (ctx) => {
    requireOrSkip(ctx, 'redis-server');
    const redis = await startRedis();
    ctx.onTestFinished(() => redis.stop());
    const one = await startFollowing({
      store: { url: redis.url },
      config: { audit: { clientAddress: 'truncated', headers: ['Content-Length'] } },
    });
    ctx.onTestFinished(() => one.stop());
    await vi.waitFor(async () => expect(await one.call()).toBe('200'), LIMIT);
    await vi.waitFor(async () => expect((await callsOf(one)).length).toBeGreaterThan(0), LIMIT);
    const lines = await callsOf(one);
    expect(new Set(lines.map(addressIn))).toEqual(new Set(['127.0.0.0/24']));
    expect(lines.some((line) => line.includes('"headers":{"content-length":"0"}'))).toBe(true);
    // What lists and pages show of the last use.
    const uses = () =>
      asAdmin(redis, null, async (root) => {
        const keys = (await root.call('KEYS', 'sallyport:last-used:*')) as string[];
        return Promise.all(keys.map((key) => root.call('HVALS', key)));
      });
    await vi.waitFor(
      async () => expect(await uses()).toEqual([[expect.stringMatching(/^\d+ 127\.0\.0\.0\/24$/)]]),
      LIMIT,
    );
  });
});

import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { until } from '../contract/registry.ts';
import { type GatewayOptions, owner, startGateway, type TestGateway } from '../support/gateway.ts';
import { startRawUpstream } from '../support/raw-upstream.ts';
import { type RedisServer, redisMissing, startRedis } from '../support/redis-server.ts';
import { requireOrSkip } from '../support/system.ts';
import { startRelay, type TcpRelay } from '../support/tcp-relay.ts';

const missing = redisMissing();
/** An upstream that begins an answer and never ends it, as a stream of events does. */
const STREAM =
  'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n6\r\ndata:1\r\n';

/** By then the instance that hears of a change has said so, on a slow machine too. */
const ANSWERED_MS = 4_000;

describe('a revocation with instances on one Redis', () => {
  let redis: RedisServer;
  let relay: TcpRelay;
  let upstream: Awaited<ReturnType<typeof startRawUpstream>>;
  const gates: TestGateway[] = [];

  beforeEach(async (context) => {
    if (missing !== null) context.skip(missing);
    redis = await startRedis();
    relay = await startRelay(redis.port);
    upstream = await startRawUpstream({ answer: () => [{ send: STREAM }] });
  });

  afterEach(async () => {
    if (missing !== null) return;
    relay.heal();
    for (const gate of gates.splice(0)) await gate.stop();
    await upstream.stop();
    await relay.stop();
    await redis.stop();
  });

  async function gate(port: number, options: Partial<GatewayOptions> = {}): Promise<TestGateway> {
    const upstreams = { streams: { addresses: [`http://127.0.0.1:${upstream.port}`] } };
    const store = { url: `redis://127.0.0.1:${port}` };
    const made = await startGateway({ upstreams, store, plaintext: true, ...options });
    gates.push(made);
    await until(() => made.gateway.ready);
    return made;
  }

  /** Opens a stream through a gate and waits until its beginning has come. */
  async function stream(through: TestGateway, token: string | null, path = '/events') {
    const socket: Socket = connect(through.port, '127.0.0.1');
    let text = '';
    const ended = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
    });
    socket.on('error', () => {});
    const authorization = token === null ? '' : `Authorization: Bearer ${token}\r\n`;
    socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n${authorization}\r\n`);
    await until(() => /data:1|^HTTP\/1\.1 [45]/.test(text) || socket.closed);
    return { text: () => text, open: () => !socket.closed, ended, close: () => socket.destroy() };
  }

  it('is in force everywhere when it is answered, and the streams of the account have ended', async () => {
    const [one, two] = [await gate(redis.port), await gate(redis.port)];
    const account = await one.createAccount({ name: 'watcher', role: 'tester' });
    const streams = [await stream(one, account.token), await stream(two, account.token)];
    const others = await stream(two, one.token);
    const { revocation, token } = await one.administration.rotateToken(owner, { name: 'watcher' });
    expect(revocation).toMatchObject({
      effective: true,
      assurance: 'proven',
      instances: 2,
      acknowledged: 2,
      lapsed: 0,
      certainAt: null,
    });
    await Promise.all(streams.map(({ ended }) => ended));
    for (const { text } of streams) expect(text().endsWith('0\r\n\r\n')).toBe(false);
    expect(others.open()).toBe(true);
    expect((await stream(two, account.token)).text()).toMatch(/^HTTP\/1.1 401 /);
    const again = await stream(two, token);
    expect(again.text()).toMatch(/^HTTP\/1.1 200 /);
    again.close();
    others.close();
    const outcomes = (await two.events()).filter(
      ({ phase, reason }) => phase === 'outcome' && reason === 'token-revoked',
    );
    expect(outcomes.length).toBeGreaterThan(0);
  });

  it.each([
    [
      'deactivating',
      'account-inactive',
      (gate: TestGateway) => gate.administration.deactivateAccount(owner, { name: 'watcher' }),
    ],
    [
      'deleting',
      'token-revoked',
      (gate: TestGateway) => gate.administration.deleteAccount(owner, { name: 'watcher' }),
    ],
    [
      'lowering',
      'permission-denied',
      (gate: TestGateway) =>
        gate.administration.editAccount(owner, { name: 'watcher', role: 'none' }),
    ],
    [
      'taking the permission from the role of',
      'permission-denied',
      (gate: TestGateway) =>
        gate.administration.editRole(owner, { name: 'tester', permissions: ['other:read'] }),
    ],
  ] as const)('%s the account ends its streams too', async (_, reason, revoke) => {
    const one = await gate(redis.port);
    const account = await one.createAccount({ name: 'watcher', role: 'tester' });
    const open = await stream(one, account.token);
    expect((await revoke(one)).revocation).toMatchObject({
      effective: true,
      instances: 1,
      acknowledged: 1,
    });
    await open.ended;
    const outcomes = (await one.events()).filter(({ phase }) => phase === 'outcome');
    expect(outcomes).toMatchObject([{ reason, status: 200 }]);
  });

  it('is not called effective while an instance cannot be heard, and says when it will be certain', async () => {
    const one = await gate(redis.port);
    const cut = await gate(relay.port, { leaseMs: 60_000 });
    const { token } = await one.createAccount({ name: 'watcher', role: 'tester' });
    const open = await stream(cut, token);
    relay.silence(() => true);
    const beforeMs = Date.now();
    const { revocation } = await one.administration.rotateToken(owner, {
      name: 'watcher',
      waitMs: ANSWERED_MS,
    });
    expect(revocation).toMatchObject({
      effective: false,
      instances: 2,
      acknowledged: 1,
      lapsed: 0,
    });
    const certainMs = Date.parse(revocation?.certainAt ?? '') - beforeMs;
    expect(certainMs).toBeGreaterThanOrEqual(60_000);
    expect(certainMs).toBeLessThan(90_000);
    open.close();
  });

  it('does not wait for an instance whose lease is over, nor for one that has said goodbye', async () => {
    const one = await gate(redis.port);
    const cut = await gate(relay.port, { leaseMs: 3_000 });
    const gone = await gate(redis.port);
    await one.createAccount({ name: 'watcher', role: 'tester' });
    await gone.gateway.close();
    relay.silence(() => true);
    const { revocation } = await one.administration.rotateToken(owner, {
      name: 'watcher',
      waitMs: 30_000,
    });
    expect(revocation).toMatchObject({ effective: true, instances: 2, acknowledged: 1, lapsed: 1 });
    expect(cut.gateway.ready).toBe(false);
    const { items } = await one.control.administration.listInstances(owner, {});
    expect(items.map(({ instance }) => instance)).toEqual([one.gateway.instance]);
    expect(items[0]).toMatchObject({ lag: 0, leaseMs: 30_000 });
  });

  it.for([60, -60])(
    'waits for an instance that is cut off, to wherever the clock of the store is set (%d s)',
    { timeout: 60_000 },
    async (aheadSeconds, context) => {
      requireOrSkip(context, 'cc');
      const timed = await startRedis({ settableClock: true });
      const path = await startRelay(timed.port);
      try {
        const one = await gate(timed.port);
        const cut = await gate(path.port, { leaseMs: 3_000 });
        const { token } = await one.createAccount({ name: 'watcher', role: 'tester' });
        const open = await stream(cut, token);
        path.silence(() => true);
        await timed.setClock(aheadSeconds);
        const rotate = (waitMs: number) =>
          one.administration.rotateToken(owner, { name: 'watcher', waitMs });
        const { revocation } = await rotate(0);
        expect(revocation).toMatchObject({ effective: false, instances: 2, lapsed: 0 });
        expect((await rotate(30_000)).revocation).toMatchObject({
          effective: true,
          instances: 2,
          acknowledged: 1,
          lapsed: 1,
        });
        expect(cut.gateway.ready).toBe(false);
        open.close();
      } finally {
        path.heal();
        for (const made of gates.splice(0)) await made.stop();
        await path.stop();
        await timed.stop();
      }
    },
  );

  it('has ended what is open on an instance that is cut off when its lease is over, and nothing that needs no account', async () => {
    const one = await gate(redis.port);
    const cut = await gate(relay.port, { leaseMs: 3_000 });
    const { token } = await one.createAccount({ name: 'watcher', role: 'tester' });
    const down = await stream(cut, token);
    const anyone = await stream(cut, null, '/public/events');
    const up = connect(cut.port, '127.0.0.1');
    const upEnded = new Promise<void>((resolve) => up.once('close', () => resolve()));
    up.on('error', () => {});
    // As a client does that hears of its end while it still sends.
    up.resume();
    up.write(
      `POST /up HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\nContent-Length: 1000000\r\n\r\nbegin`,
    );
    const sending = setInterval(() => up.write('more'), 20);
    await until(() => upstream.connections.length === 3);
    relay.silence(() => true);
    const { revocation } = await one.administration.rotateToken(owner, {
      name: 'watcher',
      waitMs: 30_000,
    });
    expect(revocation).toMatchObject({ effective: true, acknowledged: 1, lapsed: 1 });
    // Both were cut before the receipt; what tells this side of it is on its way.
    await Promise.all([down.ended, upEnded]);
    clearInterval(sending);
    expect(down.text().endsWith('0\r\n\r\n')).toBe(false);
    expect(anyone.open()).toBe(true);
    anyone.close();
  }, 60_000);
});

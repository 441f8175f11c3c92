import { beforeEach, describe, expect, it } from 'vitest';
import { readResponses, statusOf } from '../../support/http-bytes.ts';
import { type RedisServer, startRedis } from '../../support/redis-server.ts';
import { requireOrSkip } from '../../support/system.ts';
import { undisturbed } from '../../support/undisturbed.ts';
import { type Door, startDoor } from './door.ts';

/**
 * What is given out while the log does not answer and there is no spool. Redis is frozen, not
 * killed: connections stand, and nothing says that anything is wrong but the time. The lease is
 * long, so the accounts stay known.
 */
const LEASE_MS = 60_000;
/** A call must know within a second whether it is on record; the rest is for a busy machine. */
const ANSWERED_MS = 15_000;

/** Stopped by the door that works with it. */
let redis: RedisServer;

beforeEach(async (ctx) => {
  requireOrSkip(ctx, 'redis-server');
  redis = await startRedis();
});

async function start(guarantee: 'acknowledged' | 'buffered'): Promise<Door> {
  const routes = [
    {
      name: 'all',
      path: '/**',
      methods: ['GET', 'POST'],
      application: 'any',
      permission: 'test:all',
      upstream: 'raw',
    },
    {
      name: 'effort',
      path: '/effort',
      methods: ['GET', 'POST'],
      application: 'any',
      permission: 'test:all',
      upstream: 'raw',
      audit: 'best-effort',
    },
  ];
  const gateway = { store: { url: redis.url }, guarantee, routes, leaseMs: LEASE_MS, spool: false };
  const door = await startDoor({ servers: [redis], gateway });
  // Once while all is well: now the account is cached.
  expect(await call(door, 'GET /before')).toBe(200);
  return door;
}

async function call(door: Door, line: string): Promise<number> {
  const method = line.split(' ')[0]!;
  const { text } = await door.talk(
    [door.head(line, 'Content-Length: 0', 'Connection: close')],
    [method],
  );
  return statusOf(readResponses(Buffer.from(text, 'latin1'), [method]).at(-1)!);
}

/** Refused by its form alone: no account has to be known for it. */
async function refused(door: Door): Promise<{ status: number; text: string }> {
  const { text } = await door.talk([
    'GET /refused HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
  ]);
  return { status: Number(text.slice(9, 12)), text };
}

const paths = (door: Door) =>
  door.upstream.requests.map(({ line }) => line.split(' ').slice(0, 2).join(' '));

async function isWellAgain(door: Door): Promise<void> {
  await expect.poll(() => call(door, 'POST /after'), { timeout: 30_000, interval: 100 }).toBe(200);
  await expect.poll(() => door.gate.gateway.ready, { timeout: 30_000 }).toBe(true);
}

describe('under `acknowledged`, with a log that does not answer', () => {
  it('a change does not reach the upstream, and is told so within about a second', async () => {
    const door = await start('acknowledged');
    redis.pause();
    const begin = performance.now();
    const { text } = await door.talk(
      [door.head('POST /change', 'Content-Length: 4', 'Connection: close'), 'body'],
      ['POST'],
    );
    expect(performance.now() - begin).toBeLessThan(ANSWERED_MS);
    expect(text).toMatch(/^HTTP\/1\.1 503 /);
    expect(text).toContain('audit-unavailable');
    expect(text).toMatch(/\r\nRetry-After: \d/);
    expect(paths(door)).toEqual(['GET /before']);
    redis.resume();
    await isWellAgain(door);
    // The decision was kept and is on record now, with the outcome that says that nothing came of
    // it.
    const events = await door.eventsOf('/change');
    expect(events.map(({ phase, reason, status }) => [phase, reason, status])).toEqual([
      ['decision', 'permitted', undefined],
      ['outcome', 'audit-unavailable', 503],
    ]);
  });

  it('a read reaches the upstream, but its answer is not given out', async () => {
    const door = await start('acknowledged');
    redis.pause();
    const { text } = await door.talk([door.head('GET /read', 'Connection: close')]);
    expect(text).toMatch(/^HTTP\/1\.1 503 /);
    expect(text).not.toContain('for ');
    expect(paths(door)).toEqual(['GET /before', 'GET /read']);
    redis.resume();
    await isWellAgain(door);
  });

  it('a refusal is not given out either', async () => {
    const door = await start('acknowledged');
    expect((await refused(door)).status).toBe(401);
    redis.pause();
    const { status, text } = await refused(door);
    expect(status).toBe(503);
    expect(text).toContain('audit-unavailable');
    expect(text).not.toContain('token-missing');
    redis.resume();
    await isWellAgain(door);
    // What was decided, and what the caller got in its place.
    const id = /x-request-id: (\S+)/i.exec(text)![1];
    const own = (await door.events()).filter((event) => event.id === id);
    expect(own.map(({ phase, reason, status }) => [phase, reason, status])).toEqual([
      ['decision', 'token-missing', 401],
      ['outcome', 'audit-unavailable', 503],
    ]);
    expect((await refused(door)).status).toBe(401);
  });

  it('in an outage that lasts not even a read reaches the upstream', async () => {
    const door = await start('acknowledged');
    redis.pause();
    await expect.poll(() => door.gate.gateway.ready, { timeout: 30_000 }).toBe(false);
    expect(await call(door, 'GET /first')).toBe(503);
    await new Promise((resolve) => setTimeout(resolve, 1500));
    expect(await call(door, 'GET /later')).toBe(503);
    expect(paths(door)).not.toContain('GET /later');
    redis.resume();
    await isWellAgain(door);
    expect((await door.eventsOf('/later')).map(({ reason }) => reason)).toEqual([
      'permitted',
      'audit-unavailable',
    ]);
  });

  it('a route whose audit is best-effort goes on', async () => {
    const door = await start('acknowledged');
    redis.pause();
    expect(await call(door, 'POST /effort')).toBe(200);
    expect(await call(door, 'GET /effort')).toBe(200);
    redis.resume();
    await isWellAgain(door);
    expect((await door.events()).filter(({ path }) => path === '/effort')).toHaveLength(2);
  });

  it('a client that goes away while its record waits is noticed, and recorded as gone', async () => {
    const door = await start('acknowledged');
    redis.pause();
    const writer = await door.connect(['POST']);
    await writer.send(door.head('POST /gone-change', 'Content-Length: 4'), 'body');
    const reader = await door.connect();
    await reader.send(door.head('GET /gone-read'));
    await door.upstream.waitFor('the read', ({ requests }) => requests.length === 2);
    writer.reset();
    reader.reset();
    // The held answer's connection is given up at once, not when the record comes.
    await door.upstream.waitFor('the end of it', ({ connections }) =>
      connections.every(({ closed }) => closed !== 'open'),
    );
    redis.resume();
    await isWellAgain(door);
    expect((await door.eventsOf('/gone-change')).map(({ reason }) => reason)).toEqual([
      'permitted',
      'client-aborted',
    ]);
    expect((await door.eventsOf('/gone-read')).map(({ reason }) => reason)).toEqual([
      'permitted',
      'client-aborted',
    ]);
    expect(paths(door)).not.toContain('POST /gone-change');
  });

  it('a short silence costs time and no answer', async () => {
    const door = await start('acknowledged');
    // Where this process stood still meanwhile, the silence was no short one.
    await undisturbed(async () => {
      redis.pause();
      const answers = Promise.all([call(door, 'POST /short'), call(door, 'GET /short')]);
      await new Promise((resolve) => setTimeout(resolve, 100));
      redis.resume();
      expect(await answers).toEqual([200, 200]);
    });
  });
});

describe('an answer that is held', () => {
  it('and whose upstream fails meanwhile is whole if it was whole, and a 502 if it was not', async () => {
    const answers = {
      '/whole': ['HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody', { end: true }],
      '/whole-reset': ['HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody', { reset: true }],
      '/part': ['HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nbody', { reset: true }],
      '/to-the-end': ['HTTP/1.1 200 OK\r\n\r\nbody', { end: true }],
      '/to-the-reset': ['HTTP/1.1 200 OK\r\n\r\nbody', { reset: true }],
      '/two': [
        'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbodyHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil',
        { waitMs: 0 },
      ],
    } as const;
    const door = await startDoor({
      servers: [redis],
      gateway: { store: { url: redis.url }, leaseMs: LEASE_MS },
      upstream: {
        answer: ({ line }) => {
          const [send, last] = answers[line.split(' ')[1] as keyof typeof answers];
          return [{ send }, { waitMs: 100 }, last];
        },
      },
    });
    // The account is cached, and every answer has to wait for its record.
    await door.talk([door.head('GET /whole', 'Connection: close')]);
    redis.pause();
    const clients = await Promise.all(
      Object.keys(answers).map(async (path) => {
        const client = await door.connect();
        await client.send(door.head(`GET ${path}`, 'Connection: close'));
        return client;
      }),
    );
    await door.upstream.waitFor('all', ({ requests }) => requests.length === 1 + clients.length);
    await new Promise((resolve) => setTimeout(resolve, 250));
    redis.resume();
    for (const client of clients) await client.waitForClose();
    const seen = clients.map(({ bytes, closed }) => [
      bytes.toString().slice(9, 12),
      /\r\n\r\n(?:4\r\n)?body(?:\r\n0\r\n\r\n)?$/.test(bytes.toString()),
      closed,
    ]);
    expect(seen.slice(0, 2)).toEqual(Array(2).fill(['200', true, 'end']));
    expect(seen[2]).toEqual(['502', false, 'end']);
    expect(seen[3]).toEqual(['200', true, 'end']);
    expect(seen[4]).toEqual(['502', false, 'end']);
    expect(seen[5]).toEqual(['200', true, 'end']);
  });
});

describe('under `buffered`, with a log that does not answer', () => {
  it('accounts that are known go on, and the records come later', async () => {
    const door = await start('buffered');
    redis.pause();
    expect(await call(door, 'POST /change')).toBe(200);
    expect(await call(door, 'GET /read')).toBe(200);
    expect((await refused(door)).status).toBe(401);
    redis.resume();
    await expect.poll(() => door.gate.gateway.ready, { timeout: 30_000 }).toBe(true);
    expect((await door.eventsOf('/change')).map(({ reason }) => reason)).toEqual([
      'permitted',
      'permitted',
    ]);
  });
});

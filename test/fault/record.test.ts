import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { valuesOf } from '../support/http-bytes.ts';
import { type RawUpstream, startRawUpstream } from '../support/raw-upstream.ts';
import { type RedisServer, startRedis } from '../support/redis-server.ts';
import { requireOrSkip } from '../support/system.ts';
import { Callers } from '../support/truth/callers.ts';
import { type GateProcess, type Gates, openGates } from '../support/truth/gates.ts';
import { liesOf } from '../support/truth/truth.ts';

const UNRECORDED = 'sallyport_audit_events_total{outcome="unrecorded"}';
/** Only what hangs takes so long. */
const LIMIT_MS = 90_000;

let redis: RedisServer;
let upstream: RawUpstream;
let gates: Gates;
let stop: (() => Promise<void>)[];

beforeEach(async (ctx) => {
  requireOrSkip(ctx, 'redis-server');
  stop = [];
  upstream = await startRawUpstream({
    answer: ({ line }) =>
      line.includes('/open')
        ? [{ send: 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf' }]
        : [{ send: 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nwell' }],
  });
  stop.push(() => upstream.stop());
});
afterEach(async () => {
  for (const end of stop.reverse()) await end();
});

async function open(store: 'Redis' | 'the embedded store', leaseMs?: number): Promise<void> {
  if (store === 'Redis') {
    redis = await startRedis();
    stop.push(() => redis.stop());
  }
  gates = await openGates(store === 'Redis' ? redis.url : null, upstream.url, leaseMs);
  stop.push(() => gates.stop());
}

const upstreamIds = () =>
  upstream.requests.map((request) => valuesOf(request, 'x-request-id')[0] ?? '');

/** Until the gate has counted answers without a record. */
async function untilUnrecorded(gate: GateProcess): Promise<void> {
  await expect
    .poll(() => gate.metric(UNRECORDED), { timeout: LIMIT_MS, interval: 200 })
    .not.toBe(0);
}

describe('the record tells what the callers got', () => {
  it('while Redis stands still under load for longer than records find room', async () => {
    await open('Redis', 120_000); // accounts stay known: it is the record that is away
    const gate = await gates.start('frozen');
    const callers = new Callers(gates.token);
    callers.start(gate.port, 24);
    await sleep(300);
    redis.pause();
    await untilUnrecorded(gate);
    await sleep(300);
    redis.resume();
    const answered = () => callers.calls.findLast(({ status }) => status !== 503)?.status;
    await expect.poll(answered, { timeout: LIMIT_MS }).toBeDefined();
    const before = callers.calls.length;
    await expect.poll(() => callers.calls.length).toBeGreaterThan(before + 100);
    await callers.stop();
    await expect.poll(() => gate.metric('sallyport_audit_pending'), { timeout: LIMIT_MS }).toBe(0);
    const unrecorded = await gate.metric(UNRECORDED);
    await gate.end('SIGTERM');
    const run = {
      calls: callers.calls,
      upstream: upstreamIds(),
      events: await gates.events(),
      unrecorded,
    };
    expect(liesOf(run)).toEqual([]);
    // and what was to be seen was
    const late = run.events.filter((event) => event.reason === 'audit-unavailable');
    expect(late.length).toBeGreaterThan(100);
    expect(unrecorded).toBeGreaterThan(0);
    console.log(
      `${run.calls.length} calls, ${late.length} recorded as too late, ${unrecorded} unrecorded`,
    );
  }, 180_000);

  it.each([
    ['kill -9', 'Redis', ['SIGKILL']],
    ['two SIGTERM', 'the embedded store', ['SIGTERM', 'SIGTERM']],
  ] as const)(
    'after %s, on %s: the next instance closes what was open, and only that',
    async (_how, store, signals) => {
      await open(store);
      const dying = await gates.start('dying');
      const living = store === 'Redis' ? await gates.start('living') : null;
      const callers = new Callers(gates.token);
      const listeners = new Callers(gates.token);
      // One that is told to the store in time, on an instance that dies and on one that lives.
      const streams = [dying, living].flatMap((gate) =>
        gate === null ? [] : [listeners.call(gate.port, 'GET', '/all/open')],
      );
      callers.start(dying.port, 6);
      await sleep(2500);
      await dying.end(...signals);
      await callers.stop();
      const next = await gates.start('next');
      const closed = () => `${next.log()}${living?.log() ?? ''}`.includes('ended without a word');
      await expect.poll(closed, { timeout: LIMIT_MS }).toBe(true);
      for (const gate of [next, living])
        await gate?.end(
          ...(gate === living ? (['SIGTERM', 'SIGTERM'] as const) : (['SIGTERM'] as const)),
        );
      await Promise.all(streams);
      await listeners.stop();
      const after = store === 'Redis' ? await gates.start('after') : null;
      if (after !== null) {
        await expect
          .poll(() => after.log().includes('ended without a word'), { timeout: LIMIT_MS })
          .toBe(true);
        await after.end('SIGTERM');
      }
      const events = await gates.events();
      const gone = new Set([dying.instance, ...(living === null ? [] : [living.instance])]);
      const calls = [...callers.calls, ...listeners.calls];
      expect(liesOf({ calls, upstream: upstreamIds(), events, unrecorded: null, gone })).toEqual(
        [],
      );
      const unknown = events.filter((event) => event.reason === 'outcome-unknown');
      // That of the living one was closed by the one after it alone: it was told apart from the dead.
      const by = (gate: GateProcess | null) =>
        unknown.filter(({ decidedBy }) => decidedBy === gate?.instance);
      expect(by(dying).length).toBeGreaterThan(0);
      expect(by(dying).every(({ instance }) => instance !== after?.instance)).toBe(true);
      if (living !== null && after !== null)
        expect(by(living).map(({ instance }) => instance)).toEqual([after.instance]);
    },
    180_000,
  );
});

import { describe, expect, it, onTestFinished } from 'vitest';
import { DescriptorBudget } from '../../src/upstream/descriptors.ts';
import {
  OK,
  type RawUpstream,
  type RawUpstreamOptions,
  type Step,
  startRawUpstream,
} from '../support/raw-upstream.ts';
import { openPool } from './pool.ts';

async function upstreams(...all: readonly RawUpstreamOptions[]): Promise<RawUpstream[]> {
  const started = await Promise.all(all.map((options) => startRawUpstream(options)));
  onTestFinished(async () => {
    await Promise.all(started.map((one) => one.stop()));
  });
  return started;
}

async function freedPort(): Promise<number> {
  const upstream = await startRawUpstream();
  const { port } = upstream;
  await upstream.stop();
  return port;
}

const ports = (all: readonly RawUpstream[]) => all.map(({ port }) => port);
const counts = (all: readonly RawUpstream[]) => all.map(({ requests }) => requests.length);
const status = (code: number): Step[] => [
  { send: `HTTP/1.1 ${code} X\r\nContent-Length: 0\r\n\r\n` },
];

describe('addresses that are all well', () => {
  it('get one call after the other in turn', async () => {
    const all = await upstreams({}, {}, {});
    const { call } = openPool(ports(all));
    for (let number = 0; number < 30; number += 1) expect(await call()).toBe(200);
    expect(counts(all)).toEqual([10, 10, 10]);
  });

  it('share calls that come together evenly', async () => {
    const { promise: open, resolve: release } = Promise.withResolvers<void>();
    const held = { answer: () => [{ until: open }, ...OK] };
    const all = await upstreams(held, held, held);
    const { call, pool } = openPool(ports(all));
    const calls = Array.from({ length: 30 }, () => call());
    await Promise.all(
      all.map((one) => one.waitFor('its share', ({ requests }) => requests.length === 10)),
    );
    expect(pool.counts()).toEqual({ idle: 0, active: 30, connecting: 0 });
    release();
    expect(new Set(await Promise.all(calls))).toEqual(new Set([200]));
    expect(pool.counts()).toEqual({ idle: 30, active: 0, connecting: 0 });
  });

  it('are chosen by how much they have to do: one that is slow gets what it can take', async () => {
    const { promise: open, resolve: release } = Promise.withResolvers<void>();
    const all = await upstreams({ answer: () => [{ until: open }, ...OK] }, {});
    const { call } = openPool(ports(all));
    const slow = [call(), call()];
    for (let number = 0; number < 20; number += 1) await call();
    expect(counts(all)).toEqual([1, 21]);
    release();
    await Promise.all(slow);
  });

  it('take no more connections than they may, and say so', async () => {
    const { promise: open, resolve: release } = Promise.withResolvers<void>();
    const held = { answer: () => [{ until: open }, ...OK] };
    const all = await upstreams(held, held);
    const { call } = openPool(ports(all), { maxConnections: 2 });
    const calls = Array.from({ length: 4 }, () => call());
    expect(await call()).toBe('full');
    release();
    expect(await Promise.all(calls)).toEqual([200, 200, 200, 200]);
  });
});

describe('an address that fails', () => {
  it('is asked once and then left out, when no connection can be made', async () => {
    const all = await upstreams({}, {});
    const { call, changes, usable } = openPool([await freedPort(), ...ports(all)]);
    const seen: unknown[] = [];
    for (let number = 0; number < 12; number += 1) seen.push(await call());
    expect(seen.filter((one) => one !== 200)).toEqual(['unreachable']);
    expect([usable(), changes]).toEqual([[false, true, true], ['ejected 0 ECONNREFUSED']]);
  });

  it('is left out after five exchanges in a row that fail', async () => {
    const all = await upstreams({ answer: () => [{ reset: true }] }, {});
    const { call, usable } = openPool(ports(all));
    const seen: unknown[] = [];
    for (let number = 0; number < 20; number += 1) seen.push(await call());
    expect(seen.filter((one) => one === 'broken')).toHaveLength(5);
    expect([counts(all), usable()]).toEqual([
      [5, 15],
      [false, true],
    ]);
  });

  it.each([
    ['a broken answer', [{ send: 'HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n' }]],
    ['an answer cut short', [{ send: 'HTTP/1.1 200 OK\r\nContent-Le' }, { end: true }]],
    ['no answer', [{ end: true }]],
    ['silence', []],
  ] as [string, Step[]][])('may fail by %s', async (_what, steps) => {
    const all = await upstreams({ answer: () => steps }, {});
    const ejection = { afterFailures: 1, baseMs: 60_000, maxMs: 60_000, countServerErrors: false };
    // Long for those that answer, so that nothing but the fault of the first one counts.
    const { call, usable } = openPool(ports(all), {
      responseTimeoutMs: steps.length === 0 ? 1500 : 30_000,
      ejection,
    });
    for (let number = 0; number < 4; number += 1) await call();
    expect([counts(all), usable()]).toEqual([
      [1, 3],
      [false, true],
    ]);
  });

  it('does not fail by closing connections that are idle', async () => {
    const all = await upstreams({
      answer: (_head, number) => (number === 0 ? OK : [{ reset: true }]),
    });
    const ejection = { afterFailures: 1, baseMs: 60_000, maxMs: 60_000, countServerErrors: false };
    const { call, usable } = openPool(ports(all), { ejection });
    expect([await call(), await call(), usable()]).toEqual([200, 'broken', [true]]);
  });

  it('may fail by its status, where that is asked for', async () => {
    const all = await upstreams({ answer: () => status(503) }, {});
    const ejection = { afterFailures: 2, baseMs: 60_000, maxMs: 60_000, countServerErrors: true };
    const { call } = openPool(ports(all), { ejection });
    for (let number = 0; number < 10; number += 1) await call();
    expect(counts(all)).toEqual([2, 8]);
  });

  it('is tried again after a while, one call at a time, and used as before when it answers', async () => {
    let well = false;
    const { promise: open, resolve: release } = Promise.withResolvers<void>();
    const all = await upstreams(
      { answer: () => (well ? [{ until: open }, ...OK] : [{ reset: true }]) },
      {},
    );
    const ejection = { afterFailures: 1, baseMs: 2000, maxMs: 2000, countServerErrors: false };
    const { call, usable, changes } = openPool(ports(all), { ejection });
    for (let number = 0; number < 4; number += 1) await call();
    expect(usable()).toEqual([false, true]);
    well = true;
    await expect.poll(usable, { timeout: 30_000 }).toEqual([true, true]);
    const calls = Array.from({ length: 8 }, () => call());
    await all[1]!.waitFor('all but one', ({ requests }) => requests.length === 3 + 7);
    expect(counts(all)).toEqual([2, 10]);
    release();
    await Promise.all(calls);
    for (let number = 0; number < 4; number += 1) expect(await call()).toBe(200);
    expect(counts(all)).toEqual([4, 12]);
    expect(changes).toEqual([expect.stringMatching(/^ejected 0 /), 'back 0 it answers']);
  });

  it('counts for nothing in what can be used, until it answers; one place always counts', async () => {
    const [one] = await upstreams({});
    const ejection = { afterFailures: 1, baseMs: 100, maxMs: 100, countServerErrors: false };
    const dead = await freedPort();
    const { call, usable, pool } = openPool([dead, one!.port], { ejection, maxConnections: 8 });
    expect(pool.usableConnections).toBe(16);
    expect([await call(), await call()].sort()).toEqual([200, 'unreachable']);
    expect(pool.usableConnections).toBe(8);
    await expect.poll(usable, { timeout: 30_000 }).toEqual([true, true]);
    expect(pool.usableConnections).toBe(8);
    await one!.stop();
    for (let n = 0; n < 4; n += 1) await call();
    expect(pool.usableConnections).toBe(8);
  });

  it('is used all the same when all fail', async () => {
    const failing = { answer: () => [{ reset: true }] as Step[] };
    const all = await upstreams(failing, failing);
    const ejection = { afterFailures: 1, baseMs: 60_000, maxMs: 60_000, countServerErrors: false };
    const { call, usable } = openPool(ports(all), { ejection });
    for (let number = 0; number < 10; number += 1) expect(await call()).toBe('broken');
    expect([counts(all), usable()]).toEqual([
      [5, 5],
      [false, false],
    ]);
  });
});

it('shares what descriptors there are: idle connections of one upstream make room for another', async () => {
  const held: Step[] = [{ waitMs: 300 }, ...status(200)];
  const [a, b] = await upstreams({}, { answer: () => held });
  const budget = new DescriptorBudget(
    () => 2,
    () => {},
  );
  const [first, second] = [openPool([a!.port], { budget }), openPool([b!.port], { budget })];
  expect(await Promise.all([first.call(), first.call(), first.call()])).toEqual([200, 200, 'full']);
  expect(await Promise.all([second.call(), second.call(), first.call()])).toEqual([
    200,
    200,
    'full',
  ]);
  expect([first.changes, second.changes]).toEqual([[], []]);
});

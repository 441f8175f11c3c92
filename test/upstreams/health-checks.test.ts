import { expect, it, onTestFinished } from 'vitest';
import { valuesOf } from '../support/http-bytes.ts';
import {
  OK,
  type RawUpstream,
  type RawUpstreamOptions,
  type Step,
  startRawUpstream,
} from '../support/raw-upstream.ts';
import { openPool } from './pool.ts';

const CHECK = {
  path: '/healthz?deep',
  intervalMs: 100,
  timeoutMs: 20_000,
  unhealthyAfter: 2,
  healthyAfter: 2,
};
const WAIT = { timeout: 30_000, interval: 10 };
const status = (code: number): Step[] => [
  { send: `HTTP/1.1 ${code} X\r\nContent-Length: 0\r\n\r\n` },
];

async function upstream(options: RawUpstreamOptions = {}): Promise<RawUpstream> {
  const started = await startRawUpstream(options);
  onTestFinished(() => started.stop());
  return started;
}

it('asks each address for the path by its own name, one check at a time, each on a connection of its own', async () => {
  const one = await upstream();
  const { usable } = openPool([one.port], { healthCheck: CHECK });
  await one.waitFor('some checks', ({ requests }) => requests.length >= 4);
  expect(new Set(one.requests.map(({ line }) => line))).toEqual(
    new Set(['GET /healthz?deep HTTP/1.1']),
  );
  expect(new Set(one.requests.flatMap((request) => valuesOf(request, 'host')))).toEqual(
    new Set([`check.test:${one.port}`]),
  );
  expect(Math.max(...one.connections.map(({ requests }) => requests.length))).toBe(1);
  expect([one.faults, usable()]).toEqual([[], [true]]);
});

it('leaves out what fails them and takes it back when it passes', async () => {
  let well = false;
  const one = await upstream({ answer: () => status(well ? 204 : 503) });
  const other = await upstream({ answer: () => status(302) });
  const { call, usable, changes } = openPool([one.port, other.port], { healthCheck: CHECK });
  await expect.poll(usable, WAIT).toEqual([false, true]);
  for (let number = 0; number < 6; number += 1) expect(await call()).toBe(302);
  well = true;
  await expect.poll(usable, WAIT).toEqual([true, true]);
  expect(changes).toEqual(['unhealthy 0 status 503', 'healthy 0 status 204']);
});

it.each([
  ['silence', [], 'no answer in time'],
  ['a head without end', [{ send: 'HTTP/1.1 200 OK\r\n' }], 'no answer in time'],
  ['a broken answer', [{ send: 'HTTP/1.1 200 OK\nX: y\n\n' }], 'not a response head'],
  ['a reset', [{ reset: true }], 'ECONNRESET'],
] as [string, Step[], string][])('counts %s as failed', async (_what, steps, why) => {
  const one = await upstream({ answer: () => steps });
  const timeoutMs = why === 'no answer in time' ? 300 : CHECK.timeoutMs;
  const { usable, changes } = openPool([one.port], {
    healthCheck: { ...CHECK, intervalMs: 50, timeoutMs },
  });
  await expect.poll(usable, WAIT).toEqual([false]);
  expect(changes).toEqual([`unhealthy 0 ${why}`]);
});

it('waits for no body: the head says it all', async () => {
  const one = await upstream({
    answer: () => [{ send: 'HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nbegin' }],
  });
  const { usable } = openPool([one.port], { healthCheck: { ...CHECK, unhealthyAfter: 1 } });
  await one.waitFor('more checks', ({ requests }) => requests.length >= 3);
  expect(usable()).toEqual([true]);
});

it('uses an address that fails them when there is no other', async () => {
  const one = await upstream({
    answer: ({ line }) => (line.includes('/healthz') ? status(500) : OK),
  });
  const { call, usable } = openPool([one.port], { healthCheck: CHECK });
  await expect.poll(usable, WAIT).toEqual([false]);
  expect(await call()).toBe(200);
});

it('stops with its pool', async () => {
  const one = await upstream();
  const { pool } = openPool([one.port], { healthCheck: { ...CHECK, intervalMs: 20 } });
  await one.waitFor('a check', ({ requests }) => requests.length > 0);
  pool.retire();
  await one.waitFor('the last one to end', ({ connections }) =>
    connections.every(({ closed }) => closed !== 'open'),
  );
  const { length } = one.connections;
  await new Promise((resolve) => setTimeout(resolve, 150));
  expect(one.connections).toHaveLength(length);
});

import { afterEach, beforeEach, expect, it } from 'vitest';
import { type FoldedFacts, foldedEvent } from '../../../src/audit/event/folded-event.ts';
import { FloodFold, type FloodLimits } from '../../../src/audit/floods/flood.ts';
import type { Clock } from '../../../src/clock.ts';

let nowMs = 0;
const WALL = Date.UTC(2026, 10, 1);
const clock: Clock = { wallMs: () => WALL + nowMs, monotonicMs: () => nowMs };
let written: FoldedFacts[] = [];
const folds: FloodFold[] = [];

beforeEach(() => {
  nowMs = 1_000;
  written = [];
});
afterEach(() => {
  for (const fold of folds.splice(0)) fold.close();
});

function open(limits: Partial<FloodLimits> = {}): FloodFold {
  const fold = new FloodFold({
    clock,
    write: (facts) => void written.push(facts),
    singles: 3,
    limits: { sweepMs: 3_600_000, ...limits },
  });
  folds.push(fold);
  return fold;
}

/** How many of `count` refusals are to be written one by one. */
function singles(of: FloodFold, address: string, count: number): number {
  let single = 0;
  for (let index = 0; index < count; index += 1)
    if (!of.folds(address, 'token-unknown')) single += 1;
  return single;
}

it('leaves the first refusals of a client to be written singly, and counts the others', () => {
  const fold = open();
  expect(singles(fold, '192.0.2.1', 10)).toBe(3);
  expect(singles(fold, '192.0.2.2', 3)).toBe(3);
  expect(written).toEqual([]);
  fold.close();
  expect(written).toEqual([
    {
      account: null,
      clientAddress: '192.0.2.1',
      count: 7,
      reasons: new Map([['token-unknown', 7]]),
      firstMs: WALL + 1_000,
      lastMs: WALL + 1_000,
    },
  ]);
});

it('counts on while there is no room for what it writes', () => {
  let room = false;
  const write = (facts: FoldedFacts) => void written.push(facts);
  const fold = new FloodFold({ clock, write, hasRoom: () => room, singles: 3 });
  folds.push(fold);
  singles(fold, '192.0.2.1', 5);
  nowMs += 11_000;
  singles(fold, '192.0.2.1', 5);
  expect(written).toEqual([]);
  room = true;
  nowMs += 11_000;
  singles(fold, '192.0.2.1', 1);
  expect(written.map(({ count }) => count)).toEqual([7]);
});

it('writes one event per client and interval, with the times of the first and the last', () => {
  const fold = open();
  singles(fold, '192.0.2.1', 4);
  nowMs += 9_000;
  fold.folds('192.0.2.1', 'token-missing');
  nowMs += 1_000;
  fold.folds('192.0.2.1', 'token-missing');
  expect(written).toEqual([
    {
      account: null,
      clientAddress: '192.0.2.1',
      count: 2,
      reasons: new Map([
        ['token-unknown', 1],
        ['token-missing', 1],
      ]),
      firstMs: WALL + 1_000,
      lastMs: WALL + 10_000,
    },
  ]);
});

it('counts a flood that goes on from its first refusal, until an interval was calm', () => {
  const fold = open();
  singles(fold, '192.0.2.1', 9);
  nowMs += 10_000;
  expect(singles(fold, '192.0.2.1', 2)).toBe(0);
  nowMs += 10_000;
  expect(singles(fold, '192.0.2.1', 2)).toBe(2);
  expect(written.map(({ count }) => count)).toEqual([6, 2]);
});

it('forgets a flood after a silence', () => {
  const fold = open();
  singles(fold, '192.0.2.1', 9);
  nowMs += 20_000;
  expect(singles(fold, '192.0.2.1', 9)).toBe(3);
});

it('writes what is counted by itself when no further refusal comes', async () => {
  const fold = open({ intervalMs: 1, sweepMs: 5 });
  singles(fold, '192.0.2.1', 4);
  nowMs += 1;
  for (let attempt = 0; attempt < 200 && written.length === 0; attempt += 1)
    await new Promise((resolve) => setTimeout(resolve, 10));
  expect(written.map(({ count }) => count)).toEqual([1]);
});

const account = (id: string) => ({ id, name: `of ${id}`, kind: 'service' as const });

it('tells whose flood it was, from wherever the account calls, and its reasons', () => {
  const fold = open();
  const one = account('acc-1');
  for (let count = 0; count < 5; count += 1)
    fold.folds(`192.0.2.${count}`, 'account-inactive', one);
  fold.folds('192.0.2.4', 'permission-denied', account('acc-2'));
  fold.close();
  expect(written).toMatchObject([
    { account: one, clientAddress: null, count: 2, reasons: new Map([['account-inactive', 2]]) },
  ]);
});

it('lets no stranger cost an account the detail of its record, nor the other way round', () => {
  const fold = open({ singlesInAll: 1, clients: 1, accounts: 1 });
  singles(fold, '192.0.2.1', 50);
  singles(fold, '192.0.2.2', 50);
  const refused = () => fold.folds('192.0.2.1', 'permission-denied', account('acc-1'));
  expect([refused(), refused(), refused(), refused()]).toEqual([false, false, false, true]);
});

it('counts what is let in apart from what is refused', () => {
  const fold = open();
  for (let count = 0; count < 4; count += 1) fold.folds('192.0.2.1', 'permitted');
  expect(singles(fold, '192.0.2.1', 4)).toBe(3);
  fold.close();
  expect(written.map(({ reasons }) => [...reasons])).toEqual([
    [['permitted', 1]],
    [['token-unknown', 1]],
  ]);
});

it('gives a slow flood of many callers no more than its share of the record', () => {
  const fold = open({ singlesInAll: 2, refillMs: 60_000 });
  let single = 0;
  // Each of 20 clients stays below what would be a flood of one.
  for (let second = 0; second < 60; second += 10) {
    for (let client = 0; client < 20; client += 1) single += singles(fold, `192.0.2.${client}`, 1);
    nowMs += 10_000;
  }
  expect(single).toBe(11);
  fold.close();
  expect(written.reduce((sum, { count }) => sum + count, 0)).toBe(120 - 11);
});

it('takes a /64 of IPv6 for one client', () => {
  const fold = open();
  expect(singles(fold, '2001:db8::1', 2) + singles(fold, '2001:db8::2', 9)).toBe(3);
  fold.close();
  expect(written.map(({ clientAddress, count }) => [clientAddress, count])).toEqual([
    ['2001:db8:0:0::/64', 8],
  ]);
});

it('bounds what is written singly in all, however many clients there are', () => {
  const fold = open({ singlesInAll: 2 });
  let single = 0;
  for (let client = 0; client < 50; client += 1) single += singles(fold, `192.0.2.${client}`, 1);
  expect(single).toBe(6);
  fold.close();
  expect(written.reduce((sum, { count }) => sum + count, 0)).toBe(44);
});

it('counts clients beyond its table as one without an address', () => {
  const fold = open({ clients: 2 });
  for (const address of ['192.0.2.1', '192.0.2.2', '192.0.2.3', '192.0.2.4'])
    singles(fold, address, 5);
  fold.close();
  expect(written.map(({ clientAddress, count }) => [clientAddress, count])).toEqual([
    ['192.0.2.1', 2],
    ['192.0.2.2', 2],
    [null, 7],
  ]);
});

it('loses none and doubles none, whatever comes when', () => {
  const fold = open({ clients: 5 });
  let single = 0;
  let state = 42;
  const random = (below: number) => {
    state = (state * 1103515245 + 12345) % 2 ** 31;
    return Math.floor((state / 2 ** 31) * below);
  };
  for (let count = 0; count < 20_000; count += 1) {
    nowMs += random(100) === 0 ? random(15_000) : random(3);
    if (!fold.folds(`192.0.2.${random(9)}`, random(2) === 0 ? 'token-unknown' : 'token-missing'))
      single += 1;
  }
  fold.close();
  const counted = written.reduce((sum, { count }) => sum + count, 0);
  expect(single + counted).toBe(20_000);
  for (const { count, reasons } of written)
    expect([...reasons.values()].reduce((sum, one) => sum + one, 0)).toBe(count);
});

it('is one line of JSON whose reason is the most frequent', () => {
  const reasons = new Map([
    ['token-missing', 2],
    ['token-unknown', 5],
  ] as const);
  const facts: FoldedFacts = {
    account: null,
    clientAddress: '192.0.2.1',
    count: 7,
    reasons,
    firstMs: WALL,
    lastMs: WALL + 5,
  };
  expect(JSON.parse(foldedEvent('call', 'edge-1', 'id-1', 9, WALL + 7, facts))).toEqual({
    id: 'id-1',
    time: '2026-11-01T00:00:00.007Z',
    type: 'call',
    phase: 'decision',
    instance: 'edge-1',
    seq: 9,
    account: null,
    decision: 'refusal',
    reason: 'token-unknown',
    clientAddress: '192.0.2.1',
    count: 7,
    firstTime: '2026-11-01T00:00:00.000Z',
    lastTime: '2026-11-01T00:00:00.005Z',
    reasons: { 'token-unknown': 5, 'token-missing': 2 },
  });
});

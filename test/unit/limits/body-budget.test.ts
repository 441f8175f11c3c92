import { expect, it } from 'vitest';
import { HeldBody } from '../../../src/calls/held-body.ts';
import { NOTHING_FOUND } from '../../../src/decision/verdict.ts';
import { BodyBudget } from '../../../src/limits/body-budget.ts';

const KIB = 1024;

function wish(account: string, limitBytes: number) {
  return { permitted: null, found: NOTHING_FOUND, account, limitBytes } as const;
}

it('bounds what all callers hold, and what one does', () => {
  const budget = new BodyBudget(100, () => 0.5);
  expect(budget.take('a', 50)).toBe(true);
  expect(budget.take('a', 1)).toBe(false);
  expect(budget.take('b', 30)).toBe(true);
  expect(budget.take('c', 21)).toBe(false);
  expect(budget.take('c', 20)).toBe(true);
  budget.give('a', 50);
  expect(budget.takenBytes).toBe(50);
  expect(budget.take('a', 50)).toBe(true);
});

it('follows a share that changes', () => {
  let share = 0.1;
  const budget = new BodyBudget(100, () => share);
  expect(budget.take('a', 20)).toBe(false);
  share = 1;
  expect(budget.take('a', 100)).toBe(true);
});

it('counts a held body by the memory that it takes, and gives all of it back', () => {
  const budget = new BodyBudget(64 * KIB, () => 1);
  const body = new HeldBody(budget, wish('a', 10_000));
  const sent = Buffer.from(Array.from({ length: 10_000 }, (_, index) => index % 256));
  for (let at = 0; at < sent.length; at += 7)
    expect(body.push(sent.subarray(at, at + 7))).toBe(null);
  expect(body.bytes.equals(sent)).toBe(true);
  expect(budget.takenBytes).toBe(10_000);
  expect(body.push(Buffer.from('x'))).toBe('body-too-large');
  body.release();
  body.release();
  expect(budget.takenBytes).toBe(0);
});

it('refuses where there is no memory left, and takes none for it', () => {
  const budget = new BodyBudget(10 * KIB, () => 1);
  const [one, other] = [
    new HeldBody(budget, wish('a', 64 * KIB)),
    new HeldBody(budget, wish('b', 64 * KIB)),
  ];
  expect(one.push(Buffer.alloc(8 * KIB))).toBe(null);
  expect(other.push(Buffer.alloc(1))).toBe('overloaded');
  expect(one.push(Buffer.alloc(1))).toBe('overloaded');
  expect(budget.takenBytes).toBe(8 * KIB);
  one.release();
  expect(other.push(Buffer.alloc(1))).toBe(null);
});

it('keeps a copy: what was read into is used again', () => {
  const body = new HeldBody(new BodyBudget(10 * KIB, () => 1), wish('a', 100));
  const read = Buffer.from('one');
  body.push(read);
  read.fill('x');
  expect(body.bytes.toString()).toBe('one');
});

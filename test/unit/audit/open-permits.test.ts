import { expect, it } from 'vitest';
import { type OpenPermit, OpenPermits } from '../../../src/audit/open-permits.ts';
import { LeftOpen } from '../../../src/audit/permit-ledger.ts';

const permit = (seq: number): OpenPermit => ({
  place: -1,
  listed: false,
  seq,
  describe: () => `permit ${seq}`,
});
const opened = (permits: OpenPermits) => permits.take().changes.opened.map(({ seq }) => seq);

it('tells what is open once, and its end only if it was told', () => {
  const permits = new OpenPermits();
  const [long, short] = [permit(1), permit(2)];
  permits.add(long);
  expect(permits.take().changes).toEqual({
    anew: true,
    opened: [{ seq: 1, text: 'permit 1' }],
    ended: [],
  });
  permits.add(short);
  permits.remove(short);
  expect(permits.take().changes).toEqual({ anew: false, opened: [], ended: [] });
  permits.remove(long);
  expect(permits.take().changes.ended).toEqual([1]);
  expect(permits.size).toBe(0);
});

it('tells all of it again when what was told may not have arrived', () => {
  const permits = new OpenPermits();
  for (const seq of [1, 2]) permits.add(permit(seq));
  expect(opened(permits)).toEqual([1, 2]);
  expect(opened(permits)).toEqual([]);
  permits.forgetTold();
  expect(opened(permits)).toEqual([1, 2]);
});

it('tells very many in turns, and says when that was all', () => {
  const permits = new OpenPermits();
  for (let seq = 1; seq <= 2500; seq += 1) permits.add(permit(seq));
  const turns = Array.from({ length: 3 }, () => permits.take());
  expect(turns.map(({ complete }) => complete)).toEqual([false, false, true]);
  const told = turns.flatMap(({ changes }) => changes.opened.map(({ seq }) => seq));
  expect(new Set(told).size).toBe(2500);
});

it('finds what is open from what was told and the events behind it, of one instance alone', () => {
  const event = (instance: string, seq: number, id: string, phase: string) =>
    JSON.stringify({ id, type: 'call', phase, instance, seq, decision: 'permit', account: null });
  const found = new LeftOpen('a', ['{"id":"told"}', '{"id":"ended"}'], 5);
  const lines = [
    event('a', 3, 'ended', 'outcome'),
    event('b', 9, 'other', 'decision'),
    event('a', 4, 'short', 'decision'),
    event('a', 5, 'late', 'decision'),
  ];
  expect(lines.map((line) => found.take(line))).toEqual([true, true, true, false]);
  const ids = found.permits.map((text) => (JSON.parse(text) as { id: string }).id);
  expect(ids).toEqual(['told', 'short', 'late']);
});

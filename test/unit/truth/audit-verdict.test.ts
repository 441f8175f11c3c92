import { describe, expect, it } from 'vitest';
import { type AuditRun, verdictOf } from '../../support/truth/audit-verdict.ts';
import type { StoredEvent } from '../../support/truth/raw-record.ts';

type Fields = Readonly<Record<string, unknown>>;

/** Two permits and a refusal of one instance, as they should be on record. */
const EVENTS: readonly Fields[] = [
  { id: 'a', phase: 'decision', seq: 1, decision: 'permit', reason: 'permitted' },
  { id: 'b', phase: 'decision', seq: 2, decision: 'permit', reason: 'permitted' },
  { id: 'a', phase: 'outcome', seq: 3, reason: 'completed', status: 200, responseBytes: 4 },
  { id: 'b', phase: 'outcome', seq: 4, reason: 'completed', status: 200, responseBytes: 4 },
  { id: 'c', phase: 'decision', seq: 5, decision: 'refusal', reason: 'route-unknown', status: 404 },
];

function run(events: readonly Fields[], more: Partial<AuditRun> = {}): AuditRun {
  const whole = events.map((event) => ({ type: 'call', instance: 'one', ...event }));
  const stored = whole.map((event, n) => ({
    place: String(n),
    line: JSON.stringify(event),
    event: event as unknown as StoredEvent['event'],
  }));
  const answer = { method: 'GET', whole: true, status: 200, reason: null, bytes: 4 };
  return {
    calls: [
      { ...answer, requestId: 'a' },
      { ...answer, requestId: 'b' },
      { ...answer, requestId: 'c', status: 404, reason: 'route-unknown' },
    ],
    upstream: ['a', 'b'],
    stored,
    counted: { lost: 0, unrecorded: 0 },
    gone: new Set(),
    ...more,
  };
}

const CLEAN = { lost: 0, withoutRecord: [], duplicated: [], open: [], contradictions: [] };
const without = (...places: readonly number[]) => EVENTS.filter((_, n) => !places.includes(n));

describe('what the checker says of a run', () => {
  it('finds nothing where all agree', () => {
    expect(verdictOf(run(EVENTS))).toMatchObject({ ...CLEAN, answered: 3, calls: 3 });
  });

  it('finds an event that is missing: its number, and whom it belonged to', () => {
    expect(verdictOf(run(without(1, 3)))).toMatchObject({
      lost: 2,
      withoutRecord: ['b: answered 200  without a record'],
    });
    expect(verdictOf(run(without(2)))).toMatchObject({ lost: 1, open: ['a'] });
  });

  it('finds what is missing at the end, where no number tells', () => {
    expect(verdictOf(run(without(4)))).toMatchObject({
      lost: 0,
      withoutRecord: ['c: answered 404 route-unknown without a record'],
    });
  });

  it('finds what is there twice, also under a number of its own', () => {
    const { duplicated } = verdictOf(run([...EVENTS, EVENTS[1]!]));
    expect(duplicated).toEqual(['one: number 2 is there 2 times', 'b: 2 decisions, 1 outcomes']);
    expect(verdictOf(run([...EVENTS, { ...EVENTS[2], seq: 6 }])).duplicated).toEqual([
      'a: 1 decisions, 2 outcomes',
    ]);
  });

  it('finds a request at the upstream that nobody permitted', () => {
    expect(verdictOf(run(EVENTS, { upstream: ['a', 'b', 'c', 'x'] })).withoutRecord).toEqual([
      'c: at an upstream, and route-unknown',
      'x: at an upstream, and not on record',
    ]);
  });

  it('finds a record that says something else than the caller saw', () => {
    const other = EVENTS.map((event) => (event.seq === 3 ? { ...event, status: 502 } : event));
    expect(verdictOf(run(other)).contradictions).toEqual([
      'a: answered 200, recorded completed 502',
    ]);
  });

  it('takes an unknown outcome of the dead alone', () => {
    const unknown = { id: 'a', phase: 'outcome', reason: 'outcome-unknown', decidedBy: 'one' };
    const events = [...without(2), { ...unknown, instance: 'two' }];
    expect(verdictOf(run(events)).contradictions).toEqual(['a: unknown, but one has not gone']);
    const died = verdictOf(run(events, { gone: new Set(['one']) }));
    expect(died).toMatchObject({ contradictions: [], open: [], unknown: 1 });
  });

  it('tells answers that say that no record is made from those that do not', () => {
    const { calls } = run(EVENTS);
    const said = { ...calls[2]!, requestId: 'd', status: 503, reason: 'audit-unavailable' };
    const verdict = verdictOf(run(EVENTS, { calls: [...calls, said] }));
    expect(verdict).toMatchObject({ ...CLEAN, unavailable: 1, unrecorded: 1, answered: 3 });
  });
});

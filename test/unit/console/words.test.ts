import { describe, expect, it } from 'vitest';
import { eventRow, eventRows } from '../../../src/console/event-row.ts';
import { html, joined } from '../../../src/console/html.ts';
import { trafficOf } from '../../../src/console/traffic.ts';
import {
  agoWords,
  msWords,
  permissionsWords,
  permissionWords,
  spanWords,
} from '../../../src/console/words.ts';
import { DURATION_BOUNDS, OVERHEAD_BOUNDS } from '../../../src/telemetry/request-meter.ts';

describe('words for people', () => {
  it('says spans and moments by their largest unit', () => {
    expect([900, 59_999, 60_000, 3_600_000, 47 * 3_600_000, 49 * 3_600_000].map(spanWords)).toEqual(
      ['1 second', '60 seconds', '1 minute', '1 hour', '47 hours', '2 days'],
    );
    const nowMs = Date.parse('2026-11-24T12:00:00Z');
    expect(
      ['2026-11-24T11:59:30Z', '2026-11-24T09:00:00Z', '2026-12-24T12:00:00Z'].map((iso) =>
        agoWords(iso, nowMs),
      ),
    ).toEqual(['just now', '3 hours ago', 'in 30 days']);
    expect(agoWords('no time', nowMs)).toBe('no time');
    expect([0.04, 3.44, 12.7, 1234, 61_000].map(msWords)).toEqual([
      '0.04 ms',
      '3.4 ms',
      '13 ms',
      '1.2 s',
      '61 s',
    ]);
  });

  it('says what permissions mean', () => {
    expect(permissionWords('deployments:read')).toBe('read deployments');
    expect(permissionWords('app:crm:*')).toBe('do everything about app crm');
    expect(permissionsWords([])).toBe('Nothing: every call is refused');
    expect(permissionsWords(['*', 'sallyport:*'])).toBe(
      'May do everything behind the gate and do everything in this console',
    );
  });
});

describe('templates', () => {
  it('escape what they are given, and only that', () => {
    const piece = html`<p title="${'"><b>'}">${['<i>', html`<b>${'&'}</b>`]}${null}${false}${0}</p>`;
    expect(String(piece)).toBe('<p title="&quot;&gt;&lt;b&gt;">&lt;i&gt;<b>&amp;</b>0</p>');
    expect(String(html`${joined(['a', '<'], html`<br>`)}`)).toBe('a<br>&lt;');
  });
});

describe('rows of a log', () => {
  const line = (fields: object) => JSON.stringify({ time: '2026-11-24T07:00:00.000Z', ...fields });
  const call = { id: '1', type: 'call', instance: 'edge', seq: 1, requestId: '1' };
  const account = { id: 'a1B2c3D4e5F6', name: 'ci', kind: 'service' };
  const begun = line({
    ...call,
    phase: 'decision',
    decision: 'permit',
    reason: 'permitted',
    account,
    method: 'GET',
    path: '/x',
  });
  const ended = line({
    ...call,
    phase: 'outcome',
    reason: 'upstream-timeout',
    status: 504,
    durationMs: 1234.5,
    account,
  });

  it('make one row of a call and its ending, whichever of the two a page holds', () => {
    expect(eventRows([ended, begun])).toMatchObject([
      {
        id: '1',
        verdict: 'Let in',
        result: '504 in 1.2 s, the upstream took too long',
        tone: 'warn',
      },
    ]);
    expect(eventRows([ended])).toMatchObject([{ verdict: 'Ended', ending: true }]);
    expect(eventRows([begun])).toMatchObject([{ verdict: 'Let in', result: '' }]);
  });

  it('say what a change changed', () => {
    const change = line({
      id: '2',
      phase: 'change',
      type: 'account-changed',
      actor: { id: null, name: 'ada', kind: 'operator', via: 'admin-api' },
      target: { kind: 'account', id: account.id, name: 'ci' },
      before: { role: 'a', teams: [] },
      after: { role: 'b', teams: [{ team: 't', role: 'r' }] },
    });
    expect(eventRow(change)).toMatchObject({
      who: 'ada',
      what: 'Changed the account ci',
      detail: 'Role: a → b · teams: none → t: r · by the admin API',
    });
  });

  it('show a line that cannot be read, whatever it holds', () => {
    for (const broken of [
      '',
      '{',
      'null',
      '[]',
      '7',
      '{}',
      '{"phase":"change","before":7,"after":[]}',
      '{"phase":"decision","account":5,"path":{}}',
    ]) {
      expect(eventRows([broken])).toMatchObject([{ verdict: 'Unreadable' }]);
    }
  });
});

describe('counts of a stretch of time', () => {
  it('are cut into bins, with what half and 95 of 100 calls took', () => {
    const durations = DURATION_BOUNDS.map(() => 0).concat(0);
    const bucket = DURATION_BOUNDS.indexOf(0.005);
    durations[bucket] = 90;
    durations[DURATION_BOUNDS.indexOf(1)] = 10;
    const overheads = OVERHEAD_BOUNDS.map(() => 0).concat(0);
    const entry = (minute: number, reasons: Record<string, number>) => ({
      minute,
      instance: 'a',
      counts: { reasons, durations, overheads },
    });
    const { bins, total, refusals } = trafficOf(
      [
        entry(100, { permitted: 90, 'permission-denied': 10 }),
        entry(103, { permitted: 5, 'client-aborted': 1 }),
        entry(99, { permitted: 9 }),
        entry(104, { permitted: 9 }),
      ],
      100,
      2,
      2,
    );
    expect(bins.map(({ letIn, refused }) => [letIn, refused])).toEqual([
      [90, 10],
      [6, 0],
    ]);
    expect(refusals).toEqual([{ reason: 'permission-denied', count: 10 }]);
    expect(total.medianMs).toBeGreaterThan(2.5);
    expect(total.medianMs).toBeLessThanOrEqual(5);
    expect(total.slowMs).toBeGreaterThan(500);
    expect(total.overheadMs).toBeNull();
  });
});

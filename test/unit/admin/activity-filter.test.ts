import { describe, expect, it } from 'vitest';
import { type ActivityFilter, concerns, readFilter } from '../../../src/admin/activity-filter.ts';

const COMMON = { time: '2030-01-01T00:00:00.000Z', instance: 'edge', seq: 1 };
const ACCOUNT = { id: 'a1', name: 'billing', kind: 'service' };
const REFUSED = JSON.stringify({
  id: 'r-1',
  ...COMMON,
  type: 'call',
  phase: 'decision',
  account: ACCOUNT,
  decision: 'refusal',
  reason: 'permission-denied',
  route: 'deploy',
  status: 403,
  clientAddress: '2001:db8::7',
  requestId: 'r-1',
});
const ADMIN = JSON.stringify({
  id: 'r-2',
  ...COMMON,
  type: 'admin-call',
  phase: 'outcome',
  account: null,
  actor: { id: 'u1', name: 'ada', kind: 'user', via: 'console' },
  reason: 'permitted',
  status: 200,
  clientAddress: '10.1.2.3',
  requestId: 'r-2',
});
const HEAD = JSON.stringify({ id: 'edge~9', ...COMMON, type: 'chain-head', phase: 'chain' });
const ODD = 'no JSON at all';
const ALL = [REFUSED, ADMIN, HEAD, ODD];

function matching(filter: ActivityFilter, everything = false) {
  return ALL.filter(readFilter(filter, everything));
}

describe('the filter of events', () => {
  it.each([
    [{ decision: 'refusal' }, [REFUSED]],
    [{ status: '403' }, [REFUSED]],
    [{ status: '2xx' }, [ADMIN]],
    [{ address: '2001:0db8:0:0::7' }, [REFUSED]],
    [{ address: '10.0.0.0/8' }, [ADMIN]],
    [{ address: '::ffff:10.1.2.3' }, [ADMIN]],
    [{ address: '10.0.0.0/16' }, []],
    [{ actor: 'ada' }, [ADMIN]],
    [{ actor: 'u1' }, [ADMIN]],
    [{ requestId: 'r-1' }, [REFUSED]],
    [{ route: 'deploy', decision: 'permit' }, []],
    [{ until: '2030-01-01T00:00:00Z' }, [ODD]],
    [{ phase: 'chain' }, []],
  ] as const)('%j', (filter, expected) => {
    expect(matching(filter)).toEqual(expected);
  });

  it('leaves out what is written for the proof alone, unless it is asked for', () => {
    expect(matching({})).toEqual([REFUSED, ADMIN, ODD]);
    expect(matching({}, true)).toEqual(ALL);
    expect(matching({ type: 'unreadable' })).toEqual([HEAD, ODD]);
  });

  it.each([
    { status: '4x' },
    { status: '604' },
    { address: '10.0.0.0/33' },
    { address: '10.0.0/8' },
    { address: '2001:db8::/129' },
    { address: 'a.b/8' },
    { requestId: '' },
  ])('refuses what cannot be: %j', (filter) => {
    expect(() => matching(filter)).toThrow(/invalid|must/);
  });

  it('knows whose an event is', () => {
    expect([concerns(REFUSED, 'a1'), concerns(ADMIN, 'u1'), concerns(ADMIN, 'a1')]).toEqual([
      true,
      true,
      false,
    ]);
  });
});

import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Account } from '../../../src/account/model.ts';
import { Policy } from '../../../src/account/policy.ts';
import { newToken, tokenDigest } from '../../../src/account/token.ts';
import { type OpenCall, OpenCalls } from '../../../src/calls/open-calls.ts';
import type { Origin } from '../../../src/decision/origin.ts';
import type { Permit } from '../../../src/decision/verdict.ts';
import type { FeedEvent } from '../../../src/registry/port.ts';
import { account, role, team } from '../account/samples.ts';
import { decider, NOW_MS, ROLES, ROUTES, SampleRegistry } from '../decision/samples.ts';

const ID = account().id;
let registry: SampleRegistry;
let clock: { nowMs: number; wallMs(): number; monotonicMs(): number };
let calls: OpenCalls;
let ended: string[];
let token: string;
/** From where calls come. */
let origin: Origin;

beforeEach(() => {
  registry = new SampleRegistry();
  registry.policy = Policy.of(ROLES, [team('sales', 'crm', 'shop')]);
  clock = { nowMs: NOW_MS, wallMs: () => clock.nowMs, monotonicMs: () => 0 };
  calls = new OpenCalls(registry, clock);
  ended = [];
  origin = { address: '192.0.2.7', certificate: null };
  token = registry.withToken();
});

/** A call that was permitted and is under way. */
function open(
  name: string,
  path = '/apps/crm/status',
  authorization: string | null = `Bearer ${token}`,
): Permit {
  const permit = decider(registry, ROUTES).now({ path, authorization });
  if (!permit.permitted) throw new Error(permit.reason);
  calls.add({
    permit,
    origin,
    head: null,
    place: -1,
    shutOut: (reason) => void ended.push(`${name}: ${reason}`),
  });
  return permit;
}

/** The account is now like this, and the feed says so. */
function change(parts: Partial<Account>): void {
  const record = {
    ...account(),
    token: { digest: tokenDigest(token), createdAt: account().createdAt },
    ...parts,
  };
  registry.put(record);
  calls.changed({ seq: 2, changes: [{ kind: 'account', key: ID, record }] });
}

const POLICY_CHANGE: FeedEvent = {
  seq: 2,
  changes: [{ kind: 'role', key: 'viewer', record: null }],
};

describe('a change to an account', () => {
  it('that cannot be read ends what it has open, and leaves what others have', () => {
    open('stream');
    calls.changed({ seq: 2, changes: [], unreadable: ['BBBBBBBBBBBB'] });
    expect(ended).toEqual([]);
    calls.changed({ seq: 3, changes: [], unreadable: [ID] });
    expect(ended).toEqual(['stream: registry-unavailable']);
    expect([calls.size, calls.judged]).toEqual([0, true]);
  });

  it.each([
    [
      'a rotation',
      { token: { digest: tokenDigest(newToken(ID)), createdAt: '2026-01-01T00:00:00.000Z' } },
      'token-revoked',
    ],
    ['a deactivation', { status: 'inactive' }, 'account-inactive'],
    ['an expiry in the past', { expiresAt: new Date(NOW_MS - 1).toISOString() }, 'token-expired'],
    ['a lower role', { role: 'none' }, 'permission-denied'],
    ['networks elsewhere', { allowedNetworks: ['10.0.0.0/8'] }, 'address-refused'],
    ['a binding', { boundTo: { thumbprint: 'other' } }, 'token-unbound'],
    [
      'a grant that lowers',
      { grants: [{ application: 'crm', role: 'none' }] },
      'permission-denied',
    ],
  ] as const)('ends its calls before it returns: %s', (_, parts, reason) => {
    open('call');
    change(parts as Partial<Account>);
    expect(ended).toEqual([`call: ${reason}`]);
    expect(calls.size).toBe(0);
  });

  it('that takes nothing from them leaves them alone, and those of others always', () => {
    open('call');
    change({ description: 'new' });
    change({ grants: [{ application: 'shop', role: 'none' }] });
    calls.changed({ seq: 3, changes: [{ kind: 'account', key: 'someone-else', record: null }] });
    expect(ended).toEqual([]);
    expect(calls.size).toBe(1);
  });

  it('that gives it an end ends them then', () => {
    open('call');
    change({ expiresAt: new Date(NOW_MS + 1000).toISOString() });
    calls.sweep();
    expect(ended).toEqual([]);
    clock.nowMs += 1000;
    calls.sweep();
    expect(ended).toEqual(['call: token-expired']);
  });

  it('leaves those alone that come from where they may, until the certificate has ended', () => {
    const certificate = { thumbprint: 't', subject: 'CN=ci', validUntilMs: NOW_MS + 1000 };
    origin = { address: '192.0.2.7', certificate };
    open('call');
    change({ allowedNetworks: ['192.0.2.0/24'], boundTo: { subject: 'CN=ci' } });
    calls.sweep();
    expect(ended).toEqual([]);
    clock.nowMs += 1000;
    calls.sweep();
    expect(ended).toEqual(['call: token-unbound']);
  });

  it('ends what may reach any application when one application is lowered, for unsafe methods', () => {
    change({ role: 'deployer' });
    const permit = decider(registry, ROUTES).now({
      path: '/all/x',
      method: 'POST',
      authorization: `Bearer ${token}`,
    });
    if (!permit.permitted) throw new Error(permit.reason);
    calls.add({
      permit,
      origin,
      head: null,
      place: -1,
      shutOut: (reason) => void ended.push(reason),
    });
    change({ role: 'deployer', grants: [{ application: 'crm', role: 'viewer' }] });
    expect(ended).toEqual(['permission-denied']);
  });

  it('keeps the calls of the old token while an overlap lasts, and time ends them', () => {
    open('call');
    const previous = {
      digest: tokenDigest(token),
      createdAt: '2026-01-01T00:00:00.000Z',
      validUntil: new Date(NOW_MS + 60_000).toISOString(),
    };
    change({
      token: { digest: tokenDigest(newToken(ID)), createdAt: previous.createdAt },
      previous,
    });
    open('later');
    calls.sweep();
    expect(ended).toEqual([]);
    clock.nowMs += 60_000;
    calls.sweep();
    expect(ended.toSorted()).toEqual(['call: token-revoked', 'later: token-revoked']);
  });
});

it('ends the calls of those whom a change to a role or a team shuts out, and public ones never', () => {
  open('call');
  open('probe', '/healthz', null);
  registry.policy = Policy.of([role('viewer', 'other:read')], []);
  calls.changed(POLICY_CHANGE);
  expect(ended).toEqual(['call: permission-denied']);
  expect(calls.size).toBe(1);
});

describe('an account that has to be looked up first', () => {
  beforeEach(() => {
    open('call');
    registry.late = true;
  });

  it('is not settled until it was, and then its calls have ended', async () => {
    registry.put({
      ...account(),
      status: 'inactive',
      token: { digest: tokenDigest(token), createdAt: account().createdAt },
    });
    calls.reloaded();
    expect(ended).toEqual([]);
    expect(await calls.settled()).toBe(true);
    expect(ended).toEqual(['call: account-inactive']);
    expect(calls.settled()).toBe(true);
  });

  it('stays unsettled while the registry does not answer', async () => {
    calls.reloaded();
    registry.unavailable = true;
    expect(await calls.settled()).toBe(false);
    registry.unavailable = false;
    expect(await calls.settled()).toBe(true);
    expect(ended).toEqual([]);
  });
});

describe('the list', () => {
  const callOf = (permit: Permit, shutOut: OpenCall['shutOut'] = () => {}): OpenCall => ({
    permit,
    origin,
    head: null,
    place: -1,
    shutOut,
  });

  it('holds whoever came and has not left, in whatever order they come and leave, also twice', () => {
    const permit = open('first');
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 9 })), (moves) => {
        const list = new OpenCalls(registry, clock);
        const all = Array.from({ length: 10 }, () => callOf(permit));
        const inside = new Set<OpenCall>();
        for (const move of moves) {
          const call = all[move]!;
          if (inside.delete(call)) list.remove(call);
          else {
            inside.add(call);
            list.add(call);
          }
          list.remove(callOf(permit));
          expect(list.size).toBe(inside.size);
        }
        for (const call of all) expect(call.place !== -1).toBe(inside.has(call));
        for (const call of [...inside, ...inside]) list.remove(call);
        expect(list.size).toBe(0);
      }),
    );
  });

  it('is judged to its end, whoever leaves meanwhile', () => {
    const permit = open('first');
    const others = Array.from({ length: 6 }, (_, i): OpenCall => {
      // Each takes another one along: the next one, and the last takes the first.
      return callOf(permit, () => {
        ended.push(`${i}`);
        calls.remove(others[(i + 1) % 6]!);
      });
    });
    for (const call of others) calls.add(call);
    change({ status: 'inactive' });
    expect(ended).toEqual(['first: account-inactive', '0', '2', '4']);
    expect(calls.size).toBe(0);
  });
});

it('tells whether a permit still stands', () => {
  const permit = open('call');
  expect(calls.stands(permit, origin)).toBe(true);
  registry.put({ ...account(), status: 'inactive' });
  expect(calls.stands(permit, origin)).toBe(false);
  registry.unavailable = true;
  expect(calls.stands(permit, origin)).toBe(false);
});

describe('the end of a lease', () => {
  it('ends every call that was permitted under it, those in doubt included, and leaves none', async () => {
    open('one');
    open('two');
    registry.late = true;
    calls.reloaded();
    calls.lapsed();
    expect(ended).toEqual(['one: registry-unavailable', 'two: registry-unavailable']);
    expect(calls.size).toBe(0);
    expect(calls.settled()).toBe(true);
    calls.lapsed();
    expect(ended).toHaveLength(2);
  });
});

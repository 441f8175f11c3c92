import { expect, it } from 'vitest';
import type { InstanceStatus } from '../../../src/registry/members.ts';
import { MemberKeeper } from '../../../src/registry/receipts/member-keeper.ts';
import { SilentMembers } from '../../../src/registry/receipts/silent-members.ts';
import { ManualClock } from './held-source.ts';

const LEASE_MS = 4_000;
/** The lease, and what clocks may differ by. */
const OVER_MS = 4_020;

function looker() {
  const silent = new SilentMembers();
  return (renewal: string | null, askedMs: number, { answeredMs = askedMs, marginMs = 0 } = {}) =>
    silent.isSilent(
      { progress: { instance: 'a', renewal }, leaseMs: LEASE_MS, askedMs, answeredMs },
      marginMs,
    );
}

it('finds a member silent a whole lease after it was first seen at its last renewal', () => {
  const look = looker();
  expect(look('1', 0)).toBe(false);
  expect(look('1', OVER_MS - 1)).toBe(false);
  expect(look('1', OVER_MS)).toBe(true);
});

it('begins anew with every renewal, one that an earlier one was named like included', () => {
  const look = looker();
  expect([look('1', 0), look('2', 3_000), look('1', 6_000), look('1', 10_000)]).toEqual([
    false,
    false,
    false,
    false,
  ]);
  expect(look('1', 6_000 + OVER_MS)).toBe(true);
});

it('counts from the answer that showed the renewal to the question that showed it again', () => {
  const look = looker();
  look('1', 0, { answeredMs: 900 });
  expect(look('1', OVER_MS + 899, { answeredMs: OVER_MS + 2_000 })).toBe(false);
  expect(look('1', OVER_MS + 900)).toBe(true);
});

it('adds the time for which two stores could renew leases, and takes no renewal at all for one', () => {
  const look = looker();
  look(null, 0);
  expect(look(null, OVER_MS, { marginMs: 10_000 })).toBe(false);
  expect(look(null, OVER_MS + 10_000, { marginMs: 10_000 })).toBe(true);
});

it('has the keeper forget who went without a goodbye, and nobody else', async () => {
  const clock = new ManualClock();
  const forgotten: [string, string | null][] = [];
  let renewals = 0;
  const status = (instance: string, renewal: string): InstanceStatus => ({
    instance,
    renewal,
    registered: true,
    applied: null,
    leaseMs: LEASE_MS,
    leaseRemainingMs: 0,
    version: '',
    schema: 2,
  });
  const keeper = new MemberKeeper(
    {
      assurance: async () => ({ assurance: 'proven', marginMs: 0 }),
      instances: async () => ({
        position: { epoch: 'e', seq: 1 },
        items: [status('dead', '1'), status('lives', String(renewals++))],
      }),
      forget: async (instance, renewal) => forgotten.push([instance, renewal]) > 0,
    },
    clock,
    () => {},
  );
  await keeper.look();
  clock.nowMs += OVER_MS - 1;
  await keeper.look();
  expect(forgotten).toEqual([]);
  clock.nowMs += 1;
  await keeper.look();
  expect(forgotten).toEqual([['dead', '1']]);
});

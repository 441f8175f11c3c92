import { describe, expect, it } from 'vitest';
import { compilePrincipal } from '../../../src/account/principal.ts';
import { decodeEvent, encodeRecord, withVersion } from '../../../src/registry/codec.ts';
import { ABSENT, Generation, UNAVAILABLE } from '../../../src/registry/replica/generation.ts';
import type { Lookup } from '../../../src/registry/replica/port.ts';
import { account, idOf, role } from '../../contract/registry-records.ts';

/** Of a version that comes after this one, as it stands in the feed. */
const newer = (n: number) =>
  withVersion(encodeRecord(account(n)), 2).replace('"schema":1', '"schema":9');
const found = (n: number): Lookup => ({
  found: 'account',
  account: compilePrincipal(account(n, { version: 1 })),
});

function generation(): Generation {
  const snapshot = { epoch: 'e', seq: 1, roles: [role('viewer', [])], teams: [], damagedRoles: [] };
  return new Generation(snapshot, { maxAccounts: 10, maxNegatives: 10 });
}

describe('a change to an account that cannot be read', () => {
  it('is named, and hides no other of the same step; of a role it is a fault', () => {
    const changes = [
      [`account:${idOf(1)}`, newer(1)],
      [`account:${idOf(2)}`, withVersion(encodeRecord(account(2)), 2)],
    ] as const;
    expect(decodeEvent(2, changes)).toMatchObject({
      seq: 2,
      changes: [{ kind: 'account', key: idOf(2) }],
      unreadable: [idOf(1)],
    });
    expect(decodeEvent(2, changes.slice(1))).not.toHaveProperty('unreadable');
    expect(() => decodeEvent(2, [['role:viewer', '{']])).toThrow('role viewer cannot be read');
  });

  it('takes the account out of what is known, and leaves the others', () => {
    const known = generation();
    for (const n of [1, 2]) known.learn(idOf(n), found(n), 1);
    known.learn(idOf(3), ABSENT, 1);
    expect(known.apply({ seq: 2, changes: [], unreadable: [idOf(1), idOf(3)] })).toBe(true);
    expect(known.accounts.get(idOf(1))).toBeUndefined();
    expect(known.negatives.get(idOf(3))).toBeUndefined();
    expect(known.accounts.get(idOf(2))).toMatchObject({ found: 'account' });
    expect(known.appliedSeq).toBe(2);
  });

  it('counts for a look-up that began before it', () => {
    const known = generation();
    known.pending.set(idOf(1), { answer: Promise.resolve(found(1)), newer: null });
    known.apply({ seq: 2, changes: [], unreadable: [idOf(1)] });
    expect(known.learn(idOf(1), found(1), 1)).toBe(UNAVAILABLE);
    expect(known.accounts.get(idOf(1))).toBeUndefined();
    expect(known.negatives.get(idOf(1))).toBeUndefined();
    expect(known.learn(idOf(1), found(1), 2)).toMatchObject({ found: 'account' });
  });
});

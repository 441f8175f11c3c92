import { beforeEach, describe, expect, it } from 'vitest';
import type { Account, Role, Team } from '../../../src/account/model.ts';
import type { RecordChange } from '../../../src/registry/commit.ts';
import type { FeedEvent, PolicySnapshot } from '../../../src/registry/port.ts';
import { REVOKED_LIMITS, Revoked } from '../../../src/registry/revoked/revoked.ts';
import { underTombstone } from '../../../src/registry/revoked/tombstone.ts';
import type { AccountTombstone, PolicyTombstone } from '../../../src/registry/tombstone.ts';
import { account, digestOf, idOf, role, team } from '../../contract/registry-records.ts';

const MOMENT = '2026-01-01T00:00:00.000Z';
let revoked: Revoked;

beforeEach(() => {
  revoked = new Revoked();
  revoked.begin('epoch-1');
});

function event(seq: number, n: number, parts: Partial<Account> | null): FeedEvent {
  const record = parts === null ? null : account(n, parts);
  return { seq, changes: [{ kind: 'account', key: idOf(n), record }] };
}

function lostAccounts(): readonly AccountTombstone[] {
  return revoked.lost().filter((one) => 'account' in one);
}

function recordIn(noted: FeedEvent): unknown {
  return noted.changes[0]?.record;
}

/** The account with the token that it had at first. */
const before = account(1);
const rotated = { token: { digest: digestOf(99), createdAt: MOMENT }, retired: [digestOf(1)] };

it('knows nothing against an account of which it has seen nothing', () => {
  revoked.note(event(5, 1, { description: 'new' }));
  expect(revoked.against(before)).toBe(before);
  expect(revoked.size).toBe(0);
});

it('takes a rotated token for revoked, whatever an older store says', () => {
  revoked.note(event(5, 1, rotated));
  expect(revoked.against(before)).toMatchObject({ token: null, retired: [digestOf(1)] });
  expect(revoked.against(account(1, rotated))).toEqual(account(1, { ...rotated, previous: null }));
});

it('takes a deleted account for deleted', () => {
  revoked.note(event(5, 1, null));
  expect(revoked.against(before)).toBeNull();
  expect(recordIn(revoked.note(event(6, 1, {})))).toBeNull();
});

it('lets a token of an overlap in until the moment that was said, and no store can prolong it', () => {
  const previous = {
    digest: digestOf(1),
    createdAt: MOMENT,
    validUntil: '2026-02-01T00:00:00.000Z',
  };
  revoked.note(event(5, 1, { ...rotated, retired: [], previous }));
  expect(revoked.against(before)).toMatchObject({ token: null, previous, retired: [] });
  revoked.note(event(6, 1, rotated));
  expect(revoked.against(before)).toMatchObject({
    token: null,
    previous: null,
    retired: [digestOf(1)],
  });
});

it('lets no later event bring a token back that it has seen retired', () => {
  revoked.note(event(5, 1, rotated));
  expect(recordIn(revoked.note(event(6, 1, { token: before.token, retired: [] })))).toMatchObject({
    token: null,
  });
});

describe('an inactive account', () => {
  beforeEach(() => {
    revoked.note(event(5, 1, { status: 'inactive' }));
  });

  it('is what its store says while nothing was lost', () => {
    expect(revoked.against(before)).toMatchObject({ status: 'active' });
    expect(revoked.lost()).toEqual([]);
  });

  it('stays so when the store has lost that, until the store was told and somebody who could know activates it', () => {
    revoked.lose({ epoch: 'epoch-1', seq: 4 }, false);
    expect(revoked.against(before)).toMatchObject({ status: 'inactive' });
    // Made without knowing.
    expect(recordIn(revoked.note(event(5, 1, { description: 'new' })))).toMatchObject({
      status: 'inactive',
    });
    const lost = revoked.lost();
    expect(lost).toMatchObject([{ account: idOf(1), digests: {}, inactive: true }]);
    revoked.told(lost);
    expect(revoked.lost()).toEqual([]);
    expect(recordIn(revoked.note(event(6, 1, { description: 'activated' })))).toMatchObject({
      status: 'active',
    });
    expect(revoked.against(before)).toMatchObject({ status: 'active' });
  });

  it('is told again when the store that was told is lost too', () => {
    revoked.lose({ epoch: 'epoch-1', seq: 4 }, false);
    revoked.told(revoked.lost());
    revoked.lose({ epoch: 'epoch-1', seq: 9 }, false);
    expect(revoked.lost()).toHaveLength(1);
  });

  it('is not held against a store that has the change', () => {
    revoked.lose({ epoch: 'epoch-1', seq: 5 }, false);
    expect(revoked.lost()).toEqual([]);
    revoked.lose({ epoch: 'epoch-1', seq: 5 }, true);
    expect(revoked.lost()).toHaveLength(1);
  });
});

it('tells only what was learned after the point to which the store fell back', () => {
  revoked.note(event(5, 1, rotated));
  revoked.note(event(6, 2, null));
  revoked.lose({ epoch: 'epoch-1', seq: 5 }, false);
  expect(revoked.lost()).toEqual([
    { account: idOf(2), digests: {}, deleted: true, inactive: false, seq: 5 },
  ]);
});

it('goes on refusing in another registry what it has seen revoked, and tells it', () => {
  revoked.note(event(5, 1, rotated));
  revoked.note(event(6, 2, null));
  revoked.note(event(7, 3, { status: 'inactive' }));
  revoked.begin('epoch-1');
  expect([revoked.size, revoked.lost().length]).toEqual([3, 0]);
  revoked.begin('epoch-2');
  expect(revoked.against(before)).toMatchObject({ token: null });
  expect(revoked.against(account(2))).toBeNull();
  expect(revoked.against(account(3))).toMatchObject({ status: 'inactive' });
  expect(revoked.lost()).toMatchObject([
    { account: idOf(1), digests: { [digestOf(1)]: 0 }, deleted: false, inactive: false, seq: 0 },
    { account: idOf(2), digests: {}, deleted: true, inactive: false, seq: 0 },
    { account: idOf(3), digests: {}, deleted: false, inactive: true, seq: 0 },
  ]);
});

describe('an account that an import was told to revive', () => {
  it('is held to nothing that was known before, and to everything that comes after', () => {
    revoked.note(event(5, 1, rotated));
    revoked.note(event(6, 1, null));
    expect(revoked.against(account(1, { revived: 5 }))).toBeNull();
    const alive = account(1, { revived: 6 });
    expect(revoked.against(alive)).toBe(alive);
    expect(recordIn(revoked.note(event(7, 1, { revived: 6 })))).toEqual(alive);
    expect(revoked.known(idOf(1))).toBeNull();
    revoked.note(event(8, 1, { ...rotated, revived: 6 }));
    expect(revoked.against(alive)).toMatchObject({ token: null });
    revoked.note(event(9, 1, null));
    expect(revoked.against(alive)).toBeNull();
  });

  it('is let in by who comes to the registry later, knowing it from an earlier one', () => {
    revoked.note(event(500, 1, null));
    revoked.begin('epoch-2');
    const alive = account(1, { revived: 3 });
    expect(revoked.against(alive)).toBe(alive);
    const [told] = lostAccounts();
    expect(underTombstone(alive, told!)).toBe(alive);
    expect(underTombstone(before, told!)).toBeNull();
    const { seq: _, ...unsaid } = told!;
    expect(underTombstone(alive, unsaid)).toBeNull();
  });

  it('can be revived in a store that stands before what was seen, once that was told', () => {
    revoked.note(event(20, 1, null));
    revoked.lose({ epoch: 'epoch-1', seq: 15 }, false);
    revoked.told(revoked.lost());
    const alive = account(1, { revived: 15 });
    expect(revoked.against(alive)).toBe(alive);
  });
});

describe('an account whose lowering a failover lost', () => {
  const lowered = { role: 'reader', updatedAt: '2026-01-02T00:00:00.000Z' };
  const higher = account(1, { role: 'administrator' });

  it.each([
    ['role', { role: 'none' }],
    ['teams', { teams: [] }],
    ['grants', { grants: [{ application: 'crm', role: 'none' }] }],
    ['expiry', { expiresAt: '2026-03-01T00:00:00.000Z' }],
  ] as const)('is inactive while its record has another %s than was seen', (_, parts) => {
    const whole = account(1, {
      teams: [{ team: 'sales', role: 'administrator' }],
      updatedAt: lowered.updatedAt,
    });
    revoked.note({
      seq: 5,
      changes: [{ kind: 'account', key: idOf(1), record: { ...whole, ...parts } }],
    });
    expect(revoked.against(whole)).toMatchObject({ status: 'active' });
    revoked.lose({ epoch: 'epoch-1', seq: 4 }, false);
    expect(revoked.against(whole)).toMatchObject({ status: 'inactive' });
    expect(revoked.against({ ...whole, ...parts })).toMatchObject({ status: 'active' });
  });

  it('is so for everybody once the store was told, until somebody who saw that activates it', () => {
    revoked.note(event(5, 1, lowered));
    revoked.lose({ epoch: 'epoch-1', seq: 4 }, false);
    const [told] = lostAccounts();
    expect(underTombstone(higher, told!)).toMatchObject({ status: 'inactive' });
    expect(underTombstone(account(1, lowered), told!)).toMatchObject({ status: 'active' });
    revoked.told([told!]);
    expect(revoked.against(higher)).toMatchObject({ status: 'active' });
  });

  it('is so after a change that came while the store did not know, and was lost in its turn', () => {
    revoked.note(event(5, 1, lowered));
    revoked.lose({ epoch: 'epoch-1', seq: 4 }, false);
    revoked.note(event(6, 1, { role: 'none', updatedAt: lowered.updatedAt }));
    revoked.lose({ epoch: 'epoch-1', seq: 5 }, false);
    expect(revoked.against(account(1, lowered))).toMatchObject({ status: 'inactive' });
  });

  it('is left alone when only something else of it was lost', () => {
    revoked.note(event(5, 1, { description: 'new', updatedAt: lowered.updatedAt }));
    revoked.lose({ epoch: 'epoch-1', seq: 4 }, false);
    expect(revoked.against(before)).toMatchObject({ status: 'active', token: before.token });
  });
});

describe('a role or team of which a failover lost a change', () => {
  const changed = (seq: number, record: Role | Team): FeedEvent => ({
    seq,
    changes: [changeOf(record)],
  });
  const changeOf = (record: Role | Team): RecordChange =>
    'permissions' in record
      ? { kind: 'role', key: record.name, record }
      : { kind: 'team', key: record.name, record };
  const snapshot = (...records: (Role | Team)[]): PolicySnapshot => ({
    ...{ epoch: 'epoch-1', seq: 4, damagedRoles: [] },
    roles: records.filter((one) => 'permissions' in one),
    teams: records.filter((one) => 'applications' in one),
  });
  const wide = role('viewer', ['a:*', 'b:read']);
  const before = snapshot(wide, team('crew', ['crm']));

  beforeEach(() => {
    revoked.note(changed(5, role('viewer', ['a:read', 'c:read'])));
    revoked.note(changed(6, team('crew', ['shop'])));
  });

  it('is taken from a store that knows as it is there', () => {
    expect(revoked.againstAll(before)).toEqual(before);
  });

  it('allows what record and memory both allow, and the rest is in doubt', () => {
    revoked.lose({ epoch: 'epoch-1', seq: 4 }, false);
    const { roles, teams } = revoked.againstAll(before);
    expect(roles).toMatchObject([{ permissions: ['a:read'], inDoubt: ['a:*', 'b:read'] }]);
    expect(teams).toMatchObject([{ applications: ['crm'], inDoubt: ['crm', 'shop'] }]);
    const noted = revoked.note(changed(5, wide));
    expect(recordIn(noted)).toMatchObject({ permissions: ['a:read'] });
    expect(revoked.lost()).toEqual([
      { policy: 'team:crew', seen: [['shop']], seq: 4 },
      {
        ...{ policy: 'role:viewer', seq: 5 },
        seen: [
          ['a:read', 'c:read'],
          ['a:*', 'b:read'],
        ],
      },
    ]);
  });

  it('that was deleted allows nothing, and its applications are in doubt', () => {
    revoked.note({ seq: 7, changes: [{ kind: 'role', key: 'viewer', record: null }] });
    revoked.note({ seq: 8, changes: [{ kind: 'team', key: 'crew', record: null }] });
    revoked.lose({ epoch: 'epoch-1', seq: 4 }, false);
    const { roles, teams } = revoked.againstAll(before);
    expect(roles).toMatchObject([{ permissions: [] }]);
    expect(teams).toMatchObject([{ inDoubt: ['crm'] }]);
  });

  it('needs not be told to a store that gives no more than was seen', () => {
    revoked.lose({ epoch: 'epoch-1', seq: 4 }, true);
    revoked.compare(snapshot(role('viewer', ['a:read']), team('crew', ['shop'])));
    expect(revoked.lost()).toEqual([]);
    revoked.lose({ epoch: 'epoch-1', seq: 3 }, false);
    revoked.compare(before);
    expect(revoked.lost()).toHaveLength(2);
  });

  it('is what it is made to be by whoever knows: after the store was told', () => {
    revoked.lose({ epoch: 'epoch-1', seq: 4 }, false);
    revoked.told(revoked.lost());
    expect(recordIn(revoked.note(changed(7, wide)))).toBe(wide);
    revoked.lose({ epoch: 'epoch-1', seq: 6 }, false);
    expect(revoked.againstAll(before).roles).toEqual([wide]);
  });

  it('counts by all that was seen of it, also by what came while the store did not know', () => {
    revoked.lose({ epoch: 'epoch-1', seq: 4 }, false);
    revoked.note(changed(7, role('viewer', ['a:write', 'b:read'])));
    revoked.note(changed(8, team('crew', ['crm'])));
    // The store goes back once more, to what was seen before that.
    revoked.lose({ epoch: 'epoch-1', seq: 6 }, false);
    const { roles, teams } = revoked.againstAll(
      snapshot(role('viewer', ['a:read', 'c:read']), team('crew', ['shop'])),
    );
    expect(roles).toMatchObject([{ permissions: [] }]);
    expect(teams).toMatchObject([{ inDoubt: ['crm', 'shop'] }]);
    // What the store had before that, and has told already, changes nothing.
    revoked.note(changed(3, role('viewer', [])));
    expect(revoked.lost()).toHaveLength(2);
    for (let n = 0; n < 40; n += 1) revoked.note(changed(9 + n, team('crew', [`app-${n}`])));
    const [told] = revoked.lost().filter((one) => 'policy' in one && one.policy === 'team:crew');
    expect(told).toMatchObject({ seen: { length: 17 } });
    expect((told as PolicyTombstone).seen.at(-1)).toEqual([]);
  });

  it('is what an import was told to revive', () => {
    revoked.begin('epoch-2');
    const { roles } = revoked.againstAll(snapshot({ ...wide, revived: 0 }));
    expect(roles).toEqual([{ ...wide, revived: 0 }]);
    expect(revoked.againstAll(snapshot(wide)).roles).toMatchObject([{ permissions: ['a:read'] }]);
  });
});

it('remembers a bounded number of accounts and digests, what has yet to be told and what is newest before the rest', () => {
  revoked.note(event(5, 0, rotated));
  revoked.lose({ epoch: 'epoch-1', seq: 1 }, false);
  for (let n = 1; n <= REVOKED_LIMITS.accounts + 10; n += 1) revoked.note(event(5 + n, n, null));
  expect(revoked.size).toBe(REVOKED_LIMITS.accounts);
  expect(lostAccounts().map(({ account: id }) => id)).toEqual([idOf(0)]);
  expect(revoked.against(account(1))).not.toBeNull();
  expect(revoked.against(account(REVOKED_LIMITS.accounts))).toBeNull();
  for (let n = 0; n < 100; n += 1)
    revoked.note(event(20_000 + n, 7, { retired: [digestOf(1_000 + n)] }));
  revoked.lose({ epoch: 'epoch-1', seq: 1 }, true);
  const digests = Object.keys(
    lostAccounts().find(({ account: id }) => id === idOf(7))?.digests ?? {},
  );
  expect(digests).toEqual(
    Array.from({ length: REVOKED_LIMITS.digests }, (_, n) =>
      digestOf(1_000 + 100 - REVOKED_LIMITS.digests + n),
    ),
  );
});

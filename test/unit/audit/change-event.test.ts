import { expect, it } from 'vitest';
import type { Account } from '../../../src/account/model.ts';
import { type ChangeFacts, changeEvent } from '../../../src/audit/event/change-event.ts';

const SECRETS = ['d1'.repeat(32), 'd2'.repeat(32), 'scrypt-verifier'];

const ACCOUNT: Account = {
  id: 'a1B2c3D4e5F6',
  version: 4,
  kind: 'service',
  name: 'billing',
  description: 'line one\nline two \u2028 and \ud800',
  status: 'active',
  role: 'deployer',
  teams: [{ team: 'core', role: 'viewer' }],
  grants: [],
  createdAt: '2026-11-24T06:00:00.000Z',
  updatedAt: '2026-11-24T06:00:00.000Z',
  expiresAt: null,
  token: { digest: SECRETS[0] as string, createdAt: '2026-11-24T06:00:00.000Z' },
  retired: [SECRETS[1] as string],
  password: SECRETS[2] as string,
};

const FACTS: ChangeFacts = {
  id: 'event-1',
  timeMs: 0,
  type: 'token-rotated',
  instance: null,
  actor: { id: null, name: 'ada', kind: 'operator', via: 'command-line' },
  target: { kind: 'account', id: ACCOUNT.id, name: ACCOUNT.name },
  before: ACCOUNT,
  after: {
    ...ACCOUNT,
    token: { digest: SECRETS[1] as string, createdAt: '2026-11-25T06:00:00.000Z' },
  },
  requestId: null,
  clientAddress: null,
};

it('shows who did what to whom, before and after', () => {
  const event = JSON.parse(changeEvent(FACTS));
  expect(event).toMatchObject({
    type: 'token-rotated',
    phase: 'change',
    actor: { name: 'ada', via: 'command-line' },
    target: { name: 'billing' },
  });
  expect(event.before.tokenCreatedAt).toBe('2026-11-24T06:00:00.000Z');
  expect(event.after.tokenCreatedAt).toBe('2026-11-25T06:00:00.000Z');
  expect(event.after.teams).toEqual([{ team: 'core', role: 'viewer' }]);
});

it('shows no digest, no password and nothing that a record gained since', () => {
  const richer = {
    ...ACCOUNT,
    recoveryCode: 'scrypt-verifier',
    teams: [{ team: 'core', role: 'viewer', note: 'scrypt-verifier' }],
  };
  const text = changeEvent({
    ...FACTS,
    before: richer,
    after: { ...richer, description: `slp_a1B2c3D4e5F6_${'abcdefg'.repeat(7)}` },
  });
  for (const secret of [...SECRETS, 'retired', 'abcdefgabc']) expect(text).not.toContain(secret);
});

it('shows the actor by its four public facts only', () => {
  const actor = { ...FACTS.actor, permissions: 'store-owner' } as ChangeFacts['actor'];
  expect(JSON.parse(changeEvent({ ...FACTS, actor })).actor).toEqual({
    id: null,
    name: 'ada',
    kind: 'operator',
    via: 'command-line',
  });
});

it('is one well-formed line', () => {
  const text = changeEvent(FACTS);
  expect(text).not.toMatch(/[\n\r\u2028\u2029]/);
  expect(text.isWellFormed()).toBe(true);
  expect(text).not.toContain('\\ud800');
});

it('says null for what did not exist and what exists no more', () => {
  expect(
    JSON.parse(changeEvent({ ...FACTS, type: 'account-created', before: null })).before,
  ).toBeNull();
  expect(
    JSON.parse(changeEvent({ ...FACTS, type: 'account-deleted', after: null })).after,
  ).toBeNull();
});

it('keeps a role with a huge list bounded, and says that it was cut', () => {
  const role = {
    name: 'huge',
    version: 1,
    description: '',
    permissions: Array.from({ length: 50_000 }, (_, i) => `p${i}:read`),
    createdAt: '',
    updatedAt: '',
  };
  const event = JSON.parse(
    changeEvent({
      ...FACTS,
      type: 'role-changed',
      target: { kind: 'role', id: 'huge', name: 'huge' },
      before: role,
      after: role,
    }),
  );
  expect(event.after.permissions.length).toBe(2001);
  expect(event.after.permissions.at(-1)).toBe('…');
});

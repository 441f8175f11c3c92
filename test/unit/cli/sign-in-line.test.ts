import { expect, it } from 'vitest';
import { signInEvent } from '../../../src/audit/event/sign-in-event.ts';
import { formatEvent } from '../../../src/cli/event-line.ts';

const facts = {
  id: 'id-1',
  timeMs: Date.parse('2026-11-24T07:00:00Z'),
  clientAddress: '10.0.0.1',
  userAgent: 'a "browser"',
};

it('shows a sign-in, and an attempt at one, as one line', () => {
  const signedIn = signInEvent('edge', 1, {
    ...facts,
    reason: 'signed-in',
    account: { id: 'a', name: 'ada' },
    claimedAccountId: null,
  });
  expect(JSON.parse(signedIn)).toMatchObject({
    phase: 'sign-in',
    decision: 'permit',
    account: { name: 'ada', kind: 'user' },
    userAgent: 'a "browser"',
  });
  expect(formatEvent(signedIn)).toBe(
    '2026-11-24 07:00:00.000  console  ada  (signed-in at the console, from 10.0.0.1)',
  );
  const tried = signInEvent('edge', 2, {
    ...facts,
    reason: 'password-wrong',
    account: null,
    claimedAccountId: 'AAAAAAAAAAAA',
    userAgent: null,
  });
  expect(JSON.parse(tried)).not.toHaveProperty('userAgent');
  expect(formatEvent(tried)).toContain(
    'refused  somebody as AAAAAAAAAAAA  (password-wrong at the console',
  );
});

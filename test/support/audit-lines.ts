import { adminCallEvent } from '../../src/audit/event/admin-call-event.ts';
import { CallEvents } from '../../src/audit/event/call-event.ts';
import { chainEvent } from '../../src/audit/event/chain-event.ts';
import { changeEvent } from '../../src/audit/event/change-event.ts';
import { foldedEvent } from '../../src/audit/event/folded-event.ts';
import { signInEvent } from '../../src/audit/event/sign-in-event.ts';
import { DECISION, decisionLine, OUTCOME, outcomeLine } from './call-events.ts';

export const EVENTS = new CallEvents('edge-a.k2J9x');
const actor = { id: 'u1', name: 'ada', kind: 'user', via: 'console' } as const;
export const UNREADABLE = '{"id":"x","time":"2030-01-01T00:00:00.000Z","schema":9}';

/** One line of each kind of event. */
export const LINES: Readonly<Record<string, string>> = {
  decision: decisionLine(EVENTS, 1, DECISION),
  refusal: decisionLine(EVENTS, 2, { ...DECISION, reason: 'permission-denied', status: 403 }),
  nobody: decisionLine(EVENTS, 3, {
    ...DECISION,
    account: null,
    reason: 'token-unknown',
    status: 401,
    method: 'LOCK',
  }),
  outcome: outcomeLine(EVENTS, 4, OUTCOME),
  admin: adminCallEvent('edge', 5, {
    id: 'r-2',
    timeMs: 1,
    phase: 'outcome',
    reason: 'permitted',
    actor,
    claimedAccountId: null,
    tokenId: null,
    method: 'DELETE',
    path: '/api/v1/teams/x',
    status: 200,
    durationMs: 1.5,
    clientAddress: '::1',
    userAgent: null,
  }),
  change: changeEvent({
    id: 'c-1',
    timeMs: 1,
    type: 'team-deleted',
    actor,
    target: { kind: 'team', id: 't', name: 'payments' },
    before: { name: 'payments' },
    after: null,
  } as never),
  signIn: signInEvent('edge', 6, {
    id: 's-1',
    timeMs: 1,
    reason: 'password-wrong',
    account: null,
    claimedAccountId: 'AAAAAAAAAAAA',
    clientAddress: '10.0.0.1',
    userAgent: 'x',
  }),
  oidc: signInEvent('edge', 9, {
    id: 's-2',
    timeMs: 1,
    reason: 'signed-in',
    account: { id: 'u1', name: 'ada' },
    claimedAccountId: null,
    clientAddress: '2001:db8::1',
    userAgent: 'x',
    method: 'oidc',
  }),
  signedOut: signInEvent('edge', 10, {
    id: 's-3',
    timeMs: 1,
    reason: 'signed-out',
    account: { id: 'u1', name: 'ada' },
    claimedAccountId: null,
    clientAddress: null,
    userAgent: null,
  }),
  signInOutcome: signInEvent('edge', 11, {
    id: 's-2',
    timeMs: 1,
    reason: 'signed-in',
    account: { id: 'u1', name: 'ada' },
    claimedAccountId: null,
    clientAddress: '10.0.0.0/24',
    userAgent: 'x',
    instead: { reason: 'audit-unavailable', status: 503 },
  }),
  withoutPath: decisionLine(EVENTS, 12, {
    ...DECISION,
    account: null,
    reason: 'request-malformed',
    status: 400,
    method: 'PURGE',
    path: null,
    route: null,
    clientAddress: 'hmac:0123456789abcdef0123456789abcdef',
  }),
  head: chainEvent('edge', 7, 1, {
    type: 'chain-head',
    key: '0123456789abcdef',
    signature: 'A'.repeat(86),
    chain: 'A'.repeat(43),
  } as never),
  folded: foldedEvent('call', 'edge', 'f-1', 8, 3, {
    account: null,
    clientAddress: '192.0.2.0/24',
    count: 12,
    reasons: new Map([['token-unknown', 12]]),
    firstMs: 1,
    lastMs: 2,
  }),
  unreadable: UNREADABLE,
};

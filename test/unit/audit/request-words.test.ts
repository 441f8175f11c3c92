import { expect, it } from 'vitest';
import { CallEvents } from '../../../src/audit/event/call-event.ts';
import { unknownOutcome } from '../../../src/audit/event/unknown-outcome.ts';
import { requestWords } from '../../../src/audit/search/request-words.ts';
import { DECISION, decisionLine, OUTCOME, outcomeLine } from '../../support/call-events.ts';

const events = new CallEvents('edge-a.k2J9x');
const told = (...lines: string[]) => Object.fromEntries(requestWords(lines));

it('tells decision, outcome, what the client got, who, why and by which rule', () => {
  const both = [outcomeLine(events, 2, OUTCOME), decisionLine(events, 1, DECISION)];
  expect(told(...both)).toEqual({
    time: '2026-11-24T06:07:08.009Z',
    request: 'POST /deployments',
    decision: 'permitted',
    why: 'permitted',
    who: 'billing (service account a1B2c3D4e5F6), token 0123456789abcdef',
    rule: 'route deploy, needs deployments:write, on CRM, decided by role deployer, leads to deployments',
    client: '192.0.2.7 curl/8.0',
    instance: 'edge-a.k2J9x, event 1',
    outcome: 'permitted',
    'client got': expect.stringMatching(/^200, 7 bytes, the upstream said 200$/),
    took: '12.346 ms: the gate 0.5 ms, the upstream 11 ms until it responded',
  });
});

it('tells why a call was refused, and what is not known', () => {
  const refusal = { ...DECISION, reason: 'permission-denied', status: 403 } as const;
  expect(told(decisionLine(events, 1, refusal))).toMatchObject({
    decision: 'refused',
    why: expect.stringMatching(/^permission-denied: \w/),
    'client got': '403',
  });
  expect(told(decisionLine(events, 1, { ...DECISION, door: 'decision' }))).toMatchObject({
    outcome: 'none: a proxy asked, and does itself what was permitted',
  });
  expect(told(decisionLine(events, 1, DECISION))).toMatchObject({
    outcome: 'none yet: the call is under way',
  });
  const permit = { id: 'request-1', type: 'call', account: null } as never;
  expect(told(unknownOutcome('edge-b', 1, permit, 'edge-a'))).toMatchObject({
    decision: expect.stringContaining('not found'),
    outcome: 'outcome-unknown',
    'client got': 'not known: edge-a ended without a word',
  });
  expect(requestWords([])).toEqual([]);
  expect(told('{"id":"request-1","schema":9}')).toMatchObject({
    unreadable: expect.stringContaining('schema'),
  });
});

import { stripVTControlCharacters } from 'node:util';
import { expect, it } from 'vitest';
import { foldedEvent } from '../../../src/audit/event/folded-event.ts';
import { formatEvent } from '../../../src/cli/event-line.ts';

it('shows a folded flood as one line that says how many, when, why and from where', () => {
  const at = Date.UTC(2026, 10, 1);
  const facts = {
    account: null,
    clientAddress: '192.0.2.1',
    count: 812,
    reasons: new Map([['token-unknown', 812]] as const),
  };
  const line = formatEvent(
    foldedEvent('call', 'edge-1', 'id-1', 9, at, { ...facts, firstMs: at, lastMs: at + 5_000 }),
  );
  expect(stripVTControlCharacters(line)).toBe(
    '2026-11-01 00:00:00.000  refused  812 times between 2026-11-01T00:00:00.000Z and 2026-11-01T00:00:05.000Z  (mostly token-unknown, from 192.0.2.1)',
  );
});

it('names the account whose flood it was', () => {
  const facts = {
    account: { id: 'acc-1', name: 'ci', kind: 'service' as const },
    clientAddress: null,
    count: 70,
    reasons: new Map([['account-inactive', 70]] as const),
    firstMs: 0,
    lastMs: 0,
  };
  const line = formatEvent(foldedEvent('call', 'edge-1', 'id-1', 9, 0, facts));
  expect(stripVTControlCharacters(line)).toContain('refused  ci  70 times between');
});

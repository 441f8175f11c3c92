import { stripVTControlCharacters } from 'node:util';
import { expect, it } from 'vitest';
import { foldedEvent } from '../../../src/audit/folded-event.ts';
import { formatEvent } from '../../../src/cli/event-line.ts';

it('shows a folded flood as one line that says how many, when, why and from where', () => {
  const at = Date.UTC(2026, 10, 1);
  const facts = {
    clientAddress: '192.0.2.1',
    count: 812,
    reasons: new Map([['token-unknown', 812]] as const),
  };
  const line = formatEvent(
    foldedEvent('edge-1', 'id-1', 9, at, { ...facts, firstMs: at, lastMs: at + 5_000 }),
  );
  expect(stripVTControlCharacters(line)).toBe(
    '2026-11-01 00:00:00.000  refused  812 times between 2026-11-01T00:00:00.000Z and 2026-11-01T00:00:05.000Z  (mostly token-unknown, from 192.0.2.1)',
  );
});

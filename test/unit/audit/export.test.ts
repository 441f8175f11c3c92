import { describe, expect, it } from 'vitest';
import { CSV_HEADER, csvRow } from '../../../src/audit/export/csv.ts';
import { eventWriter } from '../../../src/audit/export/formats.ts';
import { EVENTS, LINES, UNREADABLE } from '../../support/audit-lines.ts';
import { DECISION, decisionLine } from '../../support/call-events.ts';

describe('CSV', () => {
  it('is RFC 4180: a line for each event, as many cells as the header, quotes doubled', () => {
    const columns = CSV_HEADER.trimEnd().split(',');
    for (const line of Object.values(LINES)) {
      const row = csvRow(line);
      expect(row.endsWith('\r\n')).toBe(true);
      expect(cellsOf(row)).toHaveLength(columns.length);
    }
    const odd = decisionLine(EVENTS, 1, { ...DECISION, userAgent: 'a, "b"\nc' });
    const cells = cellsOf(csvRow(odd));
    expect(cells[columns.indexOf('userAgent')]).toBe('a, "b"\nc');
    expect(cells[columns.indexOf('route')]).toBe('deploy');
    expect(cellsOf(csvRow(UNREADABLE))[columns.indexOf('unreadable')]).toBe(UNREADABLE);
  });

  it.each(['=1+1', '+1', '-1', '@SUM(A1)', '\t=1', '\r=1', '＝1'])(
    'never begins a cell with a formula: %j',
    (userAgent) => {
      const row = csvRow(decisionLine(EVENTS, 1, { ...DECISION, userAgent }));
      expect(cellsOf(row)[CSV_HEADER.trimEnd().split(',').indexOf('userAgent')]).toBe(
        `'${userAgent}`,
      );
    },
  );
});

it('writes every line as it stands as JSON Lines, also one that cannot be read', () => {
  const { header, write } = eventWriter('jsonl', '1');
  expect(header + Object.values(LINES).map(write).join('')).toBe(
    `${Object.values(LINES).join('\n')}\n`,
  );
});

/** A row as a reader of RFC 4180 takes it apart. */
function cellsOf(row: string): readonly string[] {
  const cells = row.slice(0, -2).matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^",]*))/g);
  return [...cells].map(([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain ?? '');
}

import { type FlatEvent, flatEvent } from './flat-event.ts';

export type Cell = string | number | undefined | null;

/** Columns, in their order. New ones come at the end: readers may go by position. */
const COLUMNS: readonly (readonly [name: string, value: (event: FlatEvent) => Cell])[] = [
  ['time', ({ time }) => time],
  ['type', ({ type }) => type],
  ['phase', ({ phase }) => phase],
  ['decision', ({ decision }) => decision],
  ['reason', ({ reason }) => reason],
  ['detail', ({ detail }) => detail],
  ['accountId', ({ account }) => account?.id],
  ['account', ({ account }) => account?.name],
  ['accountKind', ({ account }) => account?.kind],
  ['claimedAccountId', ({ claimedAccountId }) => claimedAccountId],
  ['tokenId', ({ tokenId }) => tokenId],
  ['actorId', ({ actor }) => actor?.id],
  ['actor', ({ actor }) => actor?.name],
  ['actorVia', ({ actor }) => actor?.via],
  ['targetKind', ({ target }) => target?.kind],
  ['targetId', ({ target }) => target?.id],
  ['target', ({ target }) => target?.name],
  ['route', ({ route }) => route],
  ['upstream', ({ upstream }) => upstream],
  ['permissions', ({ permission, permissions }) => listed(permissions, permission)],
  ['applications', ({ application, applications }) => listed(applications, application)],
  ['role', ({ role }) => role],
  ['method', ({ method }) => method],
  ['path', ({ path }) => path],
  ['status', ({ status }) => status],
  ['upstreamStatus', ({ upstreamStatus }) => upstreamStatus],
  ['durationMs', ({ durationMs }) => durationMs],
  ['requestBytes', ({ requestBytes }) => requestBytes],
  ['responseBytes', ({ responseBytes }) => responseBytes],
  ['clientAddress', ({ clientAddress }) => clientAddress],
  ['userAgent', ({ userAgent }) => userAgent],
  ['requestId', ({ requestId }) => requestId],
  ['traceId', ({ traceId }) => traceId],
  ['count', ({ count }) => count],
  ['firstTime', ({ firstTime }) => firstTime],
  ['lastTime', ({ lastTime }) => lastTime],
  ['instance', ({ instance }) => instance],
  ['seq', ({ seq }) => seq],
  ['id', ({ id }) => id],
  ['unreadable', ({ line }) => line],
  ['gateMs', ({ gateMs }) => gateMs],
  ['upstreamMs', ({ upstreamMs }) => upstreamMs],
];

/**
 * A text that a spreadsheet would take for a formula (CWE-1236) begins with an apostrophe, which a
 * spreadsheet takes for "this is text". Numbers are ours, and stay numbers.
 */
const FORMULA = /^[=+\-@\t\r\n\uff0b\uff0d\uff1d\uff20]/;

/** Lines end as RFC 4180 has it. */
const LINE_END = '\r\n';

export const CSV_HEADER = csvLine(COLUMNS.map(([name]) => name));

export function csvRow(line: string): string {
  const event = flatEvent(line);
  return csvLine(COLUMNS.map(([, value]) => value(event)));
}

/** One line of a table. */
export function csvLine(cells: readonly Cell[]): string {
  return `${cells.map(cell).join(',')}${LINE_END}`;
}

/** Several in one cell, with spaces between them: none of them holds one. */
function listed(several: readonly string[] | undefined, one: string | undefined): Cell {
  return several?.join(' ') ?? one;
}

function cell(value: Cell): string {
  if (value === undefined || value === null) return '';
  if (typeof value === 'number') return String(value);
  const text = FORMULA.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

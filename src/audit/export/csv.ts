import { type Cell, csvLine } from './csv-line.ts';
import { type FlatEvent, flatEvent } from './flat-event.ts';

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

export const CSV_HEADER = csvLine(COLUMNS.map(([name]) => name));

export function csvRow(line: string): string {
  const event = flatEvent(line);
  return csvLine(COLUMNS.map(([, value]) => value(event)));
}

/** Several in one cell, with spaces between them: none of them holds one. */
function listed(several: readonly string[] | undefined, one: string | undefined): Cell {
  return several?.join(' ') ?? one;
}

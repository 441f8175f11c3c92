import type { FieldName } from '../http/field-names.ts';
import { Fields } from '../http/fields.ts';
import { HOP_BY_HOP } from '../http/hop-by-hop.ts';
import { httpDate } from '../http/http-date.ts';
import type { ResponseHead } from '../http/response-head.ts';
import { setsOwnCookie } from './own-cookies.ts';
import { addVia } from './via.ts';

/**
 * What of an upstream's head goes to the client. Framing is not here: each door frames in its own
 * protocol's way.
 */

/** This connection's business only, and what we say ourselves. */
const REMOVED: ReadonlySet<string> = new Set([...HOP_BY_HOP, 'x-request-id']);
const FATE = { unknown: 0, passed: 1, removed: 2, via: 3, cookie: 4, date: 5, cors: 6 } as const;
/** What tells browsers who may call; `Expose-Headers` and `Timing-Allow-Origin` do not. */
const CORS = /^access-control-(?:allow-|max-age$)/;

function fateOf(name: FieldName): number {
  if (name.fate === FATE.unknown) name.fate = judge(name.lower);
  return name.fate;
}

function judge(lower: string): number {
  if (lower === 'via') return FATE.via;
  if (lower === 'date') return FATE.date;
  if (lower === 'set-cookie') return FATE.cookie;
  if (CORS.test(lower)) return FATE.cors;
  return REMOVED.has(lower) ? FATE.removed : FATE.passed;
}

/**
 * @param gate name of this gate in `Via`; empty: it does not stand there
 * @param withoutCors the gate itself tells browsers who may call
 */
export function clientFields(
  head: ResponseHead,
  requestId: string,
  gate: string,
  withoutCors = false,
): Fields {
  const fields = new Fields();
  let via = '';
  let dated = false;
  for (let index = 0; index < head.names.length; index += 1) {
    const name = head.names[index]!;
    const fate = fateOf(name);
    if (fate === FATE.removed || (withoutCors && fate === FATE.cors)) continue;
    if (head.nominated.length > 0 && head.nominated.includes(name.lower)) continue;
    const value = head.values[index]!;
    if (fate === FATE.via) via += `${value}, `;
    else if (fate !== FATE.cookie || !setsOwnCookie(value)) fields.add(name.text, value);
    if (fate === FATE.date) dated = true;
  }
  // RFC 9110 §6.6.1: who has a clock says when a response without a date came.
  if (!dated) fields.add('Date', httpDate());
  fields.add('X-Request-Id', requestId);
  addVia(fields, via, head.version, gate);
  return fields;
}

/**
 * Of an interim response (RFC 9110 §15.2): passed on as they are, without what concerns only the
 * upstream's connection.
 */
export function interimFields(head: ResponseHead): Fields {
  const fields = new Fields();
  for (let index = 0; index < head.names.length; index += 1) {
    const name = head.names[index]!;
    const fate = fateOf(name);
    if (fate === FATE.removed || head.nominated.includes(name.lower)) continue;
    const value = head.values[index]!;
    if (fate !== FATE.cookie || !setsOwnCookie(value)) fields.add(name.text, value);
  }
  return fields;
}

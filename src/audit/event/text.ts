import { withoutTokens } from '../../telemetry/redact.ts';

export { withoutTokens };

/**
 * Text on its way into an audit event: quoted so that any input gives one line of valid JSON,
 * bounded, and free of tokens.
 *
 * Most values are short and plain ASCII; they take a path without `JSON.stringify`. Everything else
 * is made well-formed Unicode first (a lone surrogate would be an escape that many parsers refuse)
 * and has its invisible characters escaped, so that a line read in a terminal can neither break nor
 * rearrange what stands beside it (CWE-117).
 */

/** Printable ASCII without `"` and `\`: stands in JSON as it is. */
const PLAIN = /^[ !#-[\]-~]*$/;

/**
 * DEL, C1 controls (NEL among them), line and paragraph separator, directional marks and overrides,
 * zero-width characters.
 */
const INVISIBLE = /[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

/**
 * Room for a token that begins before the cut, so that cutting first cannot leave half a token that
 * is no longer recognised.
 */
const TOKEN_ROOM = 128;

/** JSON string literal of any text, on one line. */
export function quoted(text: string): string {
  if (PLAIN.test(text)) return `"${text}"`;
  return withVisibleEscapes(JSON.stringify(text.toWellFormed()));
}

/**
 * JSON with its invisible characters escaped: the same value, but nothing in it can break or
 * rearrange a line.
 */
export function withVisibleEscapes(json: string): string {
  return json.replace(INVISIBLE, escaped);
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** At most `limit` UTF-16 units, without tokens and never ending in half a surrogate pair. */
export function bounded(text: string, limit: number): string {
  if (text.length <= limit) return withoutTokens(text).slice(0, limit);
  const cut = withoutTokens(text.slice(0, limit + TOKEN_ROOM)).slice(0, limit);
  const last = cut.charCodeAt(cut.length - 1);
  return last >= 0xd800 && last <= 0xdbff ? cut.slice(0, -1) : cut;
}

let lastSecond = Number.NaN;
let secondText = '';
let lastMs = Number.NaN;
let msText = '';

/** Years 0000 to 9999: what ISO 8601 writes with four digits. */
const MIN_MS = -62_167_219_200_000;
const MAX_MS = 253_402_300_799_999;

/** Whether it can be written as four digits of a year and so on. */
export function isTime(wallMs: number): boolean {
  return wallMs >= MIN_MS && wallMs <= MAX_MS;
}

/**
 * ISO 8601, UTC, milliseconds. The last second and millisecond are kept: thousands of events share
 * them. A time that is none reads as 1970.
 */
export function isoTime(wallMs: number): string {
  const ms = typeof wallMs === 'number' ? Math.floor(wallMs) : 0;
  if (ms === lastMs) return msText;
  const valid = ms >= MIN_MS && ms <= MAX_MS ? ms : 0;
  const second = Math.floor(valid / 1000);
  if (second !== lastSecond) {
    secondText = new Date(second * 1000).toISOString().slice(0, -4);
    lastSecond = second;
  }
  const rest = valid - second * 1000;
  lastMs = ms;
  msText = `${secondText}${String(rest).padStart(3, '0')}Z`;
  return msText;
}

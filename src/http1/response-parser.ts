import { trimmed } from '../http/blank.ts';
import { type FieldName, FRAMING_FIELD, responseFieldNames } from '../http/field-names.ts';
import type { ResponseFraming, ResponseHead } from '../http/response-head.ts';

/**
 * The HTTP/1.x response-head parser, for what upstreams send.
 *
 * A little more lenient than the request parser where upstreams are known to be (a missing reason
 * phrase, any `token` as a field name), and as strict in everything that says where the message
 * ends: a response with two readings is a broken one.
 */

/** More than the busiest of responses; the size of the head bounds it, too. */
const MAX_FIELDS = 500;
const LENGTH_DIGITS = /^[0-9]{1,15}$/;
/** Past 599 no status has a meaning (RFC 9110 §15), and clients take it for different ones. */
const STATUS_LINE = /^HTTP\/1\.([01]) ([1-5][0-9]{2})(?: ([\t\x20-\x7e\x80-\xff]*))?$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this looks for
const CONTROL = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/;
const NO_NAMES: readonly string[] = [];
const NO_BODY: ResponseFraming = { kind: 'none' };
const CHUNKED: ResponseFraming = { kind: 'chunked' };
const UNTIL_CLOSE: ResponseFraming = { kind: 'close' };
const LF = 10;

/**
 * @param text the head in latin-1, each line with its CRLF, without the empty line that ends it
 * @param toHead the request was HEAD: the response has no body, whatever its fields say
 * @returns the head, or a fixed phrase that says why it is broken
 */
export function parseResponseHead(text: string, toHead: boolean): ResponseHead | string {
  if (CONTROL.test(text)) return 'control character in the head';
  const lineEnd = text.indexOf('\r');
  if (text.charCodeAt(lineEnd + 1) !== LF) return 'line not ended by CRLF';
  const line = STATUS_LINE.exec(text.slice(0, lineEnd));
  if (line === null) return 'no status line';
  const minor = line[1]!;
  const status = Number(line[2]);

  const names: FieldName[] = [];
  const values: string[] = [];
  let length: string | null = null;
  let coding: string | null = null;
  let connection: string | null = null;
  let position = lineEnd + 2;
  while (position < text.length) {
    const end = text.indexOf('\r', position);
    if (end === -1 || text.charCodeAt(end + 1) !== LF || text.indexOf('\n', position) !== end + 1)
      return 'line not ended by CRLF';
    const colon = text.indexOf(':', position);
    if (colon === -1 || colon > end) return 'field line without a colon';
    const name = responseFieldNames.at(text, position, colon) ?? blankEnded(text, position, colon);
    if (name === null) return 'invalid field name';
    const value = trimmed(text, colon + 1, end);
    switch (name.framing) {
      case FRAMING_FIELD.contentLength:
        if (length !== null) return 'more than one Content-Length';
        length = value;
        break;
      case FRAMING_FIELD.transferEncoding:
        if (coding !== null) return 'more than one Transfer-Encoding';
        coding = value.toLowerCase();
        break;
      case FRAMING_FIELD.connection:
        connection = connection === null ? value : `${connection},${value}`;
        break;
    }
    if (names.push(name) > MAX_FIELDS) return 'too many fields';
    values.push(value);
    position = end + 2;
  }

  const framing = framingOf(status, toHead, minor, length, coding);
  if (typeof framing === 'string') return framing;
  const options = connectionOptions(connection);
  if (status < 200) {
    const fault = interimFault(minor, length, coding);
    if (fault !== null) return fault;
  }
  const persistent = minor === '1' ? !options.includes('close') : options.includes('keep-alive');
  return {
    status,
    version: minor === '1' ? '1.1' : '1.0',
    reason: line[3] ?? '',
    names,
    values,
    framing,
    nominated: options,
    keepAlive:
      persistent &&
      framing.kind !== 'close' &&
      !mayBringUnreadBody(status, toHead, framing, length, coding),
  };
}

/**
 * RFC 9112 §5.1: white space before the colon is removed from a response. Looked for only where the
 * text is no name as it stands; a line that begins with white space continues the one before it,
 * and is refused.
 */
function blankEnded(text: string, from: number, colon: number): FieldName | null {
  const name = trimmed(text, from, colon);
  return text.startsWith(name, from) ? responseFieldNames.get(name) : null;
}

/**
 * An interim response has no body (RFC 9110 §15.2), and one that announces it all the same could
 * hide the final response in it.
 */
function interimFault(minor: string, length: string | null, coding: string | null): string | null {
  if (minor === '0') return 'interim response in HTTP/1.0';
  return coding !== null || (length !== null && Number(length) > 0)
    ? 'interim response with a body'
    : null;
}

/** RFC 9112 §6.3, rules 1 to 8, with every "may" decided for "broken". */
function framingOf(
  status: number,
  toHead: boolean,
  minor: string,
  length: string | null,
  coding: string | null,
): ResponseFraming | string {
  if (coding !== null) {
    if (length !== null) return 'both Content-Length and Transfer-Encoding';
    if (minor === '0') return 'Transfer-Encoding in HTTP/1.0';
    if (coding !== 'chunked') return 'transfer coding other than chunked';
  }
  if (length !== null && !LENGTH_DIGITS.test(length)) return 'Content-Length is not a number';
  if (toHead || status < 200 || status === 204 || status === 304) return NO_BODY;
  if (coding !== null) return CHUNKED;
  if (length === null) return UNTIL_CLOSE;
  const bytes = Number(length);
  return bytes === 0 ? NO_BODY : { kind: 'length', bytes };
}

/**
 * HEAD, 1xx, 204 and 304 have no body, and some upstreams send one all the same. It can come late,
 * when the connection already serves somebody else, whose answer it would be. So a head without a
 * body is the end for certain only when it does not announce one; after HEAD even silence does, for
 * that is how a body until the close is announced.
 */
function mayBringUnreadBody(
  status: number,
  toHead: boolean,
  framing: ResponseFraming,
  length: string | null,
  coding: string | null,
): boolean {
  if (framing.kind !== 'none') return false;
  if (coding !== null) return true;
  if (length !== null) return Number(length) > 0;
  return toHead && status >= 200 && status !== 204 && status !== 304;
}

function connectionOptions(value: string | null): readonly string[] {
  if (value === null) return NO_NAMES;
  const options = value.toLowerCase();
  if (!options.includes(',')) return [options];
  // RFC 9110 §5.6.1.2: empty elements are passed over.
  return options
    .split(',')
    .map((option) => trimmed(option, 0, option.length))
    .filter((option) => option !== '');
}

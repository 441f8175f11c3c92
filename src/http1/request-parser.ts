import { trimmed } from '../http/blank.ts';
import { type FieldName, FRAMING_FIELD, requestFieldNames } from '../http/field-names.ts';
import { parseHost } from '../http/host.ts';
import { maxForwards } from '../http/max-forwards.ts';
import type { BodyFraming, RequestHead } from '../http/request-head.ts';
import { noteSingle, type SingleFields } from '../http/single-fields.ts';
import { pathEnd } from '../http/target.ts';
import { takesTrailers } from '../http/trailers.ts';
import type { HeadDetail, HeadFault, WireFault } from './head-detail.ts';

/**
 * The strict HTTP/1.x request-head parser (RFC 9112 §2 to §6).
 *
 * It accepts a strict subset of what common servers accept: CRLF only, one SP between the parts of
 * the request line, origin-form targets, no folding, one reading of the framing. It works on the
 * head as one latin-1 string: V8 searches and slices such strings without copying, which makes this
 * several times faster than a loop over bytes.
 */

/** Fields in one head. More than any real client sends. */
const MAX_FIELDS = 100;
const MAX_METHOD_LENGTH = 32;
/** Longest `Content-Length` in digits: stays an exact integer. */
const LENGTH_DIGITS = /^[0-9]{1,15}$/;
const HTTP_VERSION = /^HTTP\/[0-9]\.[0-9]$/;
const TOKEN = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/;
const TOKEN_LIST =
  /^[\t ]*[A-Za-z0-9!#$%&'*+.^_`|~-]+[\t ]*(?:,[\t ]*[A-Za-z0-9!#$%&'*+.^_`|~-]+[\t ]*)*$/;
/** Elements of one `Connection` list, the empty ones included: more than any client sends. */
const MAX_OPTIONS = 64;
/** Controls that may stand nowhere in a head. CR and LF are judged line by line. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this looks for
const CONTROL = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/;

const NO_NAMES: readonly string[] = [];
const NO_BODY: BodyFraming = { kind: 'none', declared: false };
const EMPTY_BODY: BodyFraming = { kind: 'none', declared: true };
const CHUNKED: BodyFraming = { kind: 'chunked' };

const LF = 10;

const fault = (kind: WireFault, detail: HeadDetail): HeadFault => ({ fault: kind, detail });

export function isHeadFault(result: RequestHead | HeadFault): result is HeadFault {
  return 'fault' in result;
}

/**
 * Collected while the fields are read; the checks that need more than one field come at the end.
 */
interface Framing extends SingleFields {
  userAgent: string | null;
  connection: string | null;
  /** Another protocol that the client wants on this connection. */
  upgrade: string | null;
  te: string | null;
}

/**
 * Parses a head.
 *
 * @param text the head in latin-1, from the method to the last field line, each line with its CRLF,
 * without the empty line that ends it
 * @param maxTargetLength longest target in bytes
 */
export function parseRequestHead(text: string, maxTargetLength: number): RequestHead | HeadFault {
  if (CONTROL.test(text)) return fault('request-malformed', 'control character in the head');
  const lineEnd = text.indexOf('\r');
  if (lineEnd === -1 || text.indexOf('\n') !== lineEnd + 1)
    return fault('request-malformed', 'line not ended by CRLF');

  const methodEnd = text.indexOf(' ');
  if (methodEnd <= 0 || methodEnd > MAX_METHOD_LENGTH)
    return fault('request-malformed', 'no method');
  const method = text.slice(0, methodEnd);
  if (!TOKEN.test(method)) return fault('request-malformed', 'method is not a token');
  const targetEnd = text.indexOf(' ', methodEnd + 1);
  if (targetEnd === -1 || targetEnd > lineEnd)
    return fault('request-malformed', 'no version in the request line');
  const version = versionOf(text.slice(targetEnd + 1, lineEnd));
  if (typeof version === 'object') return version;
  const target = text.slice(methodEnd + 1, targetEnd);
  if (target.length > maxTargetLength) return fault('target-too-long', 'target too long');

  const names: FieldName[] = [];
  const values: string[] = [];
  const seen: Framing = {
    host: null,
    authorization: null,
    userAgent: null,
    length: null,
    coding: null,
    expect: null,
    connection: null,
    upgrade: null,
    te: null,
  };
  const fieldFault = readFields(text, lineEnd + 2, names, values, seen);
  if (fieldFault !== null) return fieldFault;

  const host = hostOf(seen.host, version);
  if (typeof host === 'object') return host;
  // After the fields: a target fault in a head that could not even be framed is the smaller of the
  // two.
  const framing = framingOf(seen.length, seen.coding, version);
  if ('fault' in framing) return framing;
  const pathLength = targetPathLength(method, target);
  if (pathLength === -1)
    return fault('target-ambiguous', 'target is not an unambiguous origin-form');
  const connection = connectionOf(seen.connection);
  if ('fault' in connection) return connection;
  if (method === 'OPTIONS' && maxForwards(names, values) === 'invalid')
    return fault('request-malformed', 'Max-Forwards is not one number');
  if (seen.expect !== null && version === '1.1' && seen.expect.toLowerCase() !== '100-continue') {
    return fault('expectation-failed', 'unknown expectation');
  }

  return {
    method,
    target,
    path: pathLength === target.length ? target : target.slice(0, pathLength),
    version,
    host,
    names,
    values,
    authorization: seen.authorization,
    userAgent: seen.userAgent,
    framing,
    nominated: connection.nominated,
    upgrade: seen.upgrade,
    expectsContinue: seen.expect !== null && version === '1.1',
    takesTrailers: seen.te !== null && saysTrailers(seen.te, version, connection.nominated),
    keepAlive:
      version === '1.1' && !connection.close && seen.upgrade === null && method !== 'CONNECT',
  };
}

function versionOf(text: string): '1.1' | '1.0' | HeadFault {
  if (text === 'HTTP/1.1') return '1.1';
  if (text === 'HTTP/1.0') return '1.0';
  return HTTP_VERSION.test(text)
    ? fault('version-unsupported', 'HTTP version is neither 1.0 nor 1.1')
    : fault('request-malformed', 'no HTTP version in the request line');
}

/**
 * The asterisk-form and the authority-form belong to OPTIONS and CONNECT (RFC 9112 §3.2). CONNECT
 * is refused whatever its target, with its own response, so its target is not judged here.
 */
function targetPathLength(method: string, target: string): number {
  if (target === '*' && method === 'OPTIONS') return 1;
  return method === 'CONNECT' ? target.length : pathEnd(target);
}

/** Reads every field line into `names`, `values` and `seen`. */
function readFields(
  text: string,
  start: number,
  names: FieldName[],
  values: string[],
  seen: Framing,
): HeadFault | null {
  let position = start;
  while (position < text.length) {
    const end = text.indexOf('\r', position);
    if (end === -1 || text.charCodeAt(end + 1) !== LF)
      return fault('request-malformed', 'line not ended by CRLF');
    if (text.indexOf('\n', position) !== end + 1)
      return fault('request-malformed', 'line feed without carriage return');
    const colon = text.indexOf(':', position);
    if (colon === -1 || colon > end)
      return fault('request-malformed', 'field line without a colon');
    // A line that begins with white space (obs-fold) and white space before the colon fail here
    // too: neither is in a name.
    const name = requestFieldNames.at(text, position, colon);
    if (name === null) return fault('request-malformed', 'field name outside [A-Za-z0-9-]');
    const value = trimmed(text, colon + 1, end);
    if (name.framing !== FRAMING_FIELD.none) {
      if (
        name.framing === FRAMING_FIELD.transferEncoding &&
        text.slice(colon, end).includes('\t')
      ) {
        // Legal around the value, and all the same read by some as another coding than `chunked`,
        // llhttp among them.
        return fault('request-malformed', 'tab in Transfer-Encoding');
      }
      const misuse = note(name, value, seen);
      if (misuse !== null) return misuse;
    }
    if (names.push(name) > MAX_FIELDS) return fault('headers-too-large', 'too many fields');
    values.push(value);
    position = end + 2;
  }
  return null;
}

/** A field by which the head is judged as a whole. */
function note({ framing }: FieldName, value: string, seen: Framing): HeadFault | null {
  switch (framing) {
    case FRAMING_FIELD.userAgent:
      seen.userAgent ??= value;
      return null;
    case FRAMING_FIELD.connection:
      seen.connection = seen.connection === null ? value : `${seen.connection},${value}`;
      return null;
    case FRAMING_FIELD.upgrade:
      seen.upgrade = seen.upgrade === null ? value : `${seen.upgrade},${value}`;
      return null;
    case FRAMING_FIELD.te:
      seen.te = seen.te === null ? value : `${seen.te},${value}`;
      return null;
    default: {
      const misuse = noteSingle(framing, value, seen);
      return misuse === null ? null : fault('request-ambiguous', misuse);
    }
  }
}

/** RFC 9112 §3.2: HTTP/1.1 demands exactly one valid Host; HTTP/1.0 may leave it out. */
function hostOf(value: string | null, version: '1.0' | '1.1'): string | HeadFault {
  if (value === null) return version === '1.0' ? '' : fault('request-malformed', 'no Host');
  return parseHost(value) ?? fault('request-malformed', 'Host is not a host');
}

/** RFC 9112 §6: one way to know where the body ends, or none at all. */
function framingOf(
  length: string | null,
  coding: string | null,
  version: '1.0' | '1.1',
): BodyFraming | HeadFault {
  if (coding !== null) {
    if (length !== null)
      return fault('request-ambiguous', 'both Content-Length and Transfer-Encoding');
    if (version === '1.0') return fault('request-ambiguous', 'Transfer-Encoding in HTTP/1.0');
    if (coding.toLowerCase() === 'chunked') return CHUNKED;
    if (!TOKEN_LIST.test(coding))
      return fault('request-malformed', 'Transfer-Encoding is not a list of codings');
    const codings = coding
      .toLowerCase()
      .split(',')
      .map((item) => item.trim());
    const chunkedLast = codings.indexOf('chunked') === codings.length - 1;
    return chunkedLast
      ? fault('coding-unknown', 'transfer coding other than chunked')
      : fault('request-malformed', 'chunked is not the last coding, once');
  }
  if (length === null) return NO_BODY;
  if (!LENGTH_DIGITS.test(length)) {
    return length.includes(',')
      ? fault('request-ambiguous', 'list in Content-Length')
      : fault('request-malformed', 'Content-Length is not a number');
  }
  const bytes = Number(length);
  return bytes === 0 ? EMPTY_BODY : { kind: 'length', bytes };
}

/** RFC 9110 §10.1.4: `TE` counts for whoever `Connection` names it to. */
function saysTrailers(te: string, version: '1.0' | '1.1', nominated: readonly string[]): boolean {
  return version === '1.1' && nominated.includes('te') && takesTrailers(te);
}

interface ConnectionOptions {
  readonly close: boolean;
  readonly nominated: readonly string[];
}

const KEEP_ALIVE: ConnectionOptions = { close: false, nominated: NO_NAMES };
const CLOSE: ConnectionOptions = { close: true, nominated: NO_NAMES };
/** Naming these as hop-by-hop would take away what the message cannot be read without. */
const NEVER_NOMINATED = new Set([
  'host',
  'content-length',
  'transfer-encoding',
  'authorization',
  'max-forwards',
]);

/** RFC 9110 §7.6.1; empty elements are passed over (§5.6.1.2), a reasonable number of them. */
function connectionOf(value: string | null): ConnectionOptions | HeadFault {
  if (value === null || value === 'keep-alive' || value === '') return KEEP_ALIVE;
  if (value === 'close') return CLOSE;
  const items = value.toLowerCase().split(',', MAX_OPTIONS + 1);
  if (items.length > MAX_OPTIONS)
    return fault('request-malformed', 'Connection has too many elements');
  const nominated: string[] = [];
  let close = false;
  for (const item of items) {
    const option = trimmed(item, 0, item.length);
    if (option === '') continue;
    if (!TOKEN.test(option))
      return fault('request-malformed', 'Connection is not a list of tokens');
    if (option === 'close') close = true;
    else if (option !== 'keep-alive') nominated.push(option);
    if (NEVER_NOMINATED.has(option))
      return fault('request-ambiguous', 'Connection names an end-to-end field');
  }
  return { close, nominated };
}

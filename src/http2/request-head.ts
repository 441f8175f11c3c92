import { type FieldName, FRAMING_FIELD, requestFieldNames } from '../http/field-names.ts';
import { parseHost } from '../http/host.ts';
import { maxForwards } from '../http/max-forwards.ts';
import type { BodyFraming, RequestHead } from '../http/request-head.ts';
import { type MoreThanOne, noteSingle, type SingleFields } from '../http/single-fields.ts';
import { pathEnd } from '../http/target.ts';
import type { Trailers } from '../http/trailers.ts';
import { type Http2HeadFault, malformed, refused } from './head-fault.ts';
import type { FieldSection } from './hpack-decoder.ts';

/**
 * The head of a request in HTTP/2 (RFC 9113 §8), by the gates of HTTP/1.1: what comes out can be
 * written in HTTP/1.1 as it is. Nothing is joined or left out in silence, but the crumbs of
 * cookies, which the RFC wants joined (§8.2.3).
 */

/** Fields of one request, pseudo-header fields and each crumb of a cookie included. */
export const MAX_FIELDS = 128;
const MAX_METHOD_LENGTH = 32;
const LENGTH_DIGITS = /^[0-9]{1,15}$/;
const TOKEN = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/;
const UPPER_CASE = /[A-Z]/;
/** What no value may hold (RFC 9113 §8.2.1, and the other controls, as in HTTP/1.1). */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this looks for
const CONTROL = /[\x00-\x08\x0a-\x1f\x7f]/;
const BLANK_ENDS = /^[ \t]|[ \t]$/;
const WHITE_SPACE = 'a field value begins or ends with white space';
/** RFC 9113 §8.2.2. `te` is looked at by itself. */
const OF_CONNECTIONS: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
]);

const NO_NAMES: readonly string[] = [];
const NO_BODY: BodyFraming = { kind: 'none', declared: false };
const EMPTY_BODY: BodyFraming = { kind: 'none', declared: true };
/** Of a length that nobody told. */
const UNKNOWN_LENGTH: BodyFraming = { kind: 'chunked' };

export function isHttp2Fault(result: RequestHead | Http2HeadFault): result is Http2HeadFault {
  return 'fault' in result;
}

/** What of a section is needed by itself. */
class Seen implements SingleFields {
  method: string | null = null;
  protocol: string | null = null;
  scheme: string | null = null;
  path: string | null = null;
  authority: string | null = null;
  host: string | null = null;
  authorization: string | null = null;
  userAgent: string | null = null;
  length: string | null = null;
  /** Never: a field of connections. */
  coding: string | null = null;
  expect: string | null = null;
  te = false;
  /** Where the first crumb stands; -1 = nowhere. */
  cookie = -1;
  readonly names: FieldName[] = [];
  readonly values: string[] = [];
}

/**
 * @param endStream there is no content
 * @param maxTargetLength longest target in bytes
 */
export function readRequestHead(
  section: FieldSection,
  endStream: boolean,
  maxTargetLength: number,
): RequestHead | Http2HeadFault {
  const seen = new Seen();
  const fault = readFields(section, seen);
  if (fault !== null) return fault;
  if (section.tooLarge) return refused('headers-too-large', 'head too large');
  if (seen.method === null) return malformed('a pseudo-header field is missing');
  if (!TOKEN.test(seen.method) || seen.method.length > MAX_METHOD_LENGTH)
    return malformed('method is not a token');
  const { protocol } = seen;
  if (protocol !== null && (seen.method !== 'CONNECT' || !TOKEN.test(protocol)))
    return malformed('a pseudo-header field is unknown, repeated or out of place');
  // RFC 8441 §5: it stands for the GET that asks for the same in HTTP/1.1.
  const method = protocol === null ? seen.method : 'GET';
  const target = targetOf(seen, method);
  if (typeof target !== 'string') return target;
  if (target.length > maxTargetLength) return refused('target-too-long', 'target too long');
  const host = hostOf(seen);
  if (typeof host !== 'string') return host;
  // What follows is no content, but the tunnel's, unless a length says otherwise.
  const framing =
    protocol !== null && seen.length === null ? NO_BODY : framingOf(seen.length, endStream);
  if ('fault' in framing) return framing;
  const pathLength = pathLengthOf(method, target);
  if (pathLength === -1)
    return refused('target-ambiguous', 'target is not an unambiguous origin-form');
  const { names, values, expect } = seen;
  if (method === 'OPTIONS' && maxForwards(names, values) === 'invalid')
    return refused('request-malformed', 'Max-Forwards is not one number');
  if (expect !== null && expect.toLowerCase() !== '100-continue')
    return refused('expectation-failed', 'unknown expectation');
  return {
    method,
    target,
    path: pathLength === target.length ? target : target.slice(0, pathLength),
    version: '2',
    host,
    names,
    values,
    authorization: seen.authorization,
    userAgent: seen.userAgent,
    framing,
    nominated: NO_NAMES,
    upgrade: protocol,
    expectsContinue: expect !== null && framing.kind !== 'none',
    takesTrailers: seen.te,
    keepAlive: true,
  };
}

/**
 * Fields behind the content, by the gates of those in heads and of trailers in HTTP/1.1.
 *
 * @returns null when they are not valid
 */
export function readTrailers({ names, values, tooLarge }: FieldSection): Trailers | null {
  if (tooLarge) return null;
  const known: FieldName[] = [];
  for (let index = 0; index < names.length; index += 1) {
    const text = names[index]!;
    if (fieldFault(text, values[index]!) !== null) return null;
    // A pseudo-header field is no name of a request's field either.
    const name = requestFieldNames.get(text);
    if (name === null || name.framing === FRAMING_FIELD.contentLength) return null;
    known.push(name);
  }
  return { names: known, values };
}

function readFields(section: FieldSection, seen: Seen): Http2HeadFault | null {
  let inPseudo = true;
  for (let index = 0; index < section.names.length; index += 1) {
    const name = section.names[index]!;
    const value = section.values[index]!;
    const isPseudo = name.charCodeAt(0) === COLON;
    if (isPseudo && !inPseudo)
      return malformed('a pseudo-header field is unknown, repeated or out of place');
    inPseudo = isPseudo;
    const fault = isPseudo ? notePseudo(name, value, seen) : noteField(name, value, seen);
    if (fault !== null) return fault;
  }
  return null;
}

const COLON = 58;

function notePseudo(name: string, value: string, seen: Seen): Http2HeadFault | null {
  if (CONTROL.test(value)) return malformed('control character in the head');
  if (BLANK_ENDS.test(value)) return malformed(WHITE_SPACE);
  if (name === ':method' && seen.method === null) seen.method = value;
  else if (name === ':protocol' && seen.protocol === null) seen.protocol = value;
  else if (name === ':scheme' && seen.scheme === null) seen.scheme = value;
  else if (name === ':path' && seen.path === null) seen.path = value;
  else if (name === ':authority' && seen.authority === null) seen.authority = value;
  else return malformed('a pseudo-header field is unknown, repeated or out of place');
  return null;
}

/**
 * RFC 9113 §8.2: what makes a request, or a response, malformed. White space around the value of a
 * request's field is refused as a request, in a response that is whole (§8.1.1 leaves that open):
 * it is nothing else in HTTP/1.1, and whoever sends it, as of an empty variable, is to read why.
 */
export function fieldFault(name: string, value: string): Http2HeadFault | null {
  if (UPPER_CASE.test(name)) return malformed('a field name is not in lower case');
  if (!TOKEN.test(name)) return malformed('field name outside [A-Za-z0-9-]');
  if (CONTROL.test(value)) return malformed('control character in the head');
  if (OF_CONNECTIONS.has(name) || (name === 'te' && value !== 'trailers'))
    return malformed('a field of an HTTP/1.1 connection in HTTP/2');
  return BLANK_ENDS.test(value) ? refused('request-malformed', WHITE_SPACE) : null;
}

function noteField(text: string, value: string, seen: Seen): Http2HeadFault | null {
  const fault = fieldFault(text, value);
  if (fault !== null) return fault;
  const name = requestFieldNames.get(text);
  // Valid, and taken for another name by some: as in HTTP/1.1.
  if (name === null) return refused('request-malformed', 'field name outside [A-Za-z0-9-]');
  if (text === 'cookie') {
    if (seen.cookie !== -1) {
      seen.values[seen.cookie] += `; ${value}`;
      return null;
    }
    seen.cookie = seen.names.length;
  }
  const misuse = name.framing === FRAMING_FIELD.none ? null : note(name, value, seen);
  if (misuse !== null) return misuse;
  seen.names.push(name);
  seen.values.push(value);
  return null;
}

/** With a second one of these nobody can tell how to read the request (RFC 9113 §8.1.1, §8.3.1). */
const MALFORMED_TWICE: ReadonlySet<MoreThanOne> = new Set([
  'more than one Host',
  'more than one Content-Length',
]);

/** A field by which the head is judged as a whole. */
function note({ framing }: FieldName, value: string, seen: Seen): Http2HeadFault | null {
  switch (framing) {
    case FRAMING_FIELD.te:
      seen.te = true; // it can say nothing else
      return null;
    case FRAMING_FIELD.userAgent:
      seen.userAgent ??= value;
      return null;
    default: {
      const misuse = noteSingle(framing, value, seen);
      if (misuse === null) return null;
      return MALFORMED_TWICE.has(misuse)
        ? malformed(misuse, 'request-ambiguous')
        : refused('request-ambiguous', misuse);
    }
  }
}

/** RFC 9113 §8.3.1, §8.5. */
function targetOf({ scheme, path, authority }: Seen, method: string): string | Http2HeadFault {
  if (method === 'CONNECT') {
    if (scheme !== null || path !== null)
      return malformed('a pseudo-header field is unknown, repeated or out of place');
    return authority === null || authority === ''
      ? malformed('a pseudo-header field is missing')
      : authority;
  }
  if (scheme === null || path === null) return malformed('a pseudo-header field is missing');
  if (scheme !== 'https' && scheme !== 'http')
    return malformed('a pseudo-header field is unknown, repeated or out of place');
  const isOrigin = path.startsWith('/') || (path === '*' && method === 'OPTIONS');
  return isOrigin ? path : malformed(':path is not in origin-form');
}

function hostOf({ host, authority }: Seen): string | Http2HeadFault {
  if (host === null && authority === null) return malformed('no Host');
  const told = parseHost(authority ?? host!);
  if (told === null) return malformed('Host is not a host');
  if (host !== null && authority !== null && parseHost(host) !== told)
    return malformed(':authority and Host differ', 'request-ambiguous');
  return told;
}

function framingOf(length: string | null, endStream: boolean): BodyFraming | Http2HeadFault {
  if (length === null) return endStream ? NO_BODY : UNKNOWN_LENGTH;
  if (!LENGTH_DIGITS.test(length)) return malformed('Content-Length is not a number');
  const bytes = Number(length);
  if (bytes === 0) return EMPTY_BODY;
  return endStream
    ? malformed('the content is longer or shorter than Content-Length says')
    : { kind: 'length', bytes };
}

/** The asterisk is for OPTIONS alone; CONNECT is refused whatever it asks for. */
function pathLengthOf(method: string, target: string): number {
  if (target === '*' && method === 'OPTIONS') return 1;
  return method === 'CONNECT' ? target.length : pathEnd(target);
}

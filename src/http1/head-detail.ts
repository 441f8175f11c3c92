import { MORE_THAN_ONE } from '../http/single-fields.ts';
import { beginsPreface } from './proxy-protocol.ts';

/**
 * What is said of a head that was refused, beyond the reason: a closed list of fixed phrases, none
 * of which holds a byte of the request. So they may stand in the response, the audit and the log.
 */
export const HEAD_DETAILS = [
  'the connection begins with TLS, and the port is for plain HTTP',
  'the connection begins with the preface of HTTP/2, which is not spoken here',
  'the connection begins with the PROXY protocol, and its peer is not listed',
  'the token ends with a line break',
  'a field line stands where a request begins: the head before it ended too early, as one does whose token ends with a line break',
  'control character in the head',
  'line not ended by CRLF',
  'line feed without carriage return',
  'no method',
  'method is not a token',
  'no version in the request line',
  'no HTTP version in the request line',
  'HTTP version is neither 1.0 nor 1.1',
  'request line too long',
  'head too large',
  'target too long',
  'target is not an unambiguous origin-form',
  'field line without a colon',
  'field name outside [A-Za-z0-9-]',
  'too many fields',
  'no Host',
  'Host is not a host',
  ...MORE_THAN_ONE,
  'both Content-Length and Transfer-Encoding',
  'Transfer-Encoding in HTTP/1.0',
  'Transfer-Encoding is not a list of codings',
  'tab in Transfer-Encoding',
  'transfer coding other than chunked',
  'chunked is not the last coding, once',
  'list in Content-Length',
  'Content-Length is not a number',
  'Max-Forwards is not one number',
  'unknown expectation',
  'Connection has too many elements',
  'Connection is not a list of tokens',
  'Connection names an end-to-end field',
] as const;

export type HeadDetail = (typeof HEAD_DETAILS)[number];

const TLS_HANDSHAKE = 22;
const TLS_MAJOR = 3;
const HTTP2_PREFACE = 'PRI * HTTP/2.0\r\n';
/** A line of the field whose value brought its own line break along: LF alone, or CR alone. */
const BROKEN_TOKEN = /(?:^|\n)authorization:[^\r\n]*(?:\n|\r[^\n])/i;
/** A head whose last line is the field: what followed it was an empty line. */
const CUT_AT_TOKEN = /(?:^|\n)authorization:[^\r\n]*\r\n\r\n/i;
const FIELD_LINE = /^[A-Za-z][A-Za-z0-9-]*:/;
/** No head is longer; only what a client says first is looked at. */
const LOOKED_AT_BYTES = 65_536;

/**
 * The other protocol that a client speaks on a new connection; null when it is none that is known.
 *
 * @param begun the bytes with which it began
 */
export function foreignProtocol(begun: Buffer): HeadDetail | null {
  if (begun[0] === TLS_HANDSHAKE && (begun.length < 2 || begun[1] === TLS_MAJOR))
    return 'the connection begins with TLS, and the port is for plain HTTP';
  if (begun.toString('latin1', 0, HTTP2_PREFACE.length) === HTTP2_PREFACE)
    return 'the connection begins with the preface of HTTP/2, which is not spoken here';
  return beginsPreface(begun)
    ? 'the connection begins with the PROXY protocol, and its peer is not listed'
    : null;
}

/**
 * Whether a head was spoilt by a token that was read with the line break behind it; null when it
 * does not look so. Scripts that read a token from a file do that.
 *
 * @param begun bytes of the head
 * @param detail what is wrong with it otherwise
 */
export function brokenToken(begun: Buffer, detail: HeadDetail): HeadDetail | null {
  const text = begun.toString('latin1', 0, LOOKED_AT_BYTES);
  if (BROKEN_TOKEN.test(text) || (detail === 'no Host' && CUT_AT_TOKEN.test(text)))
    return 'the token ends with a line break';
  return FIELD_LINE.test(text)
    ? 'a field line stands where a request begins: the head before it ended too early, as one does whose token ends with a line break'
    : null;
}

/** Why a head was not accepted. The names are those of the refusals that the doors answer with. */
export type WireFault =
  | 'request-malformed'
  | 'request-ambiguous'
  | 'target-ambiguous'
  | 'target-too-long'
  | 'headers-too-large'
  | 'expectation-failed'
  | 'coding-unknown'
  | 'version-unsupported';

export interface HeadFault {
  readonly fault: WireFault;
  /** What was wrong, never the bytes that were. */
  readonly detail: HeadDetail;
}

import type { Fields } from '../http/fields.ts';
import type { OutgoingRequest } from '../http/outgoing.ts';
import type { BodyFraming } from '../http/request-head.ts';

/**
 * How heads and chunks look on the wire (RFC 9112 §2 to §7): the one place that writes them, in
 * both directions. What is written is latin-1, as what was read.
 */

export function requestHead({
  method,
  target,
  host,
  fields,
  framing,
  isLast,
  takesTrailers,
  upgrade,
}: OutgoingRequest): string {
  return `${method} ${target} HTTP/1.1\r\nHost: ${host}\r\n${fieldLines(fields)}${framingLine(framing)}${upgrade !== null ? upgradeLines(upgrade.protocol) : connectionLines(isLast, takesTrailers)}\r\n`;
}

function connectionLines(isLast: boolean, takesTrailers: boolean): string {
  if (takesTrailers) return isLast ? CLOSE_TE : TE;
  return isLast ? CLOSE : '';
}

/** RFC 9110 §7.8. */
export function upgradeLines(protocol: string): string {
  return `Connection: Upgrade\r\nUpgrade: ${protocol}\r\n`;
}

/** @param framing field line; empty = the end of the connection, or of the head, is the end */
export function responseHead(
  status: number,
  reason: string,
  fields: Fields,
  framing: string,
  persistent: boolean,
): string {
  return `HTTP/1.1 ${status} ${reason}\r\n${fieldLines(fields)}${framing}${persistent ? '' : CLOSE}\r\n`;
}

/** A name and its value on each line. */
export function fieldLines({ list }: Fields): string {
  let text = '';
  for (let index = 0; index < list.length; index += 2)
    text += `${list[index]!}: ${list[index + 1]!}\r\n`;
  return text;
}

function framingLine(framing: BodyFraming): string {
  switch (framing.kind) {
    case 'length':
      return lengthLine(framing.bytes);
    case 'chunked':
      return CHUNKED;
    case 'none':
      return framing.declared ? lengthLine(0) : '';
    case 'elsewhere':
      throw new Error('a request whose body is elsewhere cannot be sent');
  }
}

export function lengthLine(bytes: number | string): string {
  return `Content-Length: ${bytes}\r\n`;
}

export const CHUNKED = 'Transfer-Encoding: chunked\r\n';
const CLOSE = 'Connection: close\r\n';
const TE = 'TE: trailers\r\nConnection: TE\r\n';
const CLOSE_TE = 'TE: trailers\r\nConnection: close, TE\r\n';

/** What stands before the content of a chunk; behind it stands `CHUNK_END`. */
export function chunkStart(bytes: number): string {
  return `${bytes.toString(16)}\r\n`;
}

export const CHUNK_END = '\r\n';
const LAST_CHUNK = '0\r\n\r\n';

/** With fields behind the content (RFC 9112 §7.1.2). */
export function lastChunk(trailers: Fields | null): string {
  return trailers === null ? LAST_CHUNK : `0\r\n${fieldLines(trailers)}\r\n`;
}

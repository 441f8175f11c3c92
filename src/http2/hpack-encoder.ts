import type { Fields } from '../http/fields.ts';
import type { OutgoingRequest } from '../http/outgoing.ts';
import { ownText, Recent } from '../http/recent.ts';
import { STATIC_TABLE } from './static-table.ts';

/**
 * Writes field sections (RFC 7541) without a table of its own: each is said in full, with the
 * static table's names. So one that was written and not sent can be thrown away, nothing of one
 * stream tells anything about another's (RFC 7541 §7.1), and a connection keeps no memory for it.
 */

/** The first of each name. */
const STATIC_INDEX = new Map(
  STATIC_TABLE.map(([name], index) => [name, index + 1]).reverse() as [string, number][],
);
const STATUS_INDEX: ReadonlyMap<number, number> = new Map(
  STATIC_TABLE.flatMap(([name, value], index) =>
    name === ':status' ? [[Number(value), index + 1] as const] : [],
  ),
);

/** A literal that is not kept, with the name at an index of up to four bits or in full. */
const LITERAL_MOST = 15;

/**
 * Stands at the beginning of a connection's first section: our table has no room, whatever the
 * client offers (RFC 7541 §4.2).
 */
export const NO_TABLE = 0x20;

/**
 * Credentials, and who calls: nobody on the way may keep them in a table either (RFC 7541 §7.1.3).
 */
const NEVER_KEPT = /^(?:authorization|cookie|x-account-.+)$/;
const NEVER_KEPT_MARK = 0x10;

/** How each name begins its field; bounded, and forgets what is not in use. */
const prefixes = new Recent<Buffer>(512);

function prefixOf(name: string): Buffer {
  const known = prefixes.get(name);
  if (known !== undefined) return known;
  const lower = name.toLowerCase();
  const index = STATIC_INDEX.get(lower);
  const prefix =
    index === undefined
      ? Buffer.concat([Buffer.of(0), lengthBytes(lower.length), Buffer.from(lower, 'latin1')])
      : numberBytes(index, LITERAL_MOST);
  if (NEVER_KEPT.test(lower)) prefix[0]! |= NEVER_KEPT_MARK;
  if (name.length <= 64) prefixes.set(ownText(name), prefix);
  return prefix;
}

function numberBytes(value: number, most: number): Buffer {
  if (value < most) return Buffer.of(value);
  const bytes = [most];
  let rest = value - most;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  return Buffer.from([...bytes, rest]);
}

const lengthBytes = (length: number): Buffer => numberBytes(length, 127);

let room: Buffer = Buffer.allocUnsafeSlow(4096);

/**
 * A field section of a response.
 *
 * @param length of the content; null = it is not told
 * @returns its bytes, in memory of their own
 */
export function encodeResponse(status: number, fields: Fields, length: string | null): Buffer {
  let at = 0;
  const index = STATUS_INDEX.get(status);
  if (index === undefined) at = put(at, ':status', String(status));
  else room[at++] = 0x80 | index;
  at = putAll(at, fields);
  if (length !== null) at = put(at, 'content-length', length);
  return Buffer.from(room.subarray(0, at));
}

/**
 * The field section behind the content of a message.
 *
 * @returns its bytes, in memory of their own
 */
export function encodeTrailers(fields: Fields): Buffer {
  const at = putAll(0, fields);
  return Buffer.from(room.subarray(0, at));
}

function putAll(from: number, { list }: Fields): number {
  let at = from;
  for (let place = 0; place < list.length; place += 2) at = put(at, list[place]!, list[place + 1]!);
  return at;
}

const METHOD_INDEX: ReadonlyMap<string, number> = new Map([
  ['GET', 2],
  ['POST', 3],
]);
const SCHEME_INDEX = { http: 6, https: 7 } as const;

/**
 * A field section of a request, in memory of its own. What asks for another protocol in HTTP/1.1 is
 * extended CONNECT here, whose handshake has no key (RFC 8441 §4, §5).
 */
export function encodeRequest(
  { method, target, host, fields, framing, upgrade, takesTrailers }: OutgoingRequest,
  scheme: 'http' | 'https',
): Buffer {
  let at = 0;
  const index = METHOD_INDEX.get(method);
  if (upgrade !== null) at = put(put(at, ':method', 'CONNECT'), ':protocol', upgrade.protocol);
  else if (index === undefined) at = put(at, ':method', method);
  else room[at++] = 0x80 | index;
  room[at++] = 0x80 | SCHEME_INDEX[scheme];
  at = put(at, ':authority', host);
  at = put(at, ':path', target);
  at = putAll(at, upgrade === null ? fields : fields.without('sec-websocket-key'));
  if (framing.kind === 'length') at = put(at, 'content-length', String(framing.bytes));
  else if (framing.kind === 'none' && framing.declared && upgrade === null)
    // Of a tunnel, what follows would be more than none (RFC 9113 §8.1.1).
    at = put(at, 'content-length', '0');
  if (takesTrailers) at = put(at, 'te', 'trailers');
  return Buffer.from(room.subarray(0, at));
}

function put(at: number, name: string, value: string): number {
  const prefix = prefixOf(name);
  const { length } = value;
  const wanted = at + prefix.length + length + 6;
  if (wanted > room.length) {
    const larger = Buffer.allocUnsafeSlow(wanted * 2);
    room.copy(larger, 0, 0, at);
    room = larger;
  }
  let end = at;
  for (let place = 0; place < prefix.length; place += 1) room[end++] = prefix[place]!;
  if (length < 127) room[end++] = length;
  else end += lengthBytes(length).copy(room, end);
  return end + room.write(value, end, 'latin1');
}

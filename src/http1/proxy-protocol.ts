import { isIPv4, isIPv6 } from 'node:net';
import { plainAddress } from '../http/ip-address.ts';

/**
 * The PROXY protocol, versions 1 and 2 (haproxy.org, `proxy-protocol.txt`), as a balancer that
 * passes TCP on says whose connection it is. Read strictly, and only from those who are known to
 * send it: whoever may, and does not, is not guessed about.
 */
export interface ConveyedClient {
  /** IP address; IPv4-mapped IPv6 as IPv4. */
  readonly address: string;
  readonly port: number;
}

export type Preface =
  /** `client` null: the balancer speaks for itself, as its own health checks do. */
  | { readonly state: 'complete'; readonly client: ConveyedClient | null; readonly bytes: number }
  | { readonly state: 'incomplete' }
  /** `detail`: a fixed phrase for the log. */
  | { readonly state: 'broken'; readonly detail: string };

const INCOMPLETE: Preface = { state: 'incomplete' };

const V1 = Buffer.from('PROXY ');
const V2 = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
/** §2.1: the longest line of version 1, its CRLF included. */
const V1_BYTES = 107;
const V2_HEAD_BYTES = 16;
/** Of version 2 behind its head: addresses and what balancers add to them (TLVs). */
const V2_REST_BYTES = 2048;
const V1_LINE =
  /^PROXY (TCP4|TCP6) ([0-9A-Fa-f.:]+) ([0-9A-Fa-f.:]+) (0|[1-9][0-9]{0,4}) (0|[1-9][0-9]{0,4})$/;
const TLV_HEAD_BYTES = 3;

/** Bytes of an address pair with its ports, by family and transport (§2.2). */
const STREAM_FAMILIES: ReadonlyMap<number, { readonly address: number; readonly pair: number }> =
  new Map([
    [0x11, { address: 4, pair: 12 }],
    [0x21, { address: 16, pair: 36 }],
  ]);

const broken = (detail: string): Preface => ({ state: 'broken', detail });

/** Whether bytes that are no request are the beginning of a preface. */
export function beginsPreface(bytes: Buffer): boolean {
  return startsWith(bytes, V1) || startsWith(bytes, V2);
}

/** @param bytes all that has come so far */
export function readPreface(bytes: Buffer): Preface {
  if (bytes.length === 0) return INCOMPLETE;
  if (isBeginning(bytes, V2)) return bytes.length < V2_HEAD_BYTES ? INCOMPLETE : readV2(bytes);
  if (isBeginning(bytes, V1)) return readV1(bytes);
  return broken('no preface');
}

function startsWith(bytes: Buffer, start: Buffer): boolean {
  return bytes.length >= start.length && bytes.subarray(0, start.length).equals(start);
}

function isBeginning(bytes: Buffer, start: Buffer): boolean {
  const length = Math.min(bytes.length, start.length);
  return bytes.subarray(0, length).equals(start.subarray(0, length));
}

function readV1(bytes: Buffer): Preface {
  const text = bytes.toString('latin1', 0, V1_BYTES);
  const end = text.indexOf('\r\n');
  if (end === -1) return bytes.length < V1_BYTES ? INCOMPLETE : broken('line too long');
  const line = text.slice(0, end);
  const length = end + 2;
  // §2.1: whatever stands behind UNKNOWN is passed over.
  if (line === 'PROXY UNKNOWN' || line.startsWith('PROXY UNKNOWN '))
    return { state: 'complete', client: null, bytes: length };
  const [, family, from, to, fromPort, toPort] = V1_LINE.exec(line) ?? [];
  if (family === undefined) return broken('not a line of version 1');
  const isAddress = family === 'TCP4' ? isIPv4 : isIPv6;
  if (!isAddress(from!) || !isAddress(to!)) return broken('not an address of the family');
  if (Number(fromPort) > 65535 || Number(toPort) > 65535) return broken('not a port');
  return {
    state: 'complete',
    client: { address: plainAddress(from!.toLowerCase()), port: Number(fromPort) },
    bytes: length,
  };
}

function readV2(bytes: Buffer): Preface {
  const command = bytes[12]!;
  if (command !== 0x20 && command !== 0x21) return broken('not a version or command');
  const rest = bytes.readUInt16BE(14);
  if (rest > V2_REST_BYTES) return broken('too long');
  const length = V2_HEAD_BYTES + rest;
  if (bytes.length < length) return INCOMPLETE;
  const family = bytes[13]!;
  // §2.2: LOCAL, and addresses that the balancer does not know, say nothing of a client.
  if (command === 0x20 || family === 0) return { state: 'complete', client: null, bytes: length };
  const sizes = STREAM_FAMILIES.get(family);
  if (sizes === undefined) return broken('not TCP over IP');
  if (rest < sizes.pair) return broken('addresses cut short');
  if (!hasWholeTlvs(bytes.subarray(V2_HEAD_BYTES + sizes.pair, length)))
    return broken('additions cut short');
  const from = bytes.subarray(V2_HEAD_BYTES, V2_HEAD_BYTES + sizes.address);
  const port = bytes.readUInt16BE(V2_HEAD_BYTES + 2 * sizes.address);
  return { state: 'complete', client: { address: textOf(from), port }, bytes: length };
}

/** §2.2.1: type, length, value, again and again; none of them is looked at. */
function hasWholeTlvs(bytes: Buffer): boolean {
  let at = 0;
  while (at + TLV_HEAD_BYTES <= bytes.length) at += TLV_HEAD_BYTES + bytes.readUInt16BE(at + 1);
  return at === bytes.length;
}

function textOf(address: Buffer): string {
  if (address.length === 4) return address.join('.');
  const groups = Array.from({ length: 8 }, (_, index) =>
    address.readUInt16BE(index * 2).toString(16),
  );
  // Shortened as every other address of the record is (RFC 5952).
  return plainAddress(new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1));
}

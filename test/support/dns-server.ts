import { createSocket, type Socket } from 'node:dgram';
import { isIPv4, isIPv6 } from 'node:net';

/** An SRV record (RFC 2782). */
export interface DnsService {
  readonly host: string;
  readonly port: number;
  readonly priority: number;
  readonly weight: number;
}

/** What the server says of one name: addresses, or one of the ways to say nothing. */
export type DnsAnswer =
  | { readonly addresses: readonly string[]; readonly ttlSeconds: number }
  | { readonly services: readonly DnsService[]; readonly ttlSeconds: number }
  | 'silent'
  | 'servfail';

export interface DnsServer {
  readonly address: string;
  /** What is said of each name from now on; a name that is not there does not exist. */
  readonly zone: Map<string, DnsAnswer>;
  /** Names asked for so far, each with its type: `A api.test`. */
  readonly asked: string[];
  close(): Promise<void>;
}

const TYPE = { A: 1, AAAA: 28, SRV: 33 } as const;
const RCODE = { ok: 0, servfail: 2, nxdomain: 3 } as const;

/** A name server over UDP (RFC 1035 §4) for A, AAAA and SRV, on a free port of the loopback. */
export async function startDns(host = '127.0.0.1', port = 0): Promise<DnsServer> {
  const socket: Socket = createSocket('udp4');
  const zone = new Map<string, DnsAnswer>();
  const asked: string[] = [];
  socket.on('message', (query, { address, port: from }) => {
    const answer = answerTo(query, zone, asked);
    if (answer !== null) socket.send(answer, from, address);
  });
  await new Promise<void>((resolve) => socket.bind(port, host, resolve));
  const bound = socket.address();
  return {
    address: `${bound.address}:${bound.port}`,
    zone,
    asked,
    close: () => new Promise((resolve) => socket.close(() => resolve())),
  };
}

function answerTo(query: Buffer, zone: Map<string, DnsAnswer>, asked: string[]): Buffer | null {
  const { name, end } = readName(query);
  const type = query.readUInt16BE(end);
  const question = query.subarray(12, end + 4);
  asked.push(`${type === TYPE.A ? 'A' : type === TYPE.AAAA ? 'AAAA' : type} ${name}`);
  const found = zone.get(name);
  if (found === 'silent') return null;
  if (found === 'servfail') return message(query, RCODE.servfail, question, []);
  if (found === undefined) return message(query, RCODE.nxdomain, question, []);
  if ('services' in found) {
    const services = type === TYPE.SRV ? found.services : [];
    const all = services.map((one) => record(type, found.ttlSeconds, serviceBytes(one)));
    return message(query, RCODE.ok, question, all);
  }
  if (type === TYPE.SRV) return message(query, RCODE.ok, question, []);
  const fits = type === TYPE.A ? isIPv4 : isIPv6;
  const records = found.addresses
    .filter((address) => fits(address))
    .map((address) => record(type, found.ttlSeconds, bytesOf(address)));
  return message(query, RCODE.ok, question, records);
}

function readName(query: Buffer): { readonly name: string; readonly end: number } {
  const labels: string[] = [];
  let at = 12;
  for (let length = query[at]!; length > 0; length = query[at]!) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += length + 1;
  }
  return { name: labels.join('.').toLowerCase(), end: at + 1 };
}

function message(
  query: Buffer,
  rcode: number,
  question: Buffer,
  records: readonly Buffer[],
): Buffer {
  const head = Buffer.alloc(12);
  head.writeUInt16BE(query.readUInt16BE(0), 0);
  // A response, recursion desired and available.
  head.writeUInt16BE(0x8180 | rcode, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt16BE(records.length, 6);
  return Buffer.concat([head, question, ...records]);
}

function record(type: number, ttlSeconds: number, data: Buffer): Buffer {
  const head = Buffer.alloc(12);
  // The name stands in the question, at byte 12.
  head.writeUInt16BE(0xc00c, 0);
  head.writeUInt16BE(type, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt32BE(ttlSeconds, 6);
  head.writeUInt16BE(data.length, 10);
  return Buffer.concat([head, data]);
}

function serviceBytes({ host, port, priority, weight }: DnsService): Buffer {
  const head = Buffer.alloc(6);
  head.writeUInt16BE(priority, 0);
  head.writeUInt16BE(weight, 2);
  head.writeUInt16BE(port, 4);
  const labels = host.split('.').filter((label) => label !== '');
  const name = labels.map((label) => Buffer.from(`${String.fromCharCode(label.length)}${label}`));
  return Buffer.concat([head, ...name, Buffer.alloc(1)]);
}

function bytesOf(address: string): Buffer {
  if (isIPv4(address)) return Buffer.from(address.split('.').map(Number));
  const [before = '', after = ''] = address.split('::');
  const groups = (text: string) => (text === '' ? [] : text.split(':'));
  const [left, right] = [groups(before), groups(after)];
  const zeros = address.includes('::') ? Array(8 - left.length - right.length).fill('0') : [];
  const bytes = Buffer.alloc(16);
  [...left, ...zeros, ...right].forEach((group, index) => {
    bytes.writeUInt16BE(Number.parseInt(group, 16), index * 2);
  });
  return bytes;
}

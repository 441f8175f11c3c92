import { FieldSection, HpackDecoder } from '../../src/http2/hpack-decoder.ts';
import type { RawClient } from './raw-client.ts';

/** Frames of HTTP/2 byte for byte, whatever they hold: for a client that keeps to no rule. */

export const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
export const TYPE = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;
export const END_STREAM = 1;
export const ACK = 1;
export const END_HEADERS = 4;
export const PADDED = 8;

export type RawField = readonly [name: string, value: string];

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

const NOTHING = Buffer.alloc(0);

export function frame(
  type: number,
  flags: number,
  stream: number,
  payload: Buffer = NOTHING,
): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

export function numbers(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  for (const [index, value] of values.entries()) bytes.writeUInt32BE(value >>> 0, 4 * index);
  return bytes;
}

/** Nothing of it is looked up or kept: literals, latin-1. `kept`: they enter the table. */
export function section(fields: readonly RawField[], kept = false): Buffer {
  return Buffer.concat(
    fields.flatMap(([name, value]) => [Buffer.of(kept ? 0x40 : 0), text(name), text(value)]),
  );
}

function text(value: string): Buffer {
  return Buffer.concat([prefixed(value.length, 127), Buffer.from(value, 'latin1')]);
}

function prefixed(value: number, most: number): Buffer {
  if (value < most) return Buffer.of(value);
  const bytes = [most];
  let rest = value - most;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  return Buffer.from([...bytes, rest]);
}

export const settings = (...pairs: readonly (readonly [number, number])[]): Buffer =>
  frame(
    TYPE.settings,
    0,
    0,
    Buffer.concat(
      pairs.map(([name, value]) => {
        const pair = Buffer.alloc(6);
        pair.writeUInt16BE(name, 0);
        pair.writeUInt32BE(value, 2);
        return pair;
      }),
    ),
  );

/** What every request needs, and what is given. */
export function fieldsOf(
  { method = 'GET', path = '/', authority = 'api.test', scheme = 'https' } = {},
  ...fields: readonly RawField[]
): readonly RawField[] {
  return [
    [':method', method],
    [':scheme', scheme],
    [':authority', authority],
    [':path', path],
    ...fields,
  ];
}

/** @param flags END_STREAM where there is no content */
export const headers = (stream: number, fields: readonly RawField[], flags = END_STREAM): Buffer =>
  frame(TYPE.headers, flags | END_HEADERS, stream, section(fields));

/** All frames in what came, and how many bytes they are. */
export function framesIn(bytes: Buffer): Frame[] {
  const frames: Frame[] = [];
  for (let at = 0; at + 9 <= bytes.length; ) {
    const length = bytes.readUIntBE(at, 3);
    if (at + 9 + length > bytes.length) break;
    frames.push({
      type: bytes[at + 3]!,
      flags: bytes[at + 4]!,
      stream: bytes.readUInt32BE(at + 5) & 0x7fff_ffff,
      payload: bytes.subarray(at + 9, at + 9 + length),
    });
    at += 9 + length;
  }
  return frames;
}

/** What one stream got of its response. */
export interface RawResponse {
  readonly status: number;
  readonly content: string;
  /** END_STREAM came. */
  readonly ended: boolean;
  /** The code of RST_STREAM; null = none came. */
  readonly reset: number | null;
}

/** All that came for each stream. */
export function responsesIn(frames: readonly Frame[]): ReadonlyMap<number, RawResponse> {
  const decoder = new HpackDecoder();
  const found = new Map<number, RawResponse>();
  for (const { type, flags, stream, payload } of frames) {
    if (stream === 0) continue;
    const before = found.get(stream) ?? { status: 0, content: '', ended: false, reset: null };
    const ended = before.ended || (type <= TYPE.headers && (flags & END_STREAM) !== 0);
    if (type === TYPE.headers) {
      const fields = new FieldSection(65_536, 100);
      decoder.decode(payload, fields);
      found.set(stream, { ...before, ended, status: Number(fields.values[0]) });
    } else if (type === TYPE.data) {
      found.set(stream, { ...before, ended, content: before.content + payload.toString() });
    } else if (type === TYPE.reset) {
      found.set(stream, { ...before, reset: payload.readUInt32BE(0) });
    }
  }
  return found;
}

/** The code of GOAWAY; null = none came. */
export function goawayIn(frames: readonly Frame[]): number | null {
  return frames.findLast(({ type }) => type === TYPE.goaway)?.payload.readUInt32BE(4) ?? null;
}

/** Begins as every client does. */
export async function greet(client: RawClient, ...first: readonly Buffer[]): Promise<void> {
  await client.send(Buffer.concat([Buffer.from(PREFACE), settings(), ...first]));
}

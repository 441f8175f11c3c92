import type { RequestHead } from '../../src/http/request-head.ts';
import type { BodyReader, BodySink } from '../../src/http1/body-reader.ts';
import type { HeadReader } from '../../src/http1/head-reader.ts';
import { Llhttp, type LlhttpMessage } from './llhttp.ts';
import { cutAt, randomCuts } from './pieces.ts';
import type { Random } from './random.ts';
import { requestBytes } from './request-bytes.ts';
import type { Wire } from './wire.ts';

const HEAD_BYTES = 16_384;
const TARGET_BYTES = 8192;
/** Inputs up to here are often fed byte by byte, too. */
const SHORT_BYTES = 400;

class OurRequest implements BodySink {
  readonly head: RequestHead;
  body = '';
  whole = false;
  /** Offset of the byte after its last one; 0 while it is not whole. */
  end = 0;

  constructor(head: RequestHead) {
    this.head = head;
  }

  onBody(content: Buffer): void {
    this.body += content.toString('latin1');
  }
}

/**
 * One connection, read the way the door reads it, without its sockets: heads and bodies in turn,
 * until one of them says stop.
 */
class OurReading {
  readonly requests: OurRequest[] = [];
  /**
   * `refused`: closes with a refusal. `closed`: closes after the last answer. `open`: waits for
   * more.
   */
  state: 'open' | 'refused' | 'closed' = 'open';
  readonly #wire: Wire;
  readonly #heads: HeadReader;
  #body: BodyReader | null = null;

  constructor(wire: Wire, pieces: readonly Buffer[]) {
    this.#wire = wire;
    this.#heads = new wire.HeadReader(HEAD_BYTES);
    let passed = 0;
    for (const piece of pieces) {
      passed += piece.length;
      let rest: Buffer | null = piece;
      while (rest !== null && rest.length > 0 && this.state === 'open') {
        rest = this.#body === null ? this.#readHead(rest) : this.#readBody(rest, this.#body);
        this.#endIfDone(passed - (rest?.length ?? 0));
      }
    }
  }

  #readHead(bytes: Buffer): Buffer | null {
    const result = this.#heads.push(bytes);
    if (result.state === 'incomplete') return null;
    const head =
      result.state === 'complete' ? this.#wire.parseRequestHead(result.text, TARGET_BYTES) : null;
    if (head === null || this.#wire.isHeadFault(head)) {
      this.state = 'refused';
      return null;
    }
    this.requests.push(new OurRequest(head));
    this.#body = readerFor(this.#wire, head);
    return result.state === 'complete' ? result.rest : null;
  }

  #readBody(bytes: Buffer, body: BodyReader): Buffer {
    const taken = body.read(bytes, this.requests.at(-1)!);
    if (body.state === 'broken') this.state = 'refused';
    return bytes.subarray(taken);
  }

  #endIfDone(offset: number): void {
    if (this.#body?.state !== 'done') return;
    this.#body = null;
    const request = this.requests.at(-1)!;
    request.whole = true;
    request.end = offset;
    if (!request.head.keepAlive) this.state = 'closed';
  }
}

function readerFor(wire: Wire, head: RequestHead): BodyReader {
  switch (head.framing.kind) {
    case 'none':
    case 'elsewhere':
      return wire.BodyReader.ofLength(0);
    case 'length':
      return wire.BodyReader.ofLength(head.framing.bytes);
    case 'chunked':
      return wire.BodyReader.chunked();
  }
}

/** What became of one input, and what is wrong with it. */
export interface Finding {
  /** For the counts: what the input exercised. */
  readonly accepted: readonly string[];
  readonly problem: string | null;
  readonly bytes: Buffer;
}

/**
 * Compares one random connection. llhttp is reused: a new one for each case would cost more than
 * all the rest.
 */
export function requestComparer(wire: Wire): (random: Random) => Finding {
  const llhttp = Llhttp.requests();
  return (random) => {
    const bytes = requestBytes(random);
    const cuts = randomCuts(bytes.length, random);
    const everyByte = bytes.length <= SHORT_BYTES && random.chance(0.125);
    const reading = new OurReading(wire, [bytes]);
    const problem =
      splitProblem(wire, reading, cutAt(bytes, cuts), 'in pieces') ??
      (everyByte
        ? splitProblem(wire, reading, cutAt(bytes, [...bytes.keys()]), 'byte by byte')
        : null) ??
      disagreement(reading, bytes, cuts, llhttp);
    return {
      accepted: reading.requests.filter(({ whole }) => whole).map(({ head }) => head.framing.kind),
      problem,
      bytes,
    };
  };
}

/** However the bytes are cut, they are read the same. */
function splitProblem(
  wire: Wire,
  whole: OurReading,
  pieces: readonly Buffer[],
  how: string,
): string | null {
  const split = new OurReading(wire, pieces);
  if (split.state !== whole.state)
    return `${how} it is ${split.state}, as a whole it is ${whole.state}`;
  if (split.requests.length !== whole.requests.length)
    return `${how} there are ${split.requests.length} requests, as a whole ${whole.requests.length}`;
  for (const [index, request] of split.requests.entries()) {
    const other = whole.requests[index]!;
    if (request.head.method !== other.head.method || request.head.target !== other.head.target)
      return `${how} another request line`;
    if (!sameList(request.head.values, other.head.values)) return `${how} other fields`;
    if (request.body !== other.body) return `${how} another body`;
    if (request.whole !== other.whole || request.end !== other.end) return `${how} another end`;
  }
  return null;
}

/**
 * What we let in, llhttp lets in, and reads the same: line, fields, body, and where each message
 * ends. The reverse is not asked for.
 */
function disagreement(
  reading: OurReading,
  bytes: Buffer,
  cuts: readonly number[],
  llhttp: Llhttp,
): string | null {
  const requests = comparable(reading.requests);
  if (requests.length === 0) return null;
  const cutShort = requests.length < reading.requests.length;
  const ends = requests.filter(({ whole }) => whole).map(({ end }) => end);
  const lastEnd = ends.at(-1) ?? 0;
  // Past the last request that counts nothing is compared, and after `close` nothing may come.
  const until = cutShort || reading.state === 'closed' ? lastEnd : bytes.length;
  llhttp.begin();
  let passed = 0;
  for (const piece of cutAt(bytes.subarray(0, until), [
    ...cuts,
    ...ends,
    ...ends.map((end) => end - 1),
  ])) {
    llhttp.read(piece);
    passed += piece.length;
    if (passed > lastEnd) continue;
    if (llhttp.fault !== null)
      return `llhttp refuses (${llhttp.fault}) within the first ${passed} bytes`;
    const expected = ends.filter((end) => end <= passed).length;
    if (llhttp.completed !== expected)
      return `after ${passed} bytes ${expected} requests end for us, ${llhttp.completed} for llhttp`;
  }
  if (reading.state === 'open' && requests.at(-1)?.whole === false && llhttp.fault !== null)
    return `llhttp refuses (${llhttp.fault}) the body that we still read`;
  for (const [index, request] of requests.entries()) {
    const problem = requestProblem(request, llhttp.messages[index], reading.state === 'refused');
    if (problem !== null) return `request ${index + 1}: ${problem}`;
  }
  return null;
}

/**
 * Up to the first that is no matter between the two: one with a method that the gate refuses
 * whatever else it says (llhttp knows fewer methods, and reads CONNECT as the end of HTTP), or with
 * `Proxy-Connection`, a field of no RFC that llhttp takes for `Connection` and nobody else does.
 */
function comparable(requests: readonly OurRequest[]): readonly OurRequest[] {
  const end = requests.findIndex(
    ({ head }) =>
      !FORWARDED_METHODS.has(head.method) ||
      head.names.some(({ lower }) => lower === 'proxy-connection'),
  );
  return end === -1 ? requests : requests.slice(0, end);
}

const FORWARDED_METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

function requestProblem(
  { head, body, whole }: OurRequest,
  theirs: LlhttpMessage | undefined,
  refused: boolean,
): string | null {
  if (theirs === undefined) return 'llhttp sees no such request';
  if (head.method !== theirs.method) return `method ${theirs.method} for llhttp`;
  if (head.target !== theirs.target) return `target ${theirs.target} for llhttp`;
  if (head.version !== `1.${theirs.minor}`) return `version 1.${theirs.minor} for llhttp`;
  if (head.keepAlive && !theirs.keepAlive) return 'the connection closes after it for llhttp';
  const fields = fieldsProblem(head, theirs);
  if (fields !== null) return fields;
  // What we read before we refused may be less than llhttp read of the same bytes.
  const same = whole || !refused ? body === theirs.body : theirs.body.startsWith(body);
  return same ? null : 'another body for llhttp';
}

/** Names as received, values without blanks around them. */
export function fieldsProblem(
  ours: {
    readonly names: readonly { readonly text: string }[];
    readonly values: readonly string[];
  },
  theirs: LlhttpMessage,
): string | null {
  const count = ours.names.length;
  if (theirs.fields.length !== 2 * count)
    return `${theirs.fields.length / 2} fields for llhttp, ${count} for us`;
  for (let index = 0; index < count; index += 1) {
    if (
      ours.names[index]!.text !== theirs.fields[2 * index] ||
      ours.values[index] !== theirs.fields[2 * index + 1]
    )
      return `field ${index + 1} is another for llhttp`;
  }
  return null;
}

function sameList(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((item, index) => item === other[index]);
}

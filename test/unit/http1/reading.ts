import type { RequestHead } from '../../../src/http/request-head.ts';
import { BodyReader } from '../../../src/http1/body-reader.ts';
import { HeadReader } from '../../../src/http1/head-reader.ts';
import { isHeadFault, parseRequestHead } from '../../../src/http1/request-parser.ts';

/** A head as the parser takes it. */
export function headText(...lines: readonly string[]): string {
  return lines.map((line) => `${line}\r\n`).join('');
}

export interface ReadRequest {
  readonly head: RequestHead;
  readonly body: string;
  /** Whether the end of its body was reached. */
  readonly whole: boolean;
}

export interface ReadStream {
  readonly requests: readonly ReadRequest[];
  /** Bytes came that cannot be read as requests; nothing after them counts. */
  readonly refused: boolean;
  /** Bytes wait for the rest of a head. */
  readonly waiting: boolean;
}

/** Reads one connection's bytes, piece by piece, the way a connection does, without its sockets. */
export function readRequests(pieces: readonly Buffer[], limitBytes = 16_384): ReadStream {
  const requests: { head: RequestHead; body: string; whole: boolean }[] = [];
  const heads = new HeadReader(limitBytes);
  let body: BodyReader | null = null;
  let refused = false;
  for (const piece of pieces) {
    let rest: Buffer | null = piece;
    while (rest !== null && rest.length > 0 && !refused) {
      if (body !== null) {
        const request = requests.at(-1)!;
        const taken: number = body.read(rest, {
          onBody: (content) => {
            request.body += content.toString('latin1');
          },
        });
        refused = body.state === 'broken';
        request.whole = body.state === 'done';
        if (body.state === 'done') body = null;
        rest = rest.subarray(taken);
        continue;
      }
      const result = heads.push(rest);
      const head = result.state === 'complete' ? parseRequestHead(result.text, 8192) : null;
      refused =
        result.state === 'too-large' ||
        result.state === 'hopeless' ||
        (head !== null && isHeadFault(head));
      rest = result.state === 'complete' ? result.rest : null;
      if (head === null || isHeadFault(head)) continue;
      body = readerFor(head);
      requests.push({ head, body: '', whole: body === null });
    }
  }
  return { requests, refused, waiting: !refused && heads.begun };
}

function readerFor(head: RequestHead): BodyReader | null {
  if (head.framing.kind === 'none') return null;
  return head.framing.kind === 'length'
    ? BodyReader.ofLength(head.framing.bytes)
    : BodyReader.chunked();
}

/** The bytes in pieces that end at these offsets. */
export function cut(bytes: Buffer, offsets: readonly number[]): Buffer[] {
  const ends = [...new Set(offsets.map((offset) => Math.min(offset, bytes.length)))].sort(
    (a, b) => a - b,
  );
  const all = [...ends, bytes.length];
  return all
    .map((end, index) => bytes.subarray(index === 0 ? 0 : all[index - 1]!, end))
    .filter((piece) => piece.length > 0);
}

export function singleBytes(bytes: Buffer): Buffer[] {
  return Array.from({ length: bytes.length }, (_, index) => bytes.subarray(index, index + 1));
}

import { FLAG } from './frames.ts';

/** What a block may be longer than a head: so much of one that is too large is still read. */
const EXCESS_BYTES = 65_536;

/** HEADERS and the CONTINUATIONs behind it, whose payloads are one block (RFC 9113 §4.3). */
export class HeaderBlock {
  readonly stream: number;
  readonly endStream: boolean;
  readonly #maxBytes: number;
  #pieces: Buffer[] = [];
  #bytes = 0;

  /** @param headBytes the largest head that is taken */
  constructor(stream: number, flags: number, headBytes: number) {
    this.stream = stream;
    this.endStream = (flags & FLAG.endStream) !== 0;
    this.#maxBytes = headBytes + EXCESS_BYTES;
  }

  /** @returns false when it is longer than anybody reads */
  add(piece: Buffer, isLast: boolean): boolean {
    this.#bytes += piece.length;
    // Copied where it has to wait: what was read is used again.
    this.#pieces.push(isLast ? piece : Buffer.from(piece));
    return this.#bytes <= this.#maxBytes;
  }

  get whole(): Buffer {
    return this.#pieces.length === 1 ? this.#pieces[0]! : Buffer.concat(this.#pieces);
  }
}

/**
 * The block in a HEADERS frame, without padding and priority (RFC 9113 §6.2); null when there is no
 * room for what the flags say. `dependency`: of the priority that came along.
 */
export function blockIn(
  payload: Buffer,
  flags: number,
): { readonly block: Buffer; readonly dependency: number | null } | null {
  let from = 0;
  let padding = 0;
  if ((flags & FLAG.padded) !== 0) {
    if (payload.length < 1) return null;
    padding = payload[0]!;
    from = 1;
  }
  let dependency: number | null = null;
  if ((flags & FLAG.priority) !== 0) {
    if (payload.length < from + 5) return null;
    dependency = payload.readUInt32BE(from) & 0x7fff_ffff;
    from += 5;
  }
  if (padding > payload.length - from) return null;
  return { block: payload.subarray(from, payload.length - padding), dependency };
}

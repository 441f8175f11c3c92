import { decodeHuffman } from './huffman.ts';
import { STATIC_TABLE } from './static-table.ts';

/** What the field section of one request holds, in order, nothing of it joined or left out. */
export class FieldSection {
  readonly names: string[] = [];
  readonly values: string[] = [];
  readonly #maxBytes: number;
  readonly #maxFields: number;
  #bytes = 0;
  /** There was more of it than is taken: what is here is not all. */
  tooLarge = false;

  /**
   * @param maxBytes names and values with 4 for each field, as much as HTTP/1.1 takes to write it
   * @param maxFields so many at most
   */
  constructor(maxBytes: number, maxFields: number) {
    this.#maxBytes = maxBytes;
    this.#maxFields = maxFields;
  }

  add(name: string, value: string): void {
    this.#bytes += name.length + value.length + 4;
    if (this.#bytes > this.#maxBytes || this.names.length >= this.#maxFields) this.tooLarge = true;
    if (this.tooLarge) return;
    this.names.push(name);
    this.values.push(value);
  }
}

/** RFC 7541 §4.1. */
const ENTRY_OVERHEAD = 32;
/**
 * The size that counts where nothing else was agreed on (RFC 9113 §6.5.2); we agree on no other.
 */
const MAX_TABLE_BYTES = 4096;
/** Larger numbers than these occur in no field section that is taken. */
const MAX_NUMBER = 2 ** 28;

const STATIC_NAMES = ['', ...STATIC_TABLE.map(([name]) => name)];
const STATIC_VALUES = ['', ...STATIC_TABLE.map(([, value]) => value)];
const STATIC_END = STATIC_NAMES.length;

/**
 * Reads what one client compresses (RFC 7541). Texts are latin-1, one character for each byte.
 * Each byte of a block costs a bounded amount of work and memory: what the block repeats from the
 * table is repeated by reference.
 */
export class HpackDecoder {
  /** The newest last. */
  readonly #names: string[] = [];
  readonly #values: string[] = [];
  #tableBytes = 0;
  #maxBytes = MAX_TABLE_BYTES;
  #block: Buffer = NOTHING;
  #at = 0;

  /** @returns false when the block is not valid: nothing more can be read on this connection */
  decode(block: Buffer, to: FieldSection): boolean {
    this.#block = block;
    this.#at = 0;
    // RFC 7541 §4.2: the size changes at the beginning of a block only.
    while (this.#at < block.length && (block[this.#at]! & 0xe0) === 0x20)
      if (!this.#resize(this.#number(5))) return false;
    while (this.#at < block.length) if (!this.#field(block[this.#at]!, to)) return false;
    this.#block = NOTHING;
    return true;
  }

  #field(first: number, to: FieldSection): boolean {
    if (first >= 0x80) {
      const index = this.#number(7);
      const name = this.#nameAt(index);
      if (name === null) return false;
      to.add(name, this.#valueAt(index));
      return true;
    }
    if ((first & 0xe0) === 0x20) return false;
    const kept = first >= 0x40;
    const index = this.#number(kept ? 6 : 4);
    const name = index === 0 ? this.#text() : this.#nameAt(index);
    if (name === null) return false;
    const value = this.#text();
    if (value === null) return false;
    if (kept) this.#keep(name, value);
    to.add(name, value);
    return true;
  }

  #nameAt(index: number): string | null {
    if (index <= 0) return null;
    if (index < STATIC_END) return STATIC_NAMES[index]!;
    return this.#names[this.#names.length - 1 - (index - STATIC_END)] ?? null;
  }

  #valueAt(index: number): string {
    if (index < STATIC_END) return STATIC_VALUES[index]!;
    return this.#values[this.#values.length - 1 - (index - STATIC_END)]!;
  }

  #keep(name: string, value: string): void {
    const bytes = name.length + value.length + ENTRY_OVERHEAD;
    this.#shrink(this.#maxBytes - bytes);
    if (bytes > this.#maxBytes) return;
    this.#names.push(name);
    this.#values.push(value);
    this.#tableBytes += bytes;
  }

  #resize(maxBytes: number): boolean {
    if (maxBytes < 0 || maxBytes > MAX_TABLE_BYTES) return false;
    this.#maxBytes = maxBytes;
    this.#shrink(maxBytes);
    return true;
  }

  #shrink(toBytes: number): void {
    while (this.#tableBytes > toBytes && this.#names.length > 0)
      this.#tableBytes -=
        this.#names.shift()!.length + this.#values.shift()!.length + ENTRY_OVERHEAD;
  }

  /** RFC 7541 §5.1; -1 when it is not valid. */
  #number(bits: number): number {
    const most = 2 ** bits - 1;
    let value = this.#block[this.#at++]! & most;
    if (value < most) return value;
    for (let scale = 1; this.#at < this.#block.length && value < MAX_NUMBER; scale *= 128) {
      const byte = this.#block[this.#at++]!;
      if (scale > MAX_NUMBER) return -1;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
    return -1;
  }

  /** RFC 7541 §5.2; null when it is not valid. */
  #text(): string | null {
    if (this.#at >= this.#block.length) return null;
    const coded = this.#block[this.#at]! >= 128;
    const length = this.#number(7);
    const from = this.#at;
    if (length < 0 || length > this.#block.length - from) return null;
    this.#at = from + length;
    return coded
      ? decodeHuffman(this.#block, from, this.#at)
      : this.#block.toString('latin1', from, this.#at);
  }
}

const NOTHING = Buffer.alloc(0);

import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { timeOf } from '../audit/event/read.ts';
import type { AuditScan } from '../audit/port.ts';
import { UsageError } from './exit.ts';

/** Read at a time. */
const PIECE_BYTES = 256 * 1024;
/** A line that is longer than this is none of ours. */
const LINE_BYTES = 4 * 1024 * 1024;
const LINE_FEED = 0x0a;

/**
 * An export as a log that can be read forward: one line of JSON each. One that is newest first is
 * read from its end. Throws `UsageError` for what is no such file.
 */
export function openExport(path: string): { readonly record: AuditScan; close(): void } {
  const file = opened(path);
  const { size } = fstatSync(file);
  const lines = new FileLines(file, size, isNewestFirst(file, size));
  const record: AuditScan = {
    async scan({ limit }) {
      const events = lines.take(limit);
      return { events, next: '', isEnd: events.length < limit };
    },
    size: async () => 0,
    heads: async () => [],
    keys: async () => [],
    anchors: async () => [],
  };
  return { record, close: () => closeSync(file) };
}

function opened(path: string): number {
  try {
    return openSync(path, 'r');
  } catch (error) {
    throw new UsageError(`the export ${path} cannot be read: ${(error as Error).message}`);
  }
}

function isNewestFirst(file: number, size: number): boolean {
  const first = new FileLines(file, size, false).take(1)[0] ?? '';
  const last = new FileLines(file, size, true).take(1)[0] ?? '';
  return timeOf(first) > timeOf(last);
}

/** The lines of a file, from its beginning or from its end, without holding more than a piece. */
class FileLines {
  readonly #file: number;
  readonly #backward: boolean;
  readonly #size: number;
  /** Bytes read, from whichever side. */
  #read = 0;
  #rest: Buffer = Buffer.alloc(0);
  #lines: string[] = [];

  constructor(file: number, size: number, backward: boolean) {
    this.#file = file;
    this.#size = size;
    this.#backward = backward;
  }

  take(most: number): readonly string[] {
    const taken: string[] = [];
    while (taken.length < most) {
      if (this.#lines.length === 0 && !this.#fill()) break;
      taken.push(...this.#lines.splice(0, most - taken.length));
    }
    return taken;
  }

  /** Reads one piece on; false at the end. */
  #fill(): boolean {
    const left = this.#size - this.#read;
    if (left === 0 && this.#rest.length === 0) return false;
    const length = Math.min(PIECE_BYTES, left);
    const piece = Buffer.allocUnsafe(length);
    const from = this.#backward ? left - length : this.#read;
    if (readSync(this.#file, piece, 0, length, from) !== length)
      throw new UsageError('the export was changed while it was read');
    this.#read += length;
    const bytes = Buffer.concat(this.#backward ? [piece, this.#rest] : [this.#rest, piece]);
    if (bytes.length > LINE_BYTES + PIECE_BYTES)
      throw new UsageError('the export has a line that is too long for an event');
    if (this.#read === this.#size) this.#last(bytes);
    else if (this.#backward) this.#cutBackward(bytes);
    else this.#cutForward(bytes);
    return true;
  }

  #last(bytes: Buffer): void {
    this.#rest = Buffer.alloc(0);
    this.#push(bytes.toString().split('\n'));
  }

  #cutForward(bytes: Buffer): void {
    const end = bytes.lastIndexOf(LINE_FEED) + 1;
    this.#rest = bytes.subarray(end);
    this.#push(bytes.toString('utf8', 0, end).split('\n'));
  }

  #cutBackward(bytes: Buffer): void {
    const end = bytes.indexOf(LINE_FEED) + 1;
    this.#rest = end === 0 ? bytes : bytes.subarray(0, end);
    this.#push(end === 0 ? [] : bytes.toString('utf8', end).split('\n'));
  }

  #push(lines: string[]): void {
    const some = lines.filter((line) => line !== '');
    this.#lines = this.#backward ? some.reverse() : some;
  }
}

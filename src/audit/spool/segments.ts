import { unlink } from 'node:fs/promises';
import type { Clock } from '../../clock.ts';
import type { EventBatch } from '../batch.ts';
import { AuditUnavailable } from '../port.ts';
import { lastSeqOf } from './merge.ts';
import type { UnreadableFiles } from './unreadable.ts';

export interface SpoolBounds {
  /** On disk, of this instance. */
  readonly maxBytes: number;
  /** What the store has accepted stays for so long, to be sent again should it lose that. */
  readonly keep: { readonly bytes: number; readonly ms: number };
}

export interface Segment {
  readonly number: number;
  readonly path: string;
  bytes: number;
  firstSeq: number;
  lastSeq: number;
  /** Of events without an account. */
  strangerBytes: number;
  writtenMs: number;
  dropping: boolean;
  isSetAside: boolean;
}

export interface SegmentsOptions {
  readonly bounds: SpoolBounds;
  readonly clock: Clock;
  readonly files: UnreadableFiles;
  /** The newest file is to go: false while it is being written. */
  readonly letGo: () => boolean;
}

/** What events without an account may take of the whole. */
const STRANGERS_SHARE = 0.25;

/** The files of a spool, oldest first: what is in each, how much it is, and which can go. */
export class Segments {
  readonly #options: SegmentsOptions;
  readonly #all: Segment[] = [];
  #written = 0;
  #replayed = 0;
  #strangersFull = false;

  constructor(options: SegmentsOptions) {
    this.#options = options;
  }

  get all(): readonly Segment[] {
    return this.#all;
  }

  /** The number of the last event that was written. */
  get written(): number {
    return this.#written;
  }

  /** Everything up to this number the store has accepted. */
  get replayed(): number {
    return this.#replayed;
  }

  /** On disk. */
  get bytes(): number {
    return this.#all.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Of segments that hold something which the store has not accepted. */
  get waitingBytes(): number {
    return this.#waiting.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  get #waiting(): readonly Segment[] {
    return this.#all.filter(({ lastSeq }) => lastSeq > this.#replayed);
  }

  /** Events without an account have used up their part. */
  get strangersFull(): boolean {
    return this.#strangersFull;
  }

  begin(number: number, path: string): void {
    const empty = { bytes: 0, firstSeq: 0, lastSeq: 0, strangerBytes: 0 };
    const writtenMs = this.#options.clock.wallMs();
    this.#all.push({ number, path, ...empty, writtenMs, dropping: false, isSetAside: false });
  }

  /** A batch was written to the newest. */
  note(batch: EventBatch, bytes: number): void {
    const segment = this.#all.at(-1)!;
    if (segment.bytes === 0) segment.firstSeq = batch.firstSeq;
    segment.bytes += bytes;
    segment.lastSeq = lastSeqOf(batch);
    segment.strangerBytes += bytes * strangersIn(batch);
    segment.writtenMs = this.#options.clock.wallMs();
    this.#written = segment.lastSeq;
    this.#countStrangers();
  }

  /** The store has accepted everything up to this number. */
  accepted(lastSeq: number): void {
    this.#replayed = Math.max(this.#replayed, lastSeq);
    this.#countStrangers();
    this.trim();
  }

  /**
   * The store holds no more than this, whatever it has accepted.
   *
   * @returns whether something newer than that, and older than `before`, is here to be sent again
   */
  rewind(lastHeld: number, before: number): boolean {
    const some = this.#all.some(
      ({ firstSeq, lastSeq, dropping }) => !dropping && lastSeq > lastHeld && firstSeq < before,
    );
    if (some) this.#replayed = Math.min(this.#replayed, lastHeld);
    return some;
  }

  /** Removes what the store has accepted, as far as it need not be kept. */
  trim(): void {
    const { bounds, clock } = this.#options;
    const { keep } = bounds;
    const oldestMs = clock.wallMs() - keep.ms;
    let over = this.bytes - this.waitingBytes - keep.bytes;
    for (const segment of this.#all) {
      if (segment.lastSeq > this.#replayed) return;
      if (over <= 0 && keep.bytes > 0 && segment.writtenMs >= oldestMs) return;
      over -= segment.bytes;
      this.drop(segment);
    }
  }

  /** What is only kept goes first. Throws `AuditUnavailable`. */
  makeRoom(bytes: number): void {
    const { maxBytes } = this.#options.bounds;
    let over = this.bytes + bytes - maxBytes;
    for (const segment of this.#all) {
      if (over <= 0 || segment.lastSeq > this.#replayed) break;
      over -= segment.bytes;
      this.drop(segment);
    }
    if (over > 0)
      throw new AuditUnavailable(
        `the spool is full (audit.spool.maxBytes, ${maxBytes} bytes for this process)`,
      );
  }

  drop(segment: Segment): void {
    const { files, letGo } = this.#options;
    if (segment.dropping) return;
    if (segment === this.#all.at(-1) && !letGo()) return;
    segment.dropping = true;
    const { path, isSetAside } = segment;
    const gone = () => void this.#all.splice(this.#all.indexOf(segment), 1);
    (isSetAside ? files.setAside(path) : unlink(path)).then(
      gone,
      (fault: NodeJS.ErrnoException) => {
        // What cannot be removed counts on, and is tried again.
        segment.dropping = false;
        if (fault.code === 'ENOENT') gone();
      },
    );
  }

  #countStrangers(): void {
    const bytes = this.#waiting.reduce((sum, { strangerBytes }) => sum + strangerBytes, 0);
    this.#strangersFull = bytes >= STRANGERS_SHARE * this.#options.bounds.maxBytes;
  }
}

/** Which part of a batch is of events without an account. */
function strangersIn({ count, marks }: EventBatch): number {
  let strangers = 0;
  for (let at = 0; at < count; at += 1) if (marks.readUInt16BE(2 * at) === 0) strangers += 1;
  return strangers / count;
}

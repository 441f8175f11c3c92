import type { EventBatch } from '../batch.ts';
import { lastSeqOf, merged } from './merge.ts';
import { SegmentReader } from './segment.ts';
import { readFault } from './unreadable.ts';

/** A file of records. The later one has the higher number. */
export interface ReadableSegment {
  readonly number: number;
  readonly path: string;
  /** How far it is whole. */
  readonly bytes: number;
  /** Of the last event in it, where that is known. */
  readonly lastSeq: number | null;
  /** It could not be read for long: what still cannot is passed over. */
  readonly isSetAside: boolean;
}

/** Sent to the store at once: enough to catch up, and done in a few milliseconds. */
const AT_ONCE = { events: 500, bytes: 512 * 1024 } as const;

/**
 * Reads a spool from its oldest record on, in batches that are larger than those that were written:
 * many small appends would never catch up.
 */
export class SpoolReader {
  readonly #segments: () => readonly ReadableSegment[];
  readonly #wasRead: (path: string) => void;
  #open: { readonly segment: ReadableSegment; readonly reader: SegmentReader } | null = null;
  /** Of the segment that was read last. */
  #number = -1;
  /** Read, and too much for the batch before. */
  #ahead: EventBatch | null = null;
  #damagedBefore = 0;

  /** @param wasRead told when a record was read of a file */
  constructor(segments: () => readonly ReadableSegment[], wasRead: (path: string) => void) {
    this.#segments = segments;
    this.#wasRead = wasRead;
  }

  /** Bytes that hold no whole record, with whole ones behind them. */
  get damaged(): number {
    return this.#damagedBefore + (this.#open?.reader.damaged ?? 0);
  }

  /**
   * What follows the event of this number; null: nothing, as of now. Throws `SegmentUnreadable`,
   * and what the file system says.
   */
  async next(after: number): Promise<EventBatch | null> {
    const batches: EventBatch[] = [];
    let events = 0;
    let bytes = 0;
    let end = after;
    for (;;) {
      const batch = await this.#taken(after, batches.length > 0);
      if (batch === null) break;
      if (lastSeqOf(batch) <= end) continue;
      events += batch.count;
      bytes += batch.lines.length;
      const fits = events <= AT_ONCE.events && bytes <= AT_ONCE.bytes;
      if (batches.length > 0 && !(fits && batch.firstSeq === end + 1)) {
        this.#ahead = batch;
        break;
      }
      batches.push(batch);
      end = lastSeqOf(batch);
    }
    return batches.length === 0 ? null : merged(batches);
  }

  /** @param isMore something was read before: that must not be lost for what comes next */
  async #taken(after: number, isMore: boolean): Promise<EventBatch | null> {
    const ahead = this.#ahead;
    this.#ahead = null;
    try {
      return ahead ?? (await this.#record(after));
    } catch (fault) {
      if (isMore) return null;
      throw fault;
    }
  }

  /** Whether anything follows the event of this number, as of now. */
  async isReadable(after: number): Promise<boolean> {
    for (; this.#ahead === null || lastSeqOf(this.#ahead) <= after; ) {
      this.#ahead = await this.#record(after);
      if (this.#ahead === null) return false;
    }
    return true;
  }

  /** Lets go of a segment that is removed: an open file takes its room on the disk. */
  leave(segment: number): void {
    if (this.#open?.segment.number === segment) void this.close().catch(() => {});
  }

  /** Begins again with the oldest record. */
  async restart(): Promise<void> {
    this.#ahead = null;
    this.#number = -1;
    await this.close();
  }

  async close(): Promise<void> {
    const open = this.#open;
    this.#open = null;
    if (open === null) return;
    this.#damagedBefore += open.reader.damaged;
    await open.reader.close();
  }

  async #record(after: number): Promise<EventBatch | null> {
    for (;;) {
      const current = this.#open;
      if (current !== null) {
        const { number } = current.segment;
        const size = this.#sizeOf(number);
        const batch = await this.#recordIn(current.segment, current.reader, size);
        if (batch !== null) {
          if (!current.segment.isSetAside) this.#wasRead(current.segment.path);
          return batch;
        }
        // Something was added to it meanwhile.
        if (this.#sizeOf(number) !== size) continue;
      }
      const next = this.#segments().find(
        ({ number, lastSeq }) => number > this.#number && (lastSeq === null || lastSeq > after),
      );
      // The last one may grow: it stays open until another one follows.
      if (next === undefined) return null;
      await this.close();
      const reader = await openedUnlessGone(next);
      if (reader === null) this.#damagedBefore += next.bytes;
      else this.#open = { segment: next, reader };
      this.#number = next.number;
    }
  }

  /**
   * A file that cannot be read is opened anew when it is tried again: another may be there then.
   */
  async #recordIn(
    { path, number }: ReadableSegment,
    reader: SegmentReader,
    size: number,
  ): Promise<EventBatch | null> {
    try {
      return await reader.next(size);
    } catch (fault) {
      await this.close();
      this.#number = number - 1;
      throw readFault(path, fault);
    }
  }

  #sizeOf(segment: number): number {
    return this.#segments().find(({ number }) => number === segment)?.bytes ?? 0;
  }
}

/** Null: somebody has removed it. It must not hold up what was written after it. */
async function openedUnlessGone(segment: ReadableSegment): Promise<SegmentReader | null> {
  const { path, isSetAside } = segment;
  try {
    return await SegmentReader.open(path, isSetAside);
  } catch (fault) {
    if (isSetAside || (fault as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw readFault(path, fault);
  }
}

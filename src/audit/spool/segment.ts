import { type FileHandle, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { EventBatch } from '../batch.ts';
import { MAGIC_REST, nextMagic, recordAt, type WrittenRecord } from './record.ts';

/** Read at once; a longer record takes as much as it needs. */
const CHUNK_BYTES = 1024 * 1024;
const NONE = Buffer.alloc(0);
/** What is lost with a place of the disk that cannot be read. */
const PAGE_BYTES = 4096;
/** A disk takes seconds to say that it cannot read a page: after so many, the rest is given up. */
const BAD_PAGES = 64;

/** The end of a segment that is being written. All work is done off the event loop. */
export class SegmentWriter {
  readonly #file: FileHandle;
  /** Of whole records that are on disk. */
  bytes = 0;

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  /** Throws what the file system says. */
  static async create(path: string): Promise<SegmentWriter> {
    const file = await open(path, 'ax', 0o600);
    try {
      await syncFolder(dirname(path));
    } catch (fault) {
      await file.close();
      throw fault;
    }
    return new SegmentWriter(file);
  }

  /**
   * Resolves once the record survives a power cut. When it throws, the segment is over: what a
   * failed fsync has left in memory may never reach the disk, so nothing is added behind it.
   */
  async append({ parts, bytes }: WrittenRecord): Promise<void> {
    let at = this.bytes;
    for (const part of parts)
      for (let from = 0; from < part.length; ) {
        const { bytesWritten } = await this.#file.write(part, from, part.length - from, at);
        from += bytesWritten;
        at += bytesWritten;
      }
    await this.#file.datasync();
    this.bytes += bytes;
  }

  /** Cuts off what is not whole, as far as the disk lets us. */
  async abandon(): Promise<void> {
    await this.#file.truncate(this.bytes).catch(() => {});
    await this.close();
  }

  async close(): Promise<void> {
    await this.#file.close().catch(() => {});
  }
}

/** So that the file is still there after a power cut, and not only what is in it. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Reads the records of one segment in order, in constant memory. */
export class SegmentReader {
  readonly #file: FileHandle;
  /** Read, and from where in the file. */
  #bytes: Buffer = NONE;
  #from = 0;
  /** The next record begins here, in `#bytes`. */
  #at = 0;
  /** Bytes that were passed over because no whole record was found in them. */
  damaged = 0;
  /** What cannot be read counts as damaged; else the fault is thrown. */
  readonly #salvages: boolean;
  #badPages = 0;

  private constructor(file: FileHandle, salvages: boolean) {
    this.#file = file;
    this.#salvages = salvages;
  }

  static async open(path: string, salvages = false): Promise<SegmentReader> {
    return new SegmentReader(await open(path, 'r'), salvages);
  }

  /**
   * The next record; null: no whole one follows.
   *
   * @param size how far the segment is whole; what is written behind that is not looked at
   */
  async next(size: number): Promise<EventBatch | null> {
    for (;;) {
      const found = recordAt(this.#bytes, this.#at);
      if (found.is === 'record') {
        this.#at += found.bytes;
        return found.batch;
      }
      if (found.is === 'short' && (await this.#more(found.bytes, size))) continue;
      if (this.#from + this.#at >= size) return null;
      if (!(await this.#skip(size))) return null;
    }
  }

  async close(): Promise<void> {
    this.#bytes = NONE;
    await this.#file.close();
  }

  /** Has at least so many bytes in memory from the present place on. False: there are not. */
  async #more(bytes: number, size: number): Promise<boolean> {
    const from = this.#from + this.#at;
    if (from + bytes > size) return false;
    const length = Math.min(Math.max(bytes, CHUNK_BYTES), size - from);
    // New memory: views of the former one are still in use.
    const memory = Buffer.allocUnsafeSlow(length);
    let read = 0;
    while (read < length) {
      const bytesRead = await this.#readInto(memory, read, length - read, from + read);
      if (bytesRead === 0) break;
      read += bytesRead;
    }
    this.#bytes = memory.subarray(0, read);
    this.#from = from;
    this.#at = 0;
    return read >= bytes;
  }

  /** Around what cannot be read, in ever smaller pieces; a page of it is nothing but zeros. */
  async #readInto(memory: Buffer, at: number, length: number, place: number): Promise<number> {
    try {
      return (await this.#file.read(memory, at, length, place)).bytesRead;
    } catch (fault) {
      if (!this.#salvages) throw fault;
    }
    if (this.#badPages >= BAD_PAGES) return 0;
    if (length > PAGE_BYTES) return this.#readInto(memory, at, pagesOf(length / 2), place);
    this.#badPages += 1;
    memory.fill(0, at, at + length);
    return length;
  }

  /** Goes to where a record may begin again. False: nowhere; the rest is a torn tail. */
  async #skip(size: number): Promise<boolean> {
    const place = this.#from + this.#at;
    for (;;) {
      const next = nextMagic(this.#bytes, this.#at);
      if (next !== -1) {
        this.damaged += this.#from + next - place;
        this.#at = next;
        return true;
      }
      if (this.#from + this.#bytes.length >= size) {
        this.#at = this.#bytes.length;
        return false;
      }
      this.#at = Math.max(this.#at + 1, this.#bytes.length - MAGIC_REST);
      const left = size - this.#from - this.#at;
      if (!(await this.#more(Math.min(CHUNK_BYTES, left), size))) return false;
      // What was kept of the chunk before may begin right here.
      this.#at = -1;
    }
  }
}

function pagesOf(bytes: number): number {
  return Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES;
}

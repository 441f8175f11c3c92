import { readdirSync, statSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { EventBatch } from '../batch.ts';
import { SEGMENT_NAME } from './folder.ts';
import { type ReadableSegment, SpoolReader } from './reader.ts';
import { SegmentUnreadable, type UnreadableFiles } from './unreadable.ts';

/** The spool of an instance that is gone, for whoever has its lock. */
export class LeftFolder {
  readonly instance: string;
  readonly bytes: number;
  readonly #path: string;
  /** When anything was written to it last, in ms since 1970; 0 = nothing was. */
  readonly writtenMs: number;
  readonly #files: UnreadableFiles;
  readonly #segments: LeftSegment[];
  readonly #reader: SpoolReader;

  /** Throws what the file system says. */
  constructor(root: string, instance: string, files: UnreadableFiles) {
    this.instance = instance;
    this.#path = join(root, instance);
    this.#files = files;
    this.#segments = segmentsIn(this.#path);
    this.bytes = this.#segments.reduce((sum, { bytes }) => sum + bytes, 0);
    this.writtenMs = this.#segments.reduce((last, one) => Math.max(last, one.writtenMs), 0);
    this.#reader = new SpoolReader(
      () => this.#segments,
      (path) => files.wasRead(path),
    );
  }

  /** So many files could not be read, or not all of them. */
  get unreadable(): number {
    return this.#segments.filter(({ isSetAside }) => isSetAside).length;
  }

  /** Bytes that hold no whole record, with whole ones behind them. */
  get damaged(): number {
    return this.#reader.damaged;
  }

  /** What follows the event of this number; null: nothing. Throws as `SpoolFolder.next` does. */
  async next(after: number): Promise<EventBatch | null> {
    for (;;)
      try {
        return await this.#reader.next(after);
      } catch (fault) {
        if (!(fault instanceof SegmentUnreadable) || !this.#files.failed(fault)) throw fault;
        for (const segment of this.#segments)
          if (segment.path === fault.path) segment.isSetAside = true;
        await this.#reader.restart();
      }
  }

  async close(): Promise<void> {
    await this.#reader.close();
  }

  /** All that could be read is in the store. Throws what the file system says. */
  async remove(): Promise<void> {
    for (const { path, isSetAside } of this.#segments)
      if (isSetAside) await this.#files.setAside(path);
    await rm(this.#path, { recursive: true, force: true });
  }
}

interface LeftSegment extends ReadableSegment {
  isSetAside: boolean;
  readonly writtenMs: number;
}

/** The segments of a folder, oldest first, as they are now. Throws what the file system says. */
function segmentsIn(path: string): LeftSegment[] {
  return readdirSync(path)
    .filter((name) => SEGMENT_NAME.test(name))
    .sort()
    .map((name) => {
      const { size, mtimeMs } = statSync(join(path, name));
      return {
        number: Number(SEGMENT_NAME.exec(name)?.[1]),
        path: join(path, name),
        bytes: size,
        lastSeq: null,
        isSetAside: false,
        writtenMs: mtimeMs,
      };
    });
}

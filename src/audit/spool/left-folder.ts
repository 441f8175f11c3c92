import { readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { EventBatch } from '../batch.ts';
import { SEGMENT_NAME } from './folder.ts';
import { type ReadableSegment, SpoolReader } from './reader.ts';

/** The spool of an instance that is gone, for whoever has its lock. */
export class LeftFolder {
  readonly instance: string;
  readonly bytes: number;
  readonly #path: string;
  readonly #reader: SpoolReader;

  /** Throws what the file system says. */
  constructor(root: string, instance: string) {
    this.instance = instance;
    this.#path = join(root, instance);
    const segments = segmentsIn(this.#path);
    this.bytes = segments.reduce((sum, { bytes }) => sum + bytes, 0);
    this.#reader = new SpoolReader(() => segments);
  }

  /** Bytes that hold no whole record, with whole ones behind them. */
  get damaged(): number {
    return this.#reader.damaged;
  }

  /** What follows the event of this number; null: nothing. */
  next(after: number): Promise<EventBatch | null> {
    return this.#reader.next(after);
  }

  async close(): Promise<void> {
    await this.#reader.close();
  }

  remove(): void {
    rmSync(this.#path, { recursive: true, force: true });
  }
}

/** The segments of a folder, oldest first, as they are now. Throws what the file system says. */
function segmentsIn(path: string): readonly ReadableSegment[] {
  return readdirSync(path)
    .filter((name) => SEGMENT_NAME.test(name))
    .sort()
    .map((name) => ({
      number: Number(SEGMENT_NAME.exec(name)?.[1]),
      path: join(path, name),
      bytes: statSync(join(path, name)).size,
      lastSeq: null,
    }));
}

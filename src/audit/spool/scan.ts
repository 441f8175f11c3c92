import { type Dirent, readdirSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { AuditScan } from '../port.ts';
import { SEGMENT_NAME } from './folder.ts';
import { SegmentReader } from './segment.ts';

/** What an event takes in a segment, about: for a progress bar. */
const EVENT_BYTES = 500;

export interface SpoolScan {
  readonly record: AuditScan;
  /** Bytes that were passed over because no whole record was found in them. */
  readonly damaged: number;
  close(): Promise<void>;
}

/**
 * Reads the spools of a data folder, of its folder `spool`, of one instance, or one segment, and
 * changes nothing: whoever writes there goes on. What comes after a segment was opened is not read,
 * and what is removed meanwhile is passed over. Null: there is no spool.
 */
export function scanSpool(path: string): SpoolScan | null {
  const segments = segmentsOf(path);
  return segments === null ? null : new SegmentsScan(segments);
}

class SegmentsScan implements SpoolScan {
  readonly #segments: readonly string[];
  #next = 0;
  #open: { readonly reader: SegmentReader; readonly size: number } | null = null;
  #damaged = 0;

  constructor(segments: readonly string[]) {
    this.#segments = segments;
  }

  get damaged(): number {
    return this.#damaged + (this.#open?.reader.damaged ?? 0);
  }

  /** A page is what was written together. */
  readonly record: AuditScan = {
    scan: async () => {
      const events = await this.#events();
      return { events: events ?? [], next: '', isEnd: events === null };
    },
    size: async () =>
      Math.round(this.#segments.reduce((sum, path) => sum + sizeOf(path), 0) / EVENT_BYTES),
    heads: async () => [],
    keys: async () => [],
    anchors: async () => [],
  };

  async close(): Promise<void> {
    const open = this.#open;
    this.#open = null;
    if (open === null) return;
    this.#damaged += open.reader.damaged;
    await open.reader.close();
  }

  async #events(): Promise<readonly string[] | null> {
    for (;;) {
      const batch = (await this.#open?.reader.next(this.#open.size)) ?? null;
      if (batch !== null) return batch.lines.toString().split('\n').slice(0, -1);
      await this.close();
      const path = this.#segments[this.#next];
      if (path === undefined) return null;
      this.#next += 1;
      const reader = await unlessGone(SegmentReader.open(path));
      if (reader !== null) this.#open = { reader, size: sizeOf(path) };
    }
  }
}

/** Of each instance oldest first. */
function segmentsOf(path: string): readonly string[] | null {
  if (!statSync(path).isDirectory()) return SEGMENT_NAME.test(basename(path)) ? [path] : null;
  const entries = readdirSync(path, { withFileTypes: true });
  const own = segmentsIn(path, entries);
  if (own.length > 0) return own;
  if (entries.some((one) => one.isDirectory() && one.name === 'spool'))
    return segmentsOf(join(path, 'spool')) ?? [];
  const folders = entries.filter((one) => one.isDirectory()).map(({ name }) => join(path, name));
  const all = folders.flatMap((folder) => segmentsIn(folder, entriesOf(folder)));
  return all.length > 0 || basename(path) === 'spool' ? all : null;
}

function segmentsIn(folder: string, entries: readonly Dirent[]): readonly string[] {
  const names = entries.filter((one) => one.isFile() && SEGMENT_NAME.test(one.name));
  return names.map(({ name }) => join(folder, name)).sort();
}

function entriesOf(folder: string): readonly Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch (fault) {
    if (isGone(fault)) return [];
    throw fault;
  }
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

async function unlessGone<T>(work: Promise<T>): Promise<T | null> {
  try {
    return await work;
  } catch (fault) {
    if (isGone(fault)) return null;
    throw fault;
  }
}

function isGone(fault: unknown): boolean {
  return (fault as NodeJS.ErrnoException).code === 'ENOENT';
}

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../clock.ts';
import type { FolderLock } from '../../store/folder-lock.ts';
import type { EventBatch } from '../batch.ts';
import { AuditUnavailable } from '../port.ts';
import { madeAndLocked } from './made-folder.ts';
import { lastSeqOf } from './merge.ts';
import { SpoolReader } from './reader.ts';
import { recordOf } from './record.ts';
import { SegmentWriter } from './segment.ts';
import { type Segment, Segments, type SpoolBounds } from './segments.ts';
import { SegmentUnreadable, type UnreadableFiles } from './unreadable.ts';

export const SEGMENT_NAME = /^(\d{8})\.spool$/;
const LARGEST_SEGMENT = 4 * 1024 * 1024;
const SMALLEST_SEGMENT = 64 * 1024;
const SEGMENTS_AT_LEAST = 16;
/** Places where events were lost here that are remembered. */
const HOLES_KNOWN = 100;

/**
 * The spool of one instance while it runs: a folder of segments, written at the end and read from
 * the oldest. One record is written at a time. It is locked for as long as this process lives.
 */
export class SpoolFolder {
  readonly path: string;
  #lock: FolderLock;
  readonly #segmentBytes: number;
  readonly #segments: Segments;
  readonly #files: UnreadableFiles;
  readonly #reader: SpoolReader;
  /** Numbers of events that were written, and cannot be read any more. */
  readonly #holes: { readonly firstSeq: number; readonly lastSeq: number }[] = [];
  #writer: SegmentWriter | null = null;
  #writing: Promise<void> | null = null;
  #nextNumber = 1;

  private constructor(
    path: string,
    lock: FolderLock,
    bounds: SpoolBounds,
    clock: Clock,
    files: UnreadableFiles,
  ) {
    this.path = path;
    this.#lock = lock;
    this.#files = files;
    this.#segments = new Segments({ bounds, clock, files, letGo: () => this.#letGo() });
    this.#reader = new SpoolReader(
      () => this.#segments.all,
      (read) => files.wasRead(read),
    );
    this.#segmentBytes = Math.min(
      LARGEST_SEGMENT,
      Math.max(SMALLEST_SEGMENT, Math.floor(bounds.maxBytes / SEGMENTS_AT_LEAST)),
    );
  }

  /**
   * Made beside its place and moved there once it is locked, so that nobody finds it unlocked.
   * Throws what the file system says, and `AuditUnavailable`.
   */
  static create(
    root: string,
    instance: string,
    bounds: SpoolBounds,
    clock: Clock,
    files: UnreadableFiles,
  ): SpoolFolder {
    const path = join(root, instance);
    return new SpoolFolder(path, madeAndLocked(path), bounds, clock, files);
  }

  /** On disk. */
  get bytes(): number {
    return this.#segments.bytes;
  }

  /** Of segments that hold something which the store has not accepted. */
  get waitingBytes(): number {
    return this.#segments.waitingBytes;
  }

  /** Everything that was written is in the store, and nothing is being written. */
  get isCaughtUp(): boolean {
    return this.#writing === null && this.written <= this.#segments.replayed;
  }

  /** Events without an account have used up their part. */
  get strangersFull(): boolean {
    return this.#segments.strangersFull;
  }

  get damaged(): number {
    return this.#reader.damaged;
  }

  /**
   * Resolves once the batch survives a power cut. One that is written already is not written again.
   * Throws `AuditUnavailable`.
   */
  write(batch: EventBatch): Promise<void> {
    return this.#alone(async () => {
      if (lastSeqOf(batch) > this.written) await this.#append(batch);
    });
  }

  /** Whether there is room for a batch, and a file for it. Throws `AuditUnavailable`. */
  probe(): Promise<void> {
    return this.#alone(async () => {
      this.#segments.makeRoom(1);
      if (this.#writer === null) await this.#begin();
    });
  }

  /**
   * The oldest events that the store has not accepted; null: there are none, as of now. Throws
   * `SegmentUnreadable` for as long as a file that cannot be read is waited for, and what the file
   * system says.
   */
  async next(): Promise<EventBatch | null> {
    for (;;)
      try {
        return await this.#reader.next(this.#segments.replayed);
      } catch (fault) {
        if (!(fault instanceof SegmentUnreadable) || !this.#files.failed(fault)) throw fault;
        await this.#goPast(fault.path);
      }
  }

  /** The store has accepted everything up to this number. */
  accepted(lastSeq: number): void {
    this.#segments.accepted(lastSeq);
    // Nobody reads now: this comes from who does, or from who writes past it.
    for (const { dropping, number } of this.#segments.all) if (dropping) this.#reader.leave(number);
  }

  get isBeingWritten(): boolean {
    return this.#writing !== null;
  }

  /** The number of the last event that was written. */
  get written(): number {
    return this.#segments.written;
  }

  /**
   * Begins with the oldest again. When nothing can be read of what the store has not accepted, that
   * is lost.
   *
   * @returns whether it is
   */
  async givesUp(): Promise<boolean> {
    await this.#reader.restart();
    const { replayed, written } = this.#segments;
    if (await this.#reader.isReadable(replayed)) return false;
    this.#noteHole({ firstSeq: replayed + 1, lastSeq: written });
    this.accepted(written);
    return true;
  }

  /** Some of these events were written here, and could not be read any more. */
  hasLost(firstSeq: number, lastSeq: number): boolean {
    return this.#holes.some((hole) => hole.firstSeq <= lastSeq && hole.lastSeq >= firstSeq);
  }

  /** Resolves when nothing is being written. */
  async settled(): Promise<void> {
    await this.#writing?.catch(() => {});
  }

  /**
   * The store holds no more than this, whatever it has accepted.
   *
   * @returns whether something newer than that, and older than `before`, is here to be sent again
   */
  async rewind(lastHeld: number, before: number): Promise<boolean> {
    if (!this.#segments.rewind(lastHeld, before)) return false;
    await this.#reader.restart();
    return true;
  }

  /** Removes what the store has accepted, as far as it need not be kept. */
  trim(): void {
    this.#segments.trim();
  }

  /** Ends the use of the folder, which goes if it is empty. */
  async close(): Promise<void> {
    await this.settled();
    await this.#endWriter();
    await this.#reader.close();
    for (const segment of this.#segments.all) if (segment.bytes === 0) this.#segments.drop(segment);
    if (this.bytes === 0) rmSync(this.path, { recursive: true, force: true });
    this.#lock.release();
  }

  /** What cannot be read of a file holds up the others no more. What comes begins another one. */
  async #goPast(path: string): Promise<void> {
    const segment = this.#segments.all.find((one) => one.path === path);
    if (segment !== undefined) {
      if (segment === this.#segments.all.at(-1)) await this.#alone(() => this.#endWriter());
      segment.isSetAside = true;
      this.#noteHole(segment);
    }
    await this.#reader.restart();
  }

  #noteHole({ firstSeq, lastSeq }: Pick<Segment, 'firstSeq' | 'lastSeq'>): void {
    this.#holes.push({ firstSeq, lastSeq });
    if (this.#holes.length > HOLES_KNOWN) this.#holes.shift();
  }

  async #endWriter(): Promise<void> {
    const writer = this.#writer;
    this.#writer = null;
    await writer?.close();
  }

  /** One at a time. What fails ends the segment. */
  async #alone(work: () => Promise<void>): Promise<void> {
    while (this.#writing !== null) await this.#writing.catch(() => {});
    this.#writing = work()
      .catch(async (fault) => {
        await this.#abandon();
        throw unwritable(this.path, fault);
      })
      .finally(() => {
        this.#writing = null;
      });
    await this.#writing;
  }

  async #append(batch: EventBatch): Promise<void> {
    const record = recordOf(batch);
    this.#segments.makeRoom(record.bytes);
    if (this.#writer === null || this.#writer.bytes >= this.#segmentBytes) await this.#begin();
    await this.#writer?.append(record);
    this.#segments.note(batch, record.bytes);
  }

  async #abandon(): Promise<void> {
    const writer = this.#writer;
    this.#writer = null;
    await writer?.abandon();
    const segment = this.#segments.all.at(-1);
    if (writer !== null && segment?.bytes === 0) this.#segments.drop(segment);
  }

  async #begin(): Promise<void> {
    await this.#endWriter();
    const number = this.#nextNumber;
    this.#nextNumber += 1;
    const path = join(this.path, `${String(number).padStart(8, '0')}.spool`);
    this.#writer = await SegmentWriter.create(path).catch((fault) =>
      this.#createAgain(path, fault),
    );
    this.#segments.begin(number, path);
  }

  /** Somebody has removed the folder: what was in it is lost, and what comes need not be. */
  #createAgain(path: string, fault: NodeJS.ErrnoException): Promise<SegmentWriter> {
    if (fault.code !== 'ENOENT') throw fault;
    const lock = madeAndLocked(this.path);
    this.#lock.release();
    this.#lock = lock;
    return SegmentWriter.create(path);
  }

  /** The newest file is to go; false: it is being written. */
  #letGo(): boolean {
    if (this.#writer === null) return true;
    if (this.#writing !== null) return false;
    void this.#writer.close();
    this.#writer = null;
    return true;
  }
}

function unwritable(path: string, fault: unknown): AuditUnavailable {
  if (fault instanceof AuditUnavailable) return fault;
  const code = (fault as NodeJS.ErrnoException).code ?? String(fault);
  return new AuditUnavailable(`the spool ${path} cannot be written (${code})`, { cause: fault });
}

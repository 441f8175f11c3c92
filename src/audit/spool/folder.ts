import { mkdirSync, renameSync, rmSync } from 'node:fs';
import { unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Clock } from '../../clock.ts';
import { type FolderLock, lockFolder } from '../../store/folder-lock.ts';
import type { EventBatch } from '../batch.ts';
import { AuditUnavailable } from '../port.ts';
import { lastSeqOf } from './merge.ts';
import { SpoolReader } from './reader.ts';
import { recordOf } from './record.ts';
import { SegmentWriter } from './segment.ts';
import { SegmentUnreadable, type UnreadableFiles } from './unreadable.ts';

export interface SpoolBounds {
  /** On disk, of this instance. */
  readonly maxBytes: number;
  /** What the store has accepted stays for so long, to be sent again should it lose that. */
  readonly keep: { readonly bytes: number; readonly ms: number };
}

interface Segment {
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

export const SEGMENT_NAME = /^(\d{8})\.spool$/;
const LARGEST_SEGMENT = 4 * 1024 * 1024;
const SMALLEST_SEGMENT = 64 * 1024;
const SEGMENTS_AT_LEAST = 16;
/** What events without an account may take of the whole. */
const STRANGERS_SHARE = 0.25;
/** Places where events were lost here that are remembered. */
const HOLES_KNOWN = 100;

/**
 * The spool of one instance while it runs: a folder of segments, written at the end and read from
 * the oldest. One record is written at a time. It is locked for as long as this process lives.
 */
export class SpoolFolder {
  readonly path: string;
  readonly #bounds: SpoolBounds;
  readonly #clock: Clock;
  #lock: FolderLock;
  readonly #segmentBytes: number;
  readonly #segments: Segment[] = [];
  readonly #files: UnreadableFiles;
  readonly #reader: SpoolReader;
  /** Numbers of events that were written, and cannot be read any more. */
  readonly #holes: { readonly firstSeq: number; readonly lastSeq: number }[] = [];
  #writer: SegmentWriter | null = null;
  #writing: Promise<void> | null = null;
  #nextNumber = 1;
  #written = 0;
  #replayed = 0;
  #strangersFull = false;

  private constructor(
    path: string,
    lock: FolderLock,
    bounds: SpoolBounds,
    clock: Clock,
    files: UnreadableFiles,
  ) {
    this.path = path;
    this.#lock = lock;
    this.#bounds = bounds;
    this.#clock = clock;
    this.#files = files;
    this.#reader = new SpoolReader(
      () => this.#segments,
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
    return this.#segments.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Of segments that hold something which the store has not accepted. */
  get waitingBytes(): number {
    return this.#waiting.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  get #waiting(): readonly Segment[] {
    return this.#segments.filter(({ lastSeq }) => lastSeq > this.#replayed);
  }

  /** Everything that was written is in the store, and nothing is being written. */
  get isCaughtUp(): boolean {
    return this.#writing === null && this.#written <= this.#replayed;
  }

  /** Events without an account have used up their part. */
  get strangersFull(): boolean {
    return this.#strangersFull;
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
      if (lastSeqOf(batch) > this.#written) await this.#append(batch);
    });
  }

  /** Whether there is room for a batch, and a file for it. Throws `AuditUnavailable`. */
  probe(): Promise<void> {
    return this.#alone(async () => {
      this.#makeRoom(1);
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
        return await this.#reader.next(this.#replayed);
      } catch (fault) {
        if (!(fault instanceof SegmentUnreadable) || !this.#files.failed(fault)) throw fault;
        await this.#goPast(fault.path);
      }
  }

  /** The store has accepted everything up to this number. */
  accepted(lastSeq: number): void {
    this.#replayed = Math.max(this.#replayed, lastSeq);
    this.#countStrangers();
    this.trim();
    // Nobody reads now: this comes from who does, or from who writes past it.
    for (const { dropping, number } of this.#segments) if (dropping) this.#reader.leave(number);
  }

  get isBeingWritten(): boolean {
    return this.#writing !== null;
  }

  /** The number of the last event that was written. */
  get written(): number {
    return this.#written;
  }

  /**
   * Begins with the oldest again. When nothing can be read of what the store has not accepted, that
   * is lost.
   *
   * @returns whether it is
   */
  async givesUp(): Promise<boolean> {
    await this.#reader.restart();
    if (await this.#reader.isReadable(this.#replayed)) return false;
    this.#noteHole({ firstSeq: this.#replayed + 1, lastSeq: this.#written });
    this.accepted(this.#written);
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
    const some = this.#segments.some(
      ({ firstSeq, lastSeq, dropping }) => !dropping && lastSeq > lastHeld && firstSeq < before,
    );
    if (!some) return false;
    this.#replayed = Math.min(this.#replayed, lastHeld);
    await this.#reader.restart();
    return true;
  }

  /** Removes what the store has accepted, as far as it need not be kept. */
  trim(): void {
    const { keep } = this.#bounds;
    const oldestMs = this.#clock.wallMs() - keep.ms;
    let over = this.bytes - this.waitingBytes - keep.bytes;
    for (const segment of this.#segments) {
      if (segment.lastSeq > this.#replayed) return;
      if (over <= 0 && keep.bytes > 0 && segment.writtenMs >= oldestMs) return;
      over -= segment.bytes;
      this.#drop(segment);
    }
  }

  /** Ends the use of the folder, which goes if it is empty. */
  async close(): Promise<void> {
    await this.settled();
    await this.#endWriter();
    await this.#reader.close();
    for (const segment of this.#segments) if (segment.bytes === 0) this.#drop(segment);
    if (this.bytes === 0) rmSync(this.path, { recursive: true, force: true });
    this.#lock.release();
  }

  /** What cannot be read of a file holds up the others no more. What comes begins another one. */
  async #goPast(path: string): Promise<void> {
    const segment = this.#segments.find((one) => one.path === path);
    if (segment !== undefined) {
      if (segment === this.#segments.at(-1)) await this.#alone(() => this.#endWriter());
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
    this.#makeRoom(record.bytes);
    if (this.#writer === null || this.#writer.bytes >= this.#segmentBytes) await this.#begin();
    await this.#writer?.append(record);
    this.#note(batch, record.bytes);
  }

  async #abandon(): Promise<void> {
    const writer = this.#writer;
    this.#writer = null;
    await writer?.abandon();
    const segment = this.#segments.at(-1);
    if (writer !== null && segment?.bytes === 0) this.#drop(segment);
  }

  async #begin(): Promise<void> {
    await this.#endWriter();
    const number = this.#nextNumber;
    this.#nextNumber += 1;
    const path = join(this.path, `${String(number).padStart(8, '0')}.spool`);
    this.#writer = await SegmentWriter.create(path).catch((fault) =>
      this.#createAgain(path, fault),
    );
    this.#segments.push({
      number,
      path,
      bytes: 0,
      firstSeq: 0,
      lastSeq: 0,
      strangerBytes: 0,
      writtenMs: this.#clock.wallMs(),
      dropping: false,
      isSetAside: false,
    });
  }

  /** Somebody has removed the folder: what was in it is lost, and what comes need not be. */
  #createAgain(path: string, fault: NodeJS.ErrnoException): Promise<SegmentWriter> {
    if (fault.code !== 'ENOENT') throw fault;
    const lock = madeAndLocked(this.path);
    this.#lock.release();
    this.#lock = lock;
    return SegmentWriter.create(path);
  }

  #note(batch: EventBatch, bytes: number): void {
    const segment = this.#segments.at(-1)!;
    if (segment.bytes === 0) segment.firstSeq = batch.firstSeq;
    segment.bytes += bytes;
    segment.lastSeq = lastSeqOf(batch);
    segment.strangerBytes += bytes * strangersIn(batch);
    segment.writtenMs = this.#clock.wallMs();
    this.#written = segment.lastSeq;
    this.#countStrangers();
  }

  #countStrangers(): void {
    const bytes = this.#waiting.reduce((sum, { strangerBytes }) => sum + strangerBytes, 0);
    this.#strangersFull = bytes >= STRANGERS_SHARE * this.#bounds.maxBytes;
  }

  /** What is only kept goes first. */
  #makeRoom(bytes: number): void {
    let over = this.bytes + bytes - this.#bounds.maxBytes;
    for (const segment of this.#segments) {
      if (over <= 0 || segment.lastSeq > this.#replayed) break;
      over -= segment.bytes;
      this.#drop(segment);
    }
    if (over > 0)
      throw new AuditUnavailable(
        `the spool is full (audit.spool.maxBytes, ${this.#bounds.maxBytes} bytes for this process)`,
      );
  }

  #drop(segment: Segment): void {
    if (segment.dropping) return;
    if (segment === this.#segments.at(-1) && this.#writer !== null) {
      if (this.#writing !== null) return;
      void this.#writer.close();
      this.#writer = null;
    }
    segment.dropping = true;
    const { path, isSetAside } = segment;
    const gone = () => void this.#segments.splice(this.#segments.indexOf(segment), 1);
    (isSetAside ? this.#files.setAside(path) : unlink(path)).then(
      gone,
      (fault: NodeJS.ErrnoException) => {
        // What cannot be removed counts on, and is tried again.
        segment.dropping = false;
        if (fault.code === 'ENOENT') gone();
      },
    );
  }
}

/** Throws what the file system says, and `AuditUnavailable` for a folder that another one has. */
function madeAndLocked(path: string): FolderLock {
  const root = dirname(path);
  mkdirSync(root, { mode: 0o700, recursive: true });
  const beside = join(root, `.${basename(path)}`);
  mkdirSync(beside, { mode: 0o700 });
  let lock: FolderLock | null = null;
  try {
    lock = lockFolder(beside);
    if (lock === null) throw new AuditUnavailable(`${beside} cannot be locked`);
    renameSync(beside, path);
    return lock;
  } catch (fault) {
    lock?.release();
    rmSync(beside, { recursive: true, force: true });
    throw fault;
  }
}

/** Which part of a batch is of events without an account. */
function strangersIn({ count, marks }: EventBatch): number {
  let strangers = 0;
  for (let at = 0; at < count; at += 1) if (marks.readUInt16BE(2 * at) === 0) strangers += 1;
  return strangers / count;
}

function unwritable(path: string, fault: unknown): AuditUnavailable {
  if (fault instanceof AuditUnavailable) return fault;
  const code = (fault as NodeJS.ErrnoException).code ?? String(fault);
  return new AuditUnavailable(`the spool ${path} cannot be written (${code})`, { cause: fault });
}

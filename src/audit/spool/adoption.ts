import { existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '../../clock.ts';
import { lockFolder } from '../../store/folder-lock.ts';
import type { EventBatch } from '../batch.ts';
import { AuditGap, type AuditLog, AuditUnavailable } from '../port.ts';
import { BoundedStore } from './bounded-store.ts';
import { LeftFolder } from './left-folder.ts';
import { lastSeqOf } from './merge.ts';
import { type LostEvents, SPOOL_LIMITS, type SpoolObserver } from './options.ts';
import { SegmentUnreadable, type UnreadableFiles } from './unreadable.ts';

/** What was found in the folder of an instance that is gone. */
export interface Adopted {
  readonly instance: string;
  /** Events that the store did not have. */
  readonly events: number;
  /** Bytes in which no whole record was found. */
  readonly damagedBytes: number;
  /** Files that could not be read, or not all of them. */
  readonly unreadableFiles: number;
}

export interface AdoptionOptions {
  readonly root: string;
  /** This one's folder is not looked at. */
  readonly instance: string;
  readonly store: AuditLog;
  readonly clock: Clock;
  readonly files: UnreadableFiles;
  /**
   * Puts on record that numbers of an instance that is gone are lost, before the store goes on
   * without them: else a crash in between would leave a hole that nothing tells of. Throws
   * `AuditUnavailable`.
   */
  readonly declare: (lost: LostEvents) => Promise<void>;
  readonly observer: Pick<SpoolObserver, 'replayed' | 'lost'> & {
    adopted(adopted: Adopted): void;
    /** Told once of each folder (`null`: of the store), until it is possible again. */
    failed(fault: unknown, instance: string | null): void;
  };
  /** Between two looks, in ms. */
  readonly lookMs?: number;
}

const LOOK_MS = 10_000;
/** While it is replayed, its instance counts as living for so long, told so often. */
const ALIVE = { forMs: 10_000, everyMs: 2_000 } as const;
/** Folders that were never finished, and are older than this, go. */
const UNFINISHED_MS = 3_600_000;

/**
 * Brings into the store what instances left in this folder that ended before they could: those
 * before a restart, workers that died beside this one, and whoever had this volume before. A folder
 * is taken by its lock, which the system frees when its process ends.
 */
export class Adoption {
  readonly #options: AdoptionOptions;
  readonly #store: BoundedStore;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  #folder: LeftFolder | null = null;
  /** Of which it was told that they cannot be adopted; null: the store does not answer. */
  readonly #faulty = new Set<string | null>();
  /** The last loss that is on record, while the store may not have gone past it. */
  #declared = '';

  constructor(options: AdoptionOptions) {
    this.#options = options;
    this.#store = new BoundedStore(options.store, 3 * SPOOL_LIMITS.deadlineMs);
    this.#running = this.#run();
  }

  /** Of the folder that is being replayed. */
  get bytes(): number {
    return this.#folder?.bytes ?? 0;
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { lookMs = LOOK_MS } = this.#options;
    do {
      try {
        await this.#look();
        this.#faulty.delete(null);
      } catch (fault) {
        this.#failed(null, fault);
      }
    } while (await this.#pause(lookMs));
  }

  /** A folder that cannot be adopted holds up no other; a store that is away holds up all. */
  async #look(): Promise<void> {
    for (const name of foldersIn(this.#options.root)) {
      if (this.#stop.signal.aborted) return;
      try {
        await this.#lookAt(name);
        this.#faulty.delete(name);
      } catch (fault) {
        // A file that cannot be read is told of by itself.
        if (fault instanceof SegmentUnreadable) continue;
        if (fault instanceof AuditUnavailable) throw fault;
        this.#failed(name, fault);
      }
    }
  }

  #failed(name: string | null, fault: unknown): void {
    if (!this.#faulty.has(name)) this.#options.observer.failed(fault, name);
    this.#faulty.add(name);
  }

  async #lookAt(name: string): Promise<void> {
    const { root, instance: own } = this.#options;
    if (name.startsWith('.')) removeUnfinished(join(root, name));
    else if (name !== own) await this.#adopt(name);
  }

  async #adopt(instance: string): Promise<void> {
    const { root, files, observer } = this.#options;
    const lock = lockFolder(join(root, instance));
    if (lock === null) return;
    try {
      const folder = new LeftFolder(root, instance, files);
      this.#folder = folder;
      const events = await this.#replay(folder).finally(() => folder.close());
      if (events === null) return;
      await folder.remove();
      const { damaged: damagedBytes, unreadable: unreadableFiles } = folder;
      if (events + damagedBytes + unreadableFiles > 0)
        observer.adopted({ instance, events, damagedBytes, unreadableFiles });
    } finally {
      this.#folder = null;
      lock.release();
    }
  }

  /** @returns how many events the store got; null: it is not done */
  async #replay(folder: LeftFolder): Promise<number | null> {
    const { observer } = this.#options;
    const { instance } = folder;
    let held = await this.#store.held(instance);
    let events = 0;
    let aliveMs = Number.NEGATIVE_INFINITY;
    for (;;) {
      const batch = await folder.next(held);
      if (batch === null) break;
      if (this.#stop.signal.aborted) return null;
      const startMs = performance.now();
      // Nobody closes its permits while their outcomes are on the way.
      if (startMs - aliveMs >= ALIVE.everyMs) {
        await this.#store.alive(instance, ALIVE.forMs);
        aliveMs = startMs;
      }
      const lost = await this.#send(batch, folder);
      if (lost !== null) observer.lost(lost);
      observer.replayed(batch.count);
      events += batch.count;
      held = lastSeqOf(batch);
      await this.#pause(Math.min(performance.now() - startMs, SPOOL_LIMITS.maxRestMs));
    }
    // From now on it is silent: what it left open is closed. Also where nothing was left to send:
    // whoever sent it may have ended before it could say so.
    await this.#store.alive(instance, 1);
    return events;
  }

  /** @returns what is lost before the batch; null: nothing */
  async #send(batch: EventBatch, folder: LeftFolder): Promise<LostEvents | null> {
    try {
      await this.#store.append(batch);
      return null;
    } catch (fault) {
      if (!(fault instanceof AuditGap)) throw fault;
      const lost = this.#isForgotten(folder, fault.last) ? null : lostIn(folder, fault.last, batch);
      if (lost !== null) await this.#declare(lost);
      await this.#store.append({ ...batch, afterLoss: true });
      return lost;
    }
  }

  /** The store had what came before, and its number, longer ago than it keeps them. */
  #isForgotten({ writtenMs }: LeftFolder, last: number): boolean {
    const { remembersMs } = this.#store;
    return (
      last === 0 && remembersMs !== null && this.#options.clock.wallMs() - writtenMs >= remembersMs
    );
  }

  /** Once, however often the store then fails to go past it. */
  async #declare(lost: LostEvents): Promise<void> {
    const what = `${lost.instance} ${lost.firstSeq} ${lost.lastSeq}`;
    if (this.#declared === what) return;
    await this.#options.declare(lost);
    this.#declared = what;
  }

  /** False: it is time to end. */
  async #pause(ms: number): Promise<boolean> {
    try {
      await sleep(ms, undefined, { signal: this.#stop.signal, ref: false });
      return true;
    } catch {
      return false;
    }
  }
}

function foldersIn(root: string): readonly string[] {
  if (!existsSync(root)) return [];
  return readdirSync(root, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name);
}

function lostIn({ instance, damaged, unreadable }: LeftFolder, last: number, batch: EventBatch) {
  const reason = damaged + unreadable > 0 ? 'spool-damaged' : 'failover';
  return { instance, firstSeq: last + 1, lastSeq: batch.firstSeq - 1, reason } as const;
}

function removeUnfinished(path: string): void {
  const madeMs = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Number.POSITIVE_INFINITY;
  if (Date.now() - madeMs > UNFINISHED_MS) rmSync(path, { recursive: true, force: true });
}

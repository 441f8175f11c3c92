import { existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { lockFolder } from '../../store/folder-lock.ts';
import { AuditGap, type AuditLog } from '../port.ts';
import { BoundedStore } from './bounded-store.ts';
import { LeftFolder } from './left-folder.ts';
import { lastSeqOf } from './merge.ts';
import { type LostEvents, SPOOL_LIMITS, type SpoolObserver } from './options.ts';

/** What was found in the folder of an instance that is gone. */
export interface Adopted {
  readonly instance: string;
  /** Events that the store did not have. */
  readonly events: number;
  /** Bytes in which no whole record was found. */
  readonly damagedBytes: number;
}

export interface AdoptionOptions {
  readonly root: string;
  /** This one's folder is not looked at. */
  readonly instance: string;
  readonly store: AuditLog;
  readonly observer: Pick<SpoolObserver, 'replayed' | 'lost'> & {
    adopted(adopted: Adopted): void;
    /** Told once, until it is possible again. */
    failed(fault: unknown): void;
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
  #isFaulty = false;

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
    const { lookMs = LOOK_MS, observer } = this.#options;
    do {
      try {
        await this.#look();
        this.#isFaulty = false;
      } catch (fault) {
        if (!this.#isFaulty) observer.failed(fault);
        this.#isFaulty = true;
      }
    } while (await this.#pause(lookMs));
  }

  async #look(): Promise<void> {
    const { root, instance: own } = this.#options;
    if (!existsSync(root)) return;
    for (const { name } of readdirSync(root, { withFileTypes: true }).filter(isFolder)) {
      if (this.#stop.signal.aborted) return;
      if (name.startsWith('.')) removeUnfinished(join(root, name));
      else if (name !== own) await this.#adopt(name);
    }
  }

  async #adopt(instance: string): Promise<void> {
    const { root, observer } = this.#options;
    const lock = lockFolder(join(root, instance));
    if (lock === null) return;
    const folder = new LeftFolder(root, instance);
    this.#folder = folder;
    try {
      const events = await this.#replay(folder);
      if (events === null) return;
      folder.remove();
      const damagedBytes = folder.damaged;
      if (events > 0 || damagedBytes > 0) observer.adopted({ instance, events, damagedBytes });
    } finally {
      this.#folder = null;
      await folder.close();
      lock.release();
    }
  }

  /** @returns how many events the store got; null: it is not done */
  async #replay(folder: LeftFolder): Promise<number | null> {
    const { store, observer } = this.#options;
    const { instance } = folder;
    let held = (await store.held?.(instance)) ?? 0;
    let events = 0;
    let aliveMs = Number.NEGATIVE_INFINITY;
    for (;;) {
      const batch = await folder.next(held);
      if (batch === null) break;
      if (this.#stop.signal.aborted) return null;
      const startMs = performance.now();
      // Nobody closes its permits while their outcomes are on the way.
      if (startMs - aliveMs >= ALIVE.everyMs) {
        await store.permits?.alive(instance, ALIVE.forMs);
        aliveMs = startMs;
      }
      const lost = await this.#send(batch, folder);
      if (lost !== null) observer.lost(lost);
      observer.replayed(batch.count);
      events += batch.count;
      held = lastSeqOf(batch);
      await this.#pause(Math.min(performance.now() - startMs, SPOOL_LIMITS.maxRestMs));
    }
    // From now on it is silent: what it left open is closed.
    if (events > 0) await store.permits?.alive(instance, 1);
    return events;
  }

  async #send(
    batch: Parameters<AuditLog['append']>[0],
    { instance, damaged }: LeftFolder,
  ): Promise<LostEvents | null> {
    try {
      await this.#store.append(batch);
      return null;
    } catch (fault) {
      if (!(fault instanceof AuditGap)) throw fault;
      await this.#store.append({ ...batch, afterLoss: true });
      const reason = damaged > 0 ? 'spool-damaged' : 'failover';
      return { instance, firstSeq: fault.last + 1, lastSeq: batch.firstSeq - 1, reason };
    }
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

function isFolder(entry: { isDirectory(): boolean }): boolean {
  return entry.isDirectory();
}

function removeUnfinished(path: string): void {
  const madeMs = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Number.POSITIVE_INFINITY;
  if (Date.now() - madeMs > UNFINISHED_MS) rmSync(path, { recursive: true, force: true });
}

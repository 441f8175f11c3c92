import { setTimeout as sleep } from 'node:timers/promises';
import type { EventBatch } from '../batch.ts';
import type { SpoolFolder } from './folder.ts';
import { lastSeqOf } from './merge.ts';
import type { SPOOL_LIMITS, SpoolObserver } from './options.ts';
import { Rewound, type StoreLink } from './store-link.ts';
import { SegmentUnreadable } from './unreadable.ts';

export interface ReplayOptions {
  readonly link: StoreLink;
  readonly folder: () => SpoolFolder | null;
  readonly observer: Pick<SpoolObserver, 'replayed'>;
  readonly limits: typeof SPOOL_LIMITS;
  /** The store has refused a batch, or not answered. */
  readonly failed: (fault: unknown) => void;
  /** All is in the store. Called before anything else can be written. */
  readonly done: () => void;
}

/** Sends what is in the spool to the store, in order, until there is nothing left. */
export class Replay {
  readonly #options: ReplayOptions;
  readonly #stop = new AbortController();
  #running: Promise<void> | null = null;
  #ended: PromiseWithResolvers<void> | null = null;
  /** The store has accepted what was sent last. */
  #flows = false;
  /** Read, and not yet accepted. */
  #batch: EventBatch | null = null;

  constructor(options: ReplayOptions) {
    this.#options = options;
  }

  get isRunning(): boolean {
    return this.#running !== null;
  }

  /** What is left is done in a moment: worth waiting for. */
  get isNear(): boolean {
    const { folder, limits } = this.#options;
    return this.#flows && (folder()?.waitingBytes ?? 0) <= limits.nearBytes;
  }

  /** Does nothing while it runs. */
  start(): void {
    if (this.#stop.signal.aborted) return;
    this.#running ??= this.#run().finally(() => {
      this.#running = null;
    });
  }

  /** Resolves when there is nothing left, or after so long. */
  async ended(ms: number): Promise<void> {
    if (this.#running === null) return;
    this.#ended ??= Promise.withResolvers();
    await Promise.race([this.#ended.promise, this.#pause(ms)]);
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { limits, failed } = this.#options;
    this.#flows = false;
    for (let pauseMs = limits.minPauseMs; !this.#stop.signal.aborted; ) {
      try {
        if (await this.#step()) return;
        pauseMs = limits.minPauseMs;
      } catch (fault) {
        if (fault instanceof Rewound) {
          this.#batch = null;
          continue;
        }
        this.#flows = false;
        failed(fault);
        await this.#pause(pauseMs * (1 - Math.random() / 2));
        pauseMs = Math.min(2 * pauseMs, limits.maxPauseMs);
      }
    }
  }

  /** @returns whether nothing is left */
  async #step(): Promise<boolean> {
    const { link, folder, observer, limits } = this.#options;
    const startMs = performance.now();
    const spool = folder();
    this.#batch ??= spool === null ? null : await this.#next(spool);
    const batch = this.#batch;
    if (spool === null || batch === null) return this.#atEnd(spool);
    await link.send(batch);
    this.#batch = null;
    this.#flows = true;
    spool.accepted(lastSeqOf(batch));
    observer.replayed(batch.count);
    // Half of the store's time is left to others, unless it takes but a moment more.
    if (spool.waitingBytes > limits.nearBytes)
      await this.#pause(Math.min(performance.now() - startMs, limits.maxRestMs));
    return false;
  }

  /**
   * A file that cannot be read says nothing of the store: that has to say itself that it is back.
   */
  async #next(spool: SpoolFolder): Promise<EventBatch | null> {
    try {
      return await spool.next();
    } catch (fault) {
      if (fault instanceof SegmentUnreadable) await this.#options.link.compare();
      throw fault;
    }
  }

  async #atEnd(spool: SpoolFolder | null): Promise<boolean> {
    // It may be that nothing was written since the store went away: it has to say that it is back.
    if (!this.#flows) await this.#options.link.compare();
    this.#flows = true;
    if (spool !== null && !spool.isCaughtUp) {
      const isBeingWritten = spool.isBeingWritten;
      await spool.settled();
      // What cannot be read any more is lost: the store says so by the gap that it leaves.
      if (!isBeingWritten && (await spool.givesUp()))
        await this.#options.link.goPast(spool.written);
      return false;
    }
    this.#options.done();
    this.#ended?.resolve();
    this.#ended = null;
    return true;
  }

  async #pause(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#stop.signal, ref: false }).catch(() => {});
  }
}

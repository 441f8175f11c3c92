import type { Clock } from '../clock.ts';
import type { LeasedBucket } from './leased-bucket.ts';
import type { QuotaStore } from './quota-port.ts';

export interface QuotaLeaserOptions {
  readonly store: QuotaStore;
  readonly clock: Clock;
  /**
   * The store stopped answering (false) or answers again (true). Called on the change only; must
   * not throw.
   */
  readonly onHealth?: (answers: boolean) => void;
}

/** Buckets asked about in one go. */
const BATCH = 256;
/** Between two attempts while the store is away. */
const RETRY_MS = 250;

/**
 * Asks the store on behalf of buckets, in the background: one batch at a time, at the end of the
 * loop turn in which the first bucket wanted it, so that what many calls need travels together. The
 * queue holds each bucket once, so the table of buckets bounds it.
 */
export class QuotaLeaser {
  readonly #options: QuotaLeaserOptions;
  #queue = new Set<LeasedBucket>();
  #immediate: NodeJS.Immediate | null = null;
  #retry: NodeJS.Timeout | null = null;
  #asking = false;
  #answers = true;
  #closed = false;

  constructor(options: QuotaLeaserOptions) {
    this.#options = options;
  }

  readonly want = (bucket: LeasedBucket): void => {
    this.#queue.add(bucket);
    this.#schedule();
  };

  /** Asks no more. What is owed stays uncharged: at most the credit of each bucket. */
  close(): void {
    this.#closed = true;
    if (this.#immediate !== null) clearImmediate(this.#immediate);
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.#queue.clear();
  }

  #schedule(): void {
    if (this.#closed || this.#asking || this.#immediate !== null || this.#retry !== null) return;
    if (this.#answers) {
      this.#immediate = setImmediate(() => {
        this.#immediate = null;
        this.#askNext();
      });
    } else {
      this.#retry = setTimeout(() => {
        this.#retry = null;
        this.#askNext();
      }, RETRY_MS);
      this.#retry.unref();
    }
  }

  #askNext(): void {
    const batch = [...this.#queue.values().take(BATCH)];
    for (const bucket of batch) this.#queue.delete(bucket);
    const nowMs = this.#options.clock.monotonicMs();
    const asks = batch.map((bucket) => bucket.ask(nowMs));
    this.#asking = true;
    this.#options.store.lease(asks).then(
      (grants) => this.#tell(batch, asks, grants),
      // The port never rejects; whatever does is taken for a store that is away.
      () => this.#tell(batch, asks, []),
    );
  }

  #tell(
    batch: readonly LeasedBucket[],
    asks: Parameters<QuotaStore['lease']>[0],
    grants: Awaited<ReturnType<QuotaStore['lease']>>,
  ): void {
    this.#asking = false;
    const nowMs = this.#options.clock.monotonicMs();
    let answers = true;
    for (const [index, bucket] of batch.entries()) {
      const grant = grants[index] ?? null;
      if (grant !== null) {
        bucket.answered(asks[index]!, grant, nowMs);
        continue;
      }
      answers = false;
      bucket.unanswered(nowMs);
      this.#queue.add(bucket);
    }
    if (answers !== this.#answers) {
      this.#answers = answers;
      this.#options.onHealth?.(answers);
    }
    if (this.#queue.size > 0) this.#schedule();
  }
}

import { hash } from 'node:crypto';
import type { Clock } from '../clock.ts';
import { StoreUnavailable } from '../store/fault.ts';
import { type AuditKeys, auditKeys } from '../store/keys.ts';
import type { RedisConnection, RedisWord } from '../store/redis.ts';
import { loadScript } from '../store/script.ts';
import { createActivityProjection, type ProjectionObserver } from './activity-projection.ts';
import { type AuditLog, AuditUnavailable, type EventBatch } from './port.ts';

export interface AuditRetention {
  /** Events older than this go. */
  readonly days: number;
  /**
   * Size at which the oldest events go; 0 = no limit. On Redis an estimate, see `longestStream`.
   */
  readonly maxBytes: number;
}

export interface RedisAuditOptions {
  /**
   * Shared with nobody whose commands block. Its command timeout (900 ms or less) is what keeps the
   * outbox's deadline when Redis hangs.
   */
  readonly connection: RedisConnection;
  /** `store.keyPrefix`. */
  readonly prefix: string;
  readonly clock: Clock;
  readonly retention: AuditRetention;
  /** Events in one account's activity log. */
  readonly activityPerAccount: number;
  readonly projection: ProjectionObserver;
}

/**
 * Streams that the record is spread over, so that a Cluster can spread the load. All readers and
 * writers must agree, so it is no setting.
 */
export const AUDIT_PARTITIONS = 4;

/**
 * An instance's last number is remembered for this long after its last event: longer than any
 * outage that a batch could wait through.
 */
const LAST_SEQ_LIFE_MS = 7 * 24 * 3600 * 1000;
/** Old events are looked for this often. */
const TRIM_EVERY_MS = 10_000;
/** What a stream entry costs beside its event: id, field, listpack and its share of the tree. */
const ENTRY_OVERHEAD_BYTES = 32;
export const DAY_MS = 24 * 3600 * 1000;

/** Oldest id and longest stream; zeros = do not look now. */
type Trimming = readonly [oldest: number, longest: number];

const APPEND = loadScript('audit-append');

/**
 * The partition of an instance: the same for as long as it lives, so that its events stay in order.
 */
export function partitionOf(instance: string): number {
  return Number.parseInt(hash('sha1', instance, 'hex').slice(0, 8), 16) % AUDIT_PARTITIONS;
}

/** Refusals of the keys that a command names, before anything was done. */
const KEYS_REFUSED: ReadonlySet<string | null> = new Set(['CROSSSLOT', 'NOPERM']);

/**
 * The audit log on Redis Streams. A batch is one command: all its events in one string, which the
 * script takes apart, because that costs this process next to nothing. The same script copies
 * events into the activity logs of their accounts; on a Cluster those have slots of their own, and
 * are written afterwards. Either way they gate nothing.
 */
export function createRedisAuditLog(options: RedisAuditOptions): AuditLog {
  return new RedisAuditLog(options);
}

class RedisAuditLog implements AuditLog {
  readonly #options: RedisAuditOptions;
  readonly #keys: AuditKeys;
  /** Of an activity log without a new event. */
  readonly #lifeMs: number;
  readonly #activity: ReturnType<typeof createActivityProjection>;
  #nextTrimMs = Number.NEGATIVE_INFINITY;
  /** Moving average, for `longestStream`. */
  #bytesPerEvent = 512;

  constructor(options: RedisAuditOptions) {
    this.#options = options;
    this.#keys = auditKeys(options.prefix);
    this.#lifeMs = options.retention.days * DAY_MS;
    this.#activity = createActivityProjection({
      connection: options.connection,
      keys: this.#keys,
      perAccount: options.activityPerAccount,
      lifeMs: this.#lifeMs,
      observer: options.projection,
    });
  }

  async append(batch: EventBatch): Promise<void> {
    if (batch.count > 0)
      this.#bytesPerEvent += (batch.lines.length / batch.count - this.#bytesPerEvent) / 16;
    const trimming = this.#trimming();
    try {
      if (
        !this.#options.connection.spreadsKeys &&
        batch.accounts.length > 0 &&
        (await this.#appendWithCopies(batch, trimming))
      )
        return;
      await this.#run(batch, trimming, [], []);
    } catch (fault) {
      throw unavailable(fault);
    }
    this.#activity.add(batch);
  }

  /**
   * Answers false when Redis does not let one command have all these keys: then the record must not
   * suffer for its copies.
   */
  async #appendWithCopies(batch: EventBatch, trimming: Trimming): Promise<boolean> {
    const keys = batch.accounts.map((account) => this.#keys.activity(account));
    try {
      const lost = await this.#run(batch, trimming, keys, [
        batch.marks,
        this.#options.activityPerAccount,
        this.#lifeMs,
      ]);
      if (lost > 0) this.#options.projection.activityLost(lost);
      return true;
    } catch (fault) {
      if (fault instanceof StoreUnavailable && KEYS_REFUSED.has(fault.code)) return false;
      throw fault;
    }
  }

  /** Answers how many copies were not made. */
  async #run(
    batch: EventBatch,
    trimming: Trimming,
    keys: readonly string[],
    words: readonly RedisWord[],
  ): Promise<number> {
    const { instance, firstSeq, lines } = batch;
    const partition = partitionOf(instance);
    const lost = await this.#options.connection.run(
      APPEND,
      [this.#keys.stream(partition), this.#keys.last(partition, instance), ...keys],
      [firstSeq, lines, LAST_SEQ_LIFE_MS, ...trimming, ...words],
    );
    return Number(lost);
  }

  /** Oldest id and longest stream, now and then; in between zeros. */
  #trimming(): Trimming {
    const nowMs = this.#options.clock.monotonicMs();
    if (nowMs < this.#nextTrimMs) return [0, 0];
    this.#nextTrimMs = nowMs + TRIM_EVERY_MS;
    const { days } = this.#options.retention;
    // Ids are made from the server's clock and compared with ours: retention is counted in days,
    // clocks differ by seconds.
    return [
      Math.max(1, Math.floor(this.#options.clock.wallMs() - days * DAY_MS)),
      this.#longestStream(),
    ];
  }

  /**
   * Redis cannot trim by size, so `maxBytes` becomes a length by way of the average event of late:
   * good to within some tens of per cent.
   */
  #longestStream(): number {
    const { maxBytes } = this.#options.retention;
    if (maxBytes === 0) return 0;
    return Math.max(
      1,
      Math.floor(maxBytes / AUDIT_PARTITIONS / (this.#bytesPerEvent + ENTRY_OVERHEAD_BYTES)),
    );
  }

  /**
   * Writes out the activity that is still pending (for a moment at most). The connection is its
   * owner's to close.
   */
  async close(): Promise<void> {
    await this.#activity.close();
  }
}

export function unavailable(fault: unknown): AuditUnavailable {
  return new AuditUnavailable(
    fault instanceof Error ? fault.message : 'the audit log cannot be reached',
    { cause: fault },
  );
}

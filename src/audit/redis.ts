import { hash } from 'node:crypto';
import type { Clock } from '../clock.ts';
import { type AuditKeys, auditKeys } from '../store/keys.ts';
import type { RedisConnection } from '../store/redis.ts';
import { loadScript } from '../store/script.ts';
import { createActivityProjection, type ProjectionObserver } from './activity-projection.ts';
import { type AuditLog, AuditUnavailable, type LogEntry } from './port.ts';

export interface AuditRetention {
  /** Events older than this go. */
  readonly days: number;
  /** Size at which the oldest events go; 0 = no limit. On Redis an estimate, see `longestStream`. */
  readonly maxBytes: number;
}

export interface RedisAuditOptions {
  /**
   * Shared with nobody whose commands block. Its command timeout (900 ms or less) is what keeps the outbox's deadline when Redis
   * hangs.
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
 * Streams that the record is spread over, so that a Cluster can spread the load. All readers and writers must agree, so it is no
 * setting.
 */
export const AUDIT_PARTITIONS = 4;

/**
 * An instance's last number is remembered for this long after its last event: longer than any outage that a batch could wait
 * through.
 */
const LAST_SEQ_LIFE_MS = 7 * 24 * 3600 * 1000;
/** Old events are looked for this often. */
const TRIM_EVERY_MS = 10_000;
/** What a stream entry costs beside its event: id, field, listpack and its share of the tree. */
const ENTRY_OVERHEAD_BYTES = 32;
export const DAY_MS = 24 * 3600 * 1000;

const APPEND = loadScript('audit-append');

/** The partition of an instance: the same for as long as it lives, so that its events stay in order. */
export function partitionOf(instance: string): number {
  return Number.parseInt(hash('sha1', instance, 'hex').slice(0, 8), 16) % AUDIT_PARTITIONS;
}

/**
 * The audit log on Redis Streams. A batch is one command: all its events in one string, which the script takes apart, because
 * that costs this process next to nothing. The activity logs are written afterwards and gate nothing.
 */
export function createRedisAuditLog(options: RedisAuditOptions): AuditLog {
  return new RedisAuditLog(options);
}

class RedisAuditLog implements AuditLog {
  readonly #options: RedisAuditOptions;
  readonly #keys: AuditKeys;
  readonly #activity: ReturnType<typeof createActivityProjection>;
  #nextTrimMs = Number.NEGATIVE_INFINITY;
  /** Moving average, for `longestStream`. */
  #bytesPerEvent = 512;

  constructor(options: RedisAuditOptions) {
    this.#options = options;
    this.#keys = auditKeys(options.prefix);
    this.#activity = createActivityProjection({
      connection: options.connection,
      keys: this.#keys,
      perAccount: options.activityPerAccount,
      lifeMs: options.retention.days * DAY_MS,
      observer: options.projection,
    });
  }

  async append(batch: { instance: string; firstSeq: number; entries: readonly LogEntry[] }): Promise<void> {
    const { instance, firstSeq, entries } = batch;
    const packed = Buffer.from(entries.map((entry) => entry.event).join('\n'));
    if (entries.length > 0) this.#bytesPerEvent += (packed.length / entries.length - this.#bytesPerEvent) / 16;
    const partition = partitionOf(instance);
    try {
      await this.#options.connection.run(
        APPEND,
        [this.#keys.stream(partition), this.#keys.last(partition, instance)],
        [firstSeq, packed, LAST_SEQ_LIFE_MS, ...this.#trimming()],
      );
    } catch (fault) {
      throw unavailable(fault);
    }
    this.#activity.add(entries);
  }

  /** Oldest id and longest stream, now and then; in between zeros. */
  #trimming(): readonly [string | number, number] {
    const nowMs = this.#options.clock.monotonicMs();
    if (nowMs < this.#nextTrimMs) return [0, 0];
    this.#nextTrimMs = nowMs + TRIM_EVERY_MS;
    const { days } = this.#options.retention;
    // Ids are made from the server's clock and compared with ours: retention is counted in days, clocks differ by seconds.
    return [Math.max(1, Math.floor(this.#options.clock.wallMs() - days * DAY_MS)), this.#longestStream()];
  }

  /**
   * Redis cannot trim by size, so `maxBytes` becomes a length by way of the average event of late: good to within some tens of
   * per cent.
   */
  #longestStream(): number {
    const { maxBytes } = this.#options.retention;
    if (maxBytes === 0) return 0;
    return Math.max(1, Math.floor(maxBytes / AUDIT_PARTITIONS / (this.#bytesPerEvent + ENTRY_OVERHEAD_BYTES)));
  }

  /** Writes out the activity that is still pending (for a moment at most). The connection is its owner's to close. */
  async close(): Promise<void> {
    await this.#activity.close();
  }
}

export function unavailable(fault: unknown): AuditUnavailable {
  return new AuditUnavailable(fault instanceof Error ? fault.message : 'the audit log cannot be reached', { cause: fault });
}

import type { Clock } from '../../../clock.ts';
import { StoreUnavailable } from '../../../store/fault.ts';
import { type AuditKeys, auditKeys, registryKeys } from '../../../store/keys.ts';
import type { RedisConnection, RedisWord } from '../../../store/redis.ts';
import { loadScript } from '../../../store/script.ts';
import type { EventBatch } from '../../batch.ts';
import type { HeadLedger } from '../../chain/ledger.ts';
import type { CutWitness } from '../../chain/witness.ts';
import { AUDIT_PARTITIONS, partitionOf } from '../../partitions.ts';
import type { PermitLedger } from '../../permits/ledger.ts';
import { AuditGap, type AuditLog, AuditUnavailable } from '../../port.ts';
import { type AuditRetention, DAY_MS } from '../retention.ts';
import { ActivityBound } from './activity-bound.ts';
import { createActivityProjection, type ProjectionObserver } from './activity-projection.ts';
import { createRedisHeads } from './heads.ts';
import { createRedisPermits, type RedisPermits } from './permits.ts';
import { RedisRetention, type RetentionObserver } from './retention.ts';

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
  /** What all activity logs may take, in bytes; null or absent = what is sensible for the store. */
  readonly activityMaxBytes?: number | null;
  readonly projection: ProjectionObserver;
  /** Where the list of administrative changes is, for a user who may trim it. */
  readonly changes?: { readonly connection: RedisConnection; readonly prefix: string } | null;
  /** Whether `append` tells of missing events before a batch (`AuditGap`). Default: it does not. */
  readonly tellsGaps?: boolean;
  readonly observer?: RetentionObserver;
}

/** What an instance left open is remembered for this long after its last event. */
const NOTES_LIFE_MS = 7 * DAY_MS;
/**
 * The last number of an instance that is gone is remembered for as long as its events are, so that
 * what comes out of a spool after any time is recorded once; at least for so long. Of one that is
 * listed as living it is kept without end: however long an instance is idle or the store away, what
 * is not there any more is lost.
 */
const LAST_SEQ_LEAST_MS = 7 * DAY_MS;
/** An instance whose notes come before its first word counts as living for so long. */
const LISTED_LIFE_MS = 5000;
const APPEND = loadScript('audit-append');

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

/** The keys of what is kept of an instance. */
interface Place {
  readonly instance: string;
  readonly stream: string;
  readonly last: string;
  readonly open: string;
  readonly instances: string;
  readonly alive: string;
}

class RedisAuditLog implements AuditLog {
  readonly #options: RedisAuditOptions;
  readonly #keys: AuditKeys;
  /** Of an activity log without a new event. */
  readonly #lifeMs: number;
  readonly remembersMs: number;
  readonly #activity: ReturnType<typeof createActivityProjection>;
  readonly #permits: RedisPermits;
  readonly heads: HeadLedger;
  readonly #retention: RedisRetention;
  #place: Place | null = null;

  constructor(options: RedisAuditOptions) {
    this.#options = options;
    this.#keys = auditKeys(options.prefix);
    this.#lifeMs = options.retention.days * DAY_MS;
    this.remembersMs = Math.max(LAST_SEQ_LEAST_MS, this.#lifeMs);
    this.#permits = createRedisPermits({
      connection: options.connection,
      prefix: options.prefix,
      partitions: AUDIT_PARTITIONS,
      partitionOf,
      lifeMs: NOTES_LIFE_MS,
      lastLifeMs: this.remembersMs,
      recorded: (outcomes) => {
        this.#retention.appended(outcomes.lines.length, outcomes.count);
        this.#activity.add(outcomes, this.#retention.perAccount);
      },
    });
    this.heads = createRedisHeads({
      connection: options.connection,
      prefix: options.prefix,
      partitions: AUDIT_PARTITIONS,
      partitionOf,
      unavailable,
    });
    this.#activity = createActivityProjection({
      connection: options.connection,
      keys: this.#keys,
      clock: options.clock,
      lifeMs: this.#lifeMs,
      observer: options.projection,
    });
    this.#retention = new RedisRetention({
      connection: options.connection,
      retention: options.retention,
      activityPerAccount: options.activityPerAccount,
      activity: new ActivityBound({
        connection: options.connection,
        keys: this.#keys,
        clock: options.clock,
        lifeMs: this.#lifeMs,
        maxBytes: options.activityMaxBytes ?? null,
        blind: () => options.observer?.activityBlind(),
      }),
      prefix: options.prefix,
      changes: changesOf(options),
      observer: options.observer ?? NOBODY,
    });
  }

  get permits(): PermitLedger {
    return this.#permits;
  }

  async append(batch: EventBatch): Promise<void> {
    this.#retention.appended(batch.lines.length, batch.count);
    try {
      if (
        !this.#options.connection.spreadsKeys &&
        batch.accounts.length > 0 &&
        (await this.#appendWithCopies(batch))
      )
        return;
      await this.#run(batch, [], []);
    } catch (fault) {
      // The oldest events make room for it; the batch comes again in a moment.
      if (fault instanceof StoreUnavailable && fault.code === 'OOM') void this.#retention.look();
      throw fault instanceof AuditGap ? fault : unavailable(fault);
    }
    this.#activity.add(batch, this.#retention.perAccount);
  }

  /**
   * Answers false when Redis does not let one command have all these keys: then the record must not
   * suffer for its copies.
   */
  async #appendWithCopies(batch: EventBatch): Promise<boolean> {
    const keys = [
      this.#keys.touched,
      ...batch.accounts.map((account) => this.#keys.activity(account)),
    ];
    try {
      const lost = await this.#run(batch, keys, [
        batch.marks,
        this.#retention.perAccount,
        this.#lifeMs,
        Math.floor(this.#options.clock.wallMs()),
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
    keys: readonly string[],
    words: readonly RedisWord[],
  ): Promise<number> {
    const { instance, firstSeq, lines, notes, afterLoss } = batch;
    const tellsGaps = this.#options.tellsGaps === true && afterLoss !== true;
    const { stream, last, open, instances, alive } = this.#placeOf(instance);
    // Complete notes list the instance in the same step; all others have nothing to do with that.
    const anew = notes?.anew === true;
    const lost = await this.#options.connection.run(
      APPEND,
      anew ? [stream, last, open, instances, alive, ...keys] : [stream, last, open, ...keys],
      [
        firstSeq,
        lines,
        NOTES_LIFE_MS,
        notes?.text ?? '',
        anew ? 1 : 0,
        this.#permits.isListed(instance) ? 0 : this.remembersMs,
        tellsGaps ? 1 : 0,
        anew ? instance : '',
        anew ? LISTED_LIFE_MS : '',
        ...words,
      ],
    );
    const answer = Number(lost);
    if (answer < 0) throw new AuditGap(-1 - answer);
    return answer;
  }

  /** Kept for the instance of the last batch: nearly all are of this one. */
  #placeOf(instance: string): Place {
    if (this.#place?.instance === instance) return this.#place;
    const partition = partitionOf(instance);
    const { stream, last, open, instances, alive } = this.#keys;
    this.#place = {
      instance,
      stream: stream(partition),
      last: last(partition, instance),
      open: open(partition, instance),
      instances: instances(partition),
      alive: alive(partition, instance),
    };
    return this.#place;
  }

  get activityLagMs(): number {
    return this.#activity.lagMs;
  }

  async held(instance: string): Promise<number> {
    const key = this.#keys.last(partitionOf(instance), instance);
    try {
      return Number((await this.#options.connection.call('GET', key)) ?? 0);
    } catch (fault) {
      throw unavailable(fault);
    }
  }

  witnessCuts(witness: CutWitness): void {
    this.#retention.witness = witness;
  }

  cut(): void {
    this.#options.connection.cut();
  }

  /**
   * Writes out the activity that is still pending (for a moment at most). The connection is its
   * owner's to close.
   */
  async close(): Promise<void> {
    await this.#retention.close();
    await this.#activity.close();
  }
}

const NOBODY: RetentionObserver = { pressure() {}, blind() {}, activityBlind() {}, unsigned() {} };

/** The stream of changes, and the connection to its server, which need not be the record's. */
function changesOf({ changes = null }: RedisAuditOptions) {
  if (changes === null) return null;
  return { connection: changes.connection, stream: registryKeys(changes.prefix).changes };
}

export function unavailable(fault: unknown): AuditUnavailable {
  return new AuditUnavailable(
    fault instanceof Error ? fault.message : 'the audit log cannot be reached',
    { cause: fault },
  );
}

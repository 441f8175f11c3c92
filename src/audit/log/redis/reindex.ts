import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { StoreUnavailable } from '../../../store/fault.ts';
import { auditKeys } from '../../../store/keys.ts';
import type { RedisConnection } from '../../../store/redis.ts';
import { loadScript } from '../../../store/script.ts';
import { NOTICE_LOG, NOTICES_LEAST } from '../../event/notice-event.ts';
import { AUDIT_PARTITIONS } from '../../partitions.ts';
import { AuditUnavailable, type Reindexed, type ReindexQuery } from '../../port.ts';
import { activityBytes, DAY_MS } from '../retention.ts';
import { equalShare } from './equal-share.ts';
import { unavailable } from './log.ts';
import { memoryFrom } from './memory.ts';
import { MergedRecord, type RecordedEvent } from './merged-record.ts';

export interface ReindexOptions extends ReindexQuery {
  readonly connection: RedisConnection;
  /** Of the keys of the audit. */
  readonly prefix: string;
  /** Events in one account's activity log. */
  readonly perAccount: number;
  /** `audit.activityMaxBytes`. */
  readonly maxBytes: number | null;
  /** How long events are kept. */
  readonly days: number;
}

const REBUILD = loadScript('activity-rebuild');
const REPLACE = loadScript('activity-replace');

/**
 * Within this time what is recorded is in the activity log as well: at once where one step writes
 * both, and on a Cluster soon after. What is younger is not read from the record, since its copy
 * may be on its way and would be there twice. In ms.
 */
const COPIED = { together: 1_000, apart: 5_000 } as const;
const PAUSE_MS = 100;
/** How long the connection may take. */
const READY_MS = 3_000;
/** What is recorded meanwhile is read too, until no more than this is left. */
const CAUGHT_UP_MS = 2_000;
/** Events that are held until they are written. */
const GATHERED = 2_000;
/** Events in one command. */
const PIECE = 200;
/** A log that is not finished goes by itself. */
const UNFINISHED_MS = 3_600_000;
const GONE =
  'an activity log that was being rebuilt has gone, so none was replaced: rebuild them again';
/** Logs that are put in place at a time. */
const CONCURRENCY = 8;
/** What a log costs beside its events. */
const LOG_BYTES = 4_096;
const ENTRY_BYTES = 32;
/** Of what all logs may take: sizes are estimated, and gates add to them. */
const FILLED = 0.7;

/**
 * Makes the activity logs of accounts anew from the record. Each is made beside the one in use, and
 * takes its place in one step together with what was copied meanwhile, so readers and writers see
 * one or the other whole. Logs of accounts of which the record holds nothing stay as they are.
 */
export async function reindexActivity(options: ReindexOptions): Promise<Reindexed> {
  const run = new Reindexing(options);
  try {
    await options.connection.ready(READY_MS);
    return await run.run();
  } catch (fault) {
    await run.abandon().catch(() => {});
    throw fault instanceof StoreUnavailable ? unavailable(fault) : fault;
  }
}

class Reindexing {
  readonly #options: ReindexOptions;
  readonly #keys: ReturnType<typeof auditKeys>;
  readonly #record: MergedRecord;
  /** Tells the unfinished logs of two that run at once apart. */
  readonly #name = randomBytes(6).toString('hex');
  /** Of each account: events seen, and how large its log is about. */
  readonly #logs = new Map<string, { events: number; kept: number; lastMs: number }>();
  #gathered = new Map<string, RecordedEvent[]>();
  #waiting = 0;
  #beginMs = 0;
  #bytes = 0;
  #events = 0;
  #longest: number;
  #most = Number.POSITIVE_INFINITY;

  constructor(options: ReindexOptions) {
    this.#options = options;
    this.#keys = auditKeys(options.prefix);
    this.#record = new MergedRecord(options.connection, this.#keys, AUDIT_PARTITIONS);
    this.#longest = options.perAccount;
  }

  async run(): Promise<Reindexed> {
    const { connection, progress } = this.#options;
    this.#most = await this.#mostBytes();
    const size = await this.#record.size();
    const lag = connection.spreadsKeys ? COPIED.apart : COPIED.together;
    let read = 0;
    const startMs = await this.#record.nowMs();
    let untilMs = startMs - lag;
    for (let next = untilMs; ; untilMs = next) {
      for await (const event of this.#record.until(untilMs)) {
        if (read === 0) this.#beginMs = event.ms;
        read += 1;
        await this.#take(event);
        if (read % GATHERED === 0) progress(read, size);
      }
      await this.#flush();
      next = (await this.#record.nowMs()) - lag;
      // What was missing at the start is read, and there is little besides.
      if (untilMs >= startMs && next - untilMs < CAUGHT_UP_MS) break;
      if (next - untilMs < PAUSE_MS) await sleep(PAUSE_MS);
    }
    await this.#replaceAll(untilMs, lag);
    const logs = [...this.#logs.values()];
    return { accounts: logs.length, events: logs.reduce((sum, { events }) => sum + events, 0) };
  }

  /** Takes away what is unfinished. */
  async abandon(): Promise<void> {
    for (const account of this.#logs.keys())
      await this.#options.connection.call('DEL', this.#anew(account));
  }

  async #mostBytes(): Promise<number> {
    const { connection, maxBytes } = this.#options;
    const servers = new Map<string, ReturnType<typeof memoryFrom>>();
    for (let n = 0; n < AUDIT_PARTITIONS; n += 1) {
      const memory = memoryFrom(String(await connection.callAt(this.#keys.stream(n), 'INFO')));
      servers.set(memory.server, memory);
    }
    return activityBytes(maxBytes, [...servers.values()]);
  }

  #anew(account: string): string {
    return this.#keys.activityAnew(account, this.#name);
  }

  async #take(event: RecordedEvent): Promise<void> {
    const account = accountIn(event.event);
    if (account === null) return;
    if (this.#options.account !== null && account !== this.#options.account) return;
    const events = this.#gathered.get(account);
    if (events === undefined) this.#gathered.set(account, [event]);
    else events.push(event);
    this.#waiting += 1;
    this.#bytes += Buffer.byteLength(event.event) + ENTRY_BYTES;
    this.#events += 1;
    if (this.#waiting >= GATHERED) await this.#flush();
  }

  async #flush(): Promise<void> {
    const gathered = this.#gathered;
    this.#gathered = new Map();
    this.#waiting = 0;
    await eachOf(gathered, async ([account, events]) => {
      for (let at = 0; at < events.length; at += PIECE)
        await this.#write(account, events.slice(at, at + PIECE));
    });
    await this.#shareOut();
    // A server that answers gates goes first.
    await sleep(1);
  }

  async #write(account: string, events: readonly RecordedEvent[]): Promise<void> {
    const log = this.#logs.get(account) ?? { events: 0, kept: 0, lastMs: 0 };
    this.#logs.set(account, log);
    const keys = [this.#anew(account), this.#keys.activity(account)];
    const words = events.flatMap(({ ms, event }) => [ms, event]);
    const isBegun = log.events > 0 ? 1 : 0;
    const how = [this.#longestOf(account), UNFINISHED_MS, this.#beginMs, isBegun];
    log.kept = Number(await this.#options.connection.run(REBUILD, keys, [...how, ...words]));
    if (log.kept < 0) throw new AuditUnavailable(GONE);
    log.events += events.length;
    log.lastMs = events.at(-1)!.ms;
  }

  /** What all logs take together stays within its bytes here too. */
  async #shareOut(): Promise<void> {
    if (this.#logs.size === 0) return;
    const each = this.#bytes / Math.max(1, this.#events);
    const sizes = Float64Array.from(this.#logs.values(), ({ kept }) => kept * each + LOG_BYTES);
    const share = equalShare(sizes, this.#most * FILLED);
    if (share === Number.POSITIVE_INFINITY) return;
    this.#longest = Math.min(this.#longest, Math.max(1, Math.floor((share - LOG_BYTES) / each)));
    const long = [...this.#logs].filter(([account, { kept }]) => kept > this.#longestOf(account));
    await eachOf(long, async ([account, log]) => {
      const most = this.#longestOf(account);
      await this.#options.connection.call('XTRIM', this.#anew(account), 'MAXLEN', '=', most);
      log.kept = most;
    });
  }

  #longestOf(account: string): number {
    return account === NOTICE_LOG ? Math.max(this.#longest, NOTICES_LEAST) : this.#longest;
  }

  async #replaceAll(readMs: number, lagMs: number): Promise<void> {
    const { connection, days } = this.#options;
    await eachOf(this.#logs, async ([account, { lastMs }]) => {
      const keys = [this.#anew(account), this.#keys.activity(account)];
      const words = [this.#longestOf(account), days * DAY_MS, readMs, lagMs];
      await connection.run(REPLACE, keys, words);
      await connection.call('ZADD', this.#keys.touched, 'GT', lastMs, account);
    });
  }
}

/** Some at a time. */
async function eachOf<T>(all: Iterable<T>, work: (one: T) => Promise<void>): Promise<void> {
  const queue = all[Symbol.iterator]() as IterableIterator<T>;
  const worker = async () => {
    // The iterator is shared: each worker takes the next one.
    for (const one of queue) await work(one);
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, worker));
}

/** In whose activity log an event stands; null: in none, or it cannot be read. */
function accountIn(event: string): string | null {
  try {
    const { account, phase } = JSON.parse(event) as {
      readonly account?: { readonly id?: unknown } | null;
      readonly phase?: unknown;
    };
    if (phase === 'notice') return NOTICE_LOG;
    return typeof account?.id === 'string' ? account.id : null;
  } catch {
    return null;
  }
}

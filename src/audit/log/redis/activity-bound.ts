import type { Clock } from '../../../clock.ts';
import { StoreUnavailable } from '../../../store/fault.ts';
import type { AuditKeys } from '../../../store/keys.ts';
import type { RedisConnection } from '../../../store/redis.ts';
import { NOTICE_LOG } from '../../event/notice-event.ts';
import { activityBytes, RETENTION } from '../retention.ts';
import { equalShare } from './equal-share.ts';
import type { Memory } from './memory.ts';

export interface ActivityBoundOptions {
  readonly connection: RedisConnection;
  readonly keys: AuditKeys;
  readonly clock: Clock;
  /** Of an activity log without a new event. */
  readonly lifeMs: number;
  /** What all activity logs may take together, in bytes; null = what is sensible for the store. */
  readonly maxBytes: number | null;
  /** The user lacks the rights to look, so nothing holds the logs within it. Called once. */
  readonly blind: () => void;
}

/** Of what all may take: kept free for what comes between two looks. */
const FREE = 1 / 8;
/** Redis makes room for a stream in nodes of this many bytes (`stream-node-max-bytes`). */
const NODE_BYTES = 4_096;
/** A log that may not have this much is not kept. */
const LEAST_BYTES = 2 * NODE_BYTES;
/** Logs that one look measures, at least; of more, a sixth: all of them in a minute. */
const LOOK_LEAST = 2_000;
const LOOK_SHARE = 6;
/** Logs that are asked about together. */
const PIECE = 100;

interface Log {
  readonly account: string;
  readonly bytes: number;
  readonly events: number;
}

/**
 * Holds the activity logs of all accounts together within their bytes. They are measured one after
 * the other, and once all are, the share follows that each may have: equal parts, and whoever takes
 * less keeps all. What a log has beyond its share goes, oldest events first; where the shares would
 * be too small to be of use, the logs that nothing was added to for longest go as a whole. Nothing
 * is lost: the record has every event. The log of notices, which webhooks and pages are read from,
 * counts like another and is left alone: it holds few.
 *
 * Several instances do the same; the second finds nothing to do.
 */
export class ActivityBound {
  readonly #options: ActivityBoundOptions;
  /** Bytes that one log may have. */
  #share = Number.POSITIVE_INFINITY;
  #bytesPerEvent = 512;
  #cursor = '0';
  /** Of the logs measured since the last time that all were. */
  #sizes: number[] = [];
  #bytes = 0;
  #events = 0;
  #sinceLook = 0;
  #lookAfterBytes: number = RETENTION.lookBytes.least;
  #blind = false;
  #open = true;

  constructor(options: ActivityBoundOptions) {
    this.#options = options;
  }

  /** Longest activity log now, in events. */
  get longest(): number {
    if (this.#share === Number.POSITIVE_INFINITY) return this.#share;
    return Math.max(1, Math.floor((this.#share - NODE_BYTES) / this.#bytesPerEvent));
  }

  /** Notes what was written. Answers whether so much has come that somebody should look. */
  appended(bytes: number): boolean {
    this.#sinceLook += bytes;
    return this.#sinceLook >= this.#lookAfterBytes;
  }

  close(): void {
    this.#open = false;
  }

  /** @param memories of the servers that hold the record. Throws `StoreUnavailable`. */
  async look(memories: readonly Memory[]): Promise<void> {
    const most = activityBytes(this.#options.maxBytes, memories);
    const { least, most: longest } = RETENTION.lookBytes;
    this.#sinceLook = 0;
    this.#lookAfterBytes = Math.min(longest, Math.max(least / 4, Math.floor(most / 64)));
    try {
      await this.#forgetExpired();
      const share = this.#share;
      const all = await this.#measure(most);
      // What is to go now was seen under a larger share.
      if (all && this.#share < share) await this.#measure(most);
    } catch (fault) {
      if (!(fault instanceof StoreUnavailable && fault.code === 'NOPERM')) throw fault;
      if (!this.#blind) this.#options.blind();
      this.#blind = true;
    }
  }

  /** Logs whose time is over: Redis has forgotten them by itself. */
  async #forgetExpired(): Promise<void> {
    const { connection, keys, clock, lifeMs } = this.#options;
    const oldest = Math.floor(clock.wallMs() - lifeMs);
    await connection.call('ZREMRANGEBYSCORE', keys.touched, '-inf', oldest);
  }

  /**
   * The next logs in turn, and cuts those beyond their share. Answers whether it has seen all,
   * beginning with the first.
   */
  async #measure(most: number): Promise<boolean> {
    const { connection, keys } = this.#options;
    const fromFirst = this.#cursor === '0';
    const count = Number(await connection.call('ZCARD', keys.touched));
    const enough = Math.max(LOOK_LEAST, Math.ceil(count / LOOK_SHARE));
    let seen = 0;
    do {
      const words = [keys.touched, this.#cursor, 'COUNT', PIECE] as const;
      const [next, found] = (await connection.call('ZSCAN', ...words)) as [string, string[]];
      const accounts = found.filter((_, index) => index % 2 === 0);
      for (const log of await this.#logsOf(accounts)) await this.#take(log);
      seen += accounts.length;
      this.#cursor = next;
    } while (this.#cursor !== '0' && seen < enough && this.#open);
    if (this.#cursor !== '0' || !this.#open) return false;
    await this.#shareOut(most);
    return fromFirst;
  }

  async #logsOf(accounts: readonly string[]): Promise<readonly Log[]> {
    const { connection, keys } = this.#options;
    return Promise.all(
      accounts.map(async (account) => {
        const key = keys.activity(account);
        const [bytes, events] = await Promise.all([
          connection.callAt(key, 'MEMORY', 'USAGE', key),
          connection.call('XLEN', key),
        ]);
        return { account, bytes: Number(bytes ?? 0), events: Number(events) };
      }),
    );
  }

  async #take({ account, bytes, events }: Log): Promise<void> {
    this.#sizes.push(Math.min(bytes, this.#share));
    this.#bytes += bytes;
    this.#events += events;
    if (bytes <= this.#share || account === NOTICE_LOG) return;
    // Whole nodes go, so up to one more than this is left.
    const kept = Math.floor((events * (this.#share - NODE_BYTES)) / bytes);
    const words = ['MAXLEN', '~', Math.max(1, kept), 'LIMIT', 0] as const;
    await this.#options.connection.call('XTRIM', this.#options.keys.activity(account), ...words);
  }

  /** All were measured. */
  async #shareOut(most: number): Promise<void> {
    const sizes = Float64Array.from(this.#sizes);
    const target = most * (1 - FREE);
    if (this.#events > 0) this.#bytesPerEvent = Math.max(1, this.#bytes / this.#events);
    const full = Math.min(this.#share * 0.8, this.#share - 3 * NODE_BYTES);
    const share = equalShare(sizes, target, full);
    this.#share = Math.max(LEAST_BYTES, share);
    this.#sizes = [];
    this.#bytes = 0;
    this.#events = 0;
    if (share >= LEAST_BYTES) return;
    const taken = sizes.reduce((sum, size) => sum + Math.min(size, LEAST_BYTES), 0);
    if (taken > target) await this.#dropOldest(taken - target);
  }

  /** Whole logs, those first that nothing was added to for longest. */
  async #dropOldest(excess: number): Promise<void> {
    const { connection, keys } = this.#options;
    for (let left = excess; left > 0 && this.#open; ) {
      const oldest = (await connection.call('ZRANGE', keys.touched, 0, PIECE - 1)) as string[];
      const accounts = oldest.filter((account) => account !== NOTICE_LOG);
      if (accounts.length === 0) return;
      for (const { account, bytes } of await this.#logsOf(accounts)) {
        if (left <= 0) break;
        // In this order: to what is added meanwhile nothing happens but that it goes too.
        await connection.call('ZREM', keys.touched, account);
        await connection.call('DEL', keys.activity(account));
        left -= Math.min(bytes, this.#share);
      }
    }
  }
}

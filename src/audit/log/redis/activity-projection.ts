import type { Clock } from '../../../clock.ts';
import type { AuditKeys } from '../../../store/keys.ts';
import type { RedisConnection } from '../../../store/redis.ts';
import { loadScript } from '../../../store/script.ts';
import type { EventBatch } from '../../batch.ts';
import { NOTICE_LOG, NOTICES_LEAST } from '../../event/notice-event.ts';
import { eachEvent } from '../../outbox/lines.ts';

export interface ProjectionObserver {
  /** Events that are in the record but will be missing from an activity log until it is rebuilt. */
  activityLost(count: number): void;
}

interface ProjectionOptions {
  readonly connection: RedisConnection;
  readonly keys: AuditKeys;
  readonly clock: Clock;
  readonly lifeMs: number;
  readonly observer: ProjectionObserver;
}

/**
 * Events of many batches are written together: one command per account and moment instead of one
 * per event.
 */
const GATHER_MS = 50;
/** Past these, events are left out and counted. */
const MAX_EVENTS = 10_000;
const MAX_BYTES = 8 * 1024 * 1024;
/** What notices may take beyond them: many calls must leave room for what webhooks tell. */
const NOTICE_ROOM = { events: NOTICES_LEAST, bytes: MAX_BYTES / 8 } as const;
/** Accounts that are noted by one command. */
const NOTED_AT_ONCE = 500;
/** Commands under way at a time. */
const CONCURRENCY = 16;
const CLOSE_MS = 500;

const ACTIVITY = loadScript('audit-activity');

/**
 * Copies accepted events into the activity logs of their accounts, where those lie on other servers
 * than the record (a Cluster). Best effort: the audit streams hold the truth, so a copy that fails
 * is counted and not repeated (a repeat could double events).
 */
export function createActivityProjection(options: ProjectionOptions) {
  const { connection, keys, observer } = options;
  let gathered = new Map<string, Buffer[]>();
  /** When the oldest of what is gathered, and of what is being written, was added; null = none. */
  let oldestMs: number | null = null;
  let writingMs: number | null = null;
  let events = 0;
  let bytes = 0;
  let timer: NodeJS.Timeout | null = null;
  let writing: Promise<void> | null = null;
  let open = true;
  let perAccount = 0;

  async function writeOne(account: string, lines: readonly Buffer[]): Promise<void> {
    try {
      await connection.run(
        ACTIVITY,
        [keys.activity(account)],
        [Buffer.concat(lines), perAccount, options.lifeMs],
      );
    } catch {
      observer.activityLost(lines.length);
    }
  }

  async function write(accounts: Map<string, Buffer[]>): Promise<void> {
    const queue = accounts.entries();
    const worker = async () => {
      // The iterator is shared: each worker takes the next account.
      for (const [account, lines] of queue) await writeOne(account, lines);
    };
    await Promise.all(Array.from({ length: Math.min(CONCURRENCY, accounts.size) }, worker));
    // A log that is not noted is found when it is next added to.
    await note([...accounts.keys()]).catch(() => {});
  }

  async function note(accounts: readonly string[]): Promise<void> {
    const nowMs = Math.floor(options.clock.wallMs());
    for (let at = 0; at < accounts.length; at += NOTED_AT_ONCE) {
      const some = accounts.slice(at, at + NOTED_AT_ONCE).flatMap((account) => [nowMs, account]);
      await connection.call('ZADD', keys.touched, ...some);
    }
  }

  function flush(): void {
    timer = null;
    if (writing !== null || events === 0) return;
    const accounts = gathered;
    writingMs = oldestMs;
    oldestMs = null;
    gathered = new Map();
    events = 0;
    bytes = 0;
    // `write` cannot reject: each command's failure is counted where it happens.
    writing = write(accounts).finally(() => {
      writing = null;
      writingMs = null;
      if (open && events > 0) schedule();
    });
  }

  function schedule(): void {
    timer ??= setTimeout(flush, GATHER_MS);
  }

  function hasRoom(account: string): boolean {
    const beyond = account === NOTICE_LOG ? NOTICE_ROOM : { events: 0, bytes: 0 };
    return open && events < MAX_EVENTS + beyond.events && bytes < MAX_BYTES + beyond.bytes;
  }

  function addOne(account: string, event: Buffer): void {
    let lines = gathered.get(account);
    if (lines === undefined) {
      lines = [];
      gathered.set(account, lines);
    }
    // A copy: the memory of the batch is used anew before this is written.
    lines.push(Buffer.from(event));
    oldestMs ??= options.clock.monotonicMs();
    events++;
    bytes += event.length;
  }

  return {
    /**
     * For how long the oldest event has been waiting that is not copied yet, in ms; 0 = none is.
     */
    get lagMs(): number {
      const since = writingMs ?? oldestMs;
      return since === null ? 0 : Math.max(0, options.clock.monotonicMs() - since);
    },
    /** @param longest longest log of an account, in events */
    add(batch: EventBatch, longest: number): void {
      perAccount = longest;
      let left = 0;
      eachEvent(batch, (event, account) => {
        if (account === null) return;
        if (hasRoom(account)) addOne(account, event);
        else left++;
      });
      if (left > 0) observer.activityLost(left);
      if (events > 0 && writing === null) schedule();
    },
    async close(): Promise<void> {
      open = false;
      if (timer !== null) clearTimeout(timer);
      const all = (async () => {
        await writing;
        flush();
        await writing;
      })();
      await within(all, CLOSE_MS);
    },
  };
}

async function within(work: Promise<void>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([work, late]);
  clearTimeout(timer);
}

import type { EventBatch } from '../../batch.ts';
import type { HeadLedger } from '../../chain/ledger.ts';
import type { CutWitness } from '../../chain/witness.ts';
import type { PermitLedger } from '../../permits/ledger.ts';
import { type AuditLog, type AuditReader, type AuditScan, AuditUnavailable } from '../../port.ts';
import { type AuditRetention, RETENTION } from '../retention.ts';
import { AuditWorker } from './thread.ts';

export interface EmbeddedAuditOptions {
  /** The file, `audit.db` in the data folder. Created with mode 0600 when it is not there. */
  readonly path: string;
  readonly retention: AuditRetention;
  readonly activityPerAccount: number;
  /** How long one request to the worker may take, in milliseconds. Below the outbox's deadline. */
  readonly timeoutMs?: number;
}

const TIMEOUT_MS = 900;
/** The last moments: a whole queue may stand before the end. */
const CLOSE_MS = 5000;
const MAX_PAGE = 500;
/** Integers of SQLite that JavaScript holds exactly. */
const CURSOR = /^\d{1,15}$/;

/**
 * The audit log in a file of one's own. Both ports at once: readers and the log share the worker,
 * so closing it ends both. Throws `AuditUnavailable` when the file cannot be opened.
 */
export async function openEmbeddedAudit(
  options: EmbeddedAuditOptions,
): Promise<AuditLog & AuditReader> {
  const worker = new AuditWorker(
    {
      path: options.path,
      retentionDays: options.retention.days,
      maxBytes: options.retention.maxBytes ?? RETENTION.embeddedBytes,
      activityPerAccount: options.activityPerAccount,
    },
    options.timeoutMs ?? TIMEOUT_MS,
  );
  await worker.ready();
  return new EmbeddedAudit(worker);
}

class EmbeddedAudit implements AuditLog, AuditReader {
  readonly #worker: AuditWorker;
  #witness: CutWitness | null = null;
  #isCutting = false;

  constructor(worker: AuditWorker) {
    this.#worker = worker;
  }

  async append({ instance, firstSeq, notes, ...batch }: EventBatch): Promise<void> {
    if (batch.count === 0) return;
    const { packed, memory } = copyOf(batch);
    const request = { op: 'append', instance, firstSeq, notes, ...packed } as const;
    const { due = null } = await this.#worker.ask(request, memory);
    if (due !== null && !this.#isCutting) void this.#cut(due);
  }

  witnessCuts(witness: CutWitness): void {
    this.#witness = witness;
  }

  get permits(): PermitLedger {
    const worker = this.#worker;
    return {
      alive: async () => true,
      silent: async () => (await worker.ask({ op: 'silent' })).silent ?? [],
      left: async (instance) => (await worker.ask({ op: 'left', instance })).left ?? null,
      async close(instance, left, outcomes, written) {
        const { packed, memory } = copyOf(outcomes);
        const request = { op: 'close-permits', instance, left, written, ...packed } as const;
        return (await worker.ask(request, memory)).closed === true;
      },
      unvouched: async (voucher) =>
        (await worker.ask({ op: 'unvouched', voucher })).unvouched ?? [],
      takeOver: async (written, voucher) =>
        void (await worker.ask({ op: 'take-over', written, voucher })),
      vouched: async ({ digest }) => void (await worker.ask({ op: 'vouched', digest })),
      forget: async (instance) => void (await worker.ask({ op: 'forget', instance })),
    };
  }

  get heads(): HeadLedger {
    const worker = this.#worker;
    const signed = async () =>
      (await worker.ask({ op: 'signed' })).signed ?? { heads: [], keys: [], anchors: [] };
    return {
      keepHead: async (instance, line) =>
        void (await worker.ask({ op: 'keep-head', instance, line })),
      keepKey: async (key) => void (await worker.ask({ op: 'keep-key', key })),
      forgetHeads: async (beforeMs) => void (await worker.ask({ op: 'forget-heads', beforeMs })),
      heads: async () => (await signed()).heads,
      keys: async () => (await signed()).keys,
    };
  }

  async activity(query: { account: string; before: string | null; limit: number }) {
    return this.#read(query.account, query.before, query.limit);
  }

  async noticesAfter(after: string | null, limit: number) {
    const { read } = await this.#worker.ask({
      op: 'notices',
      after: numberIn(after),
      limit: Math.min(MAX_PAGE, Math.max(0, Math.trunc(limit))),
    });
    const { events = [], numbers = [], next = 0 } = read ?? {};
    const items = events.map((event, index) => ({ at: String(numbers[index]), event }));
    return { items, end: String(next ?? 0) };
  }

  async tail(query: { before: string | null; limit: number; sinceMs?: number | null }) {
    return this.#read(null, query.before, query.limit, query.sinceMs ?? null);
  }

  async search({ before, ...query }: Parameters<AuditReader['search']>[0]) {
    const from = numberIn(before);
    const { search } = await this.#worker.ask({ op: 'search', ...query, before: from });
    if (search === undefined) throw new AuditUnavailable('the audit worker gave no page');
    return { ...search, next: search.next === null ? null : String(search.next) };
  }

  async oldestMs(): Promise<number | null> {
    return (await this.#worker.ask({ op: 'oldest' })).oldestMs ?? null;
  }

  get record(): AuditScan {
    const worker = this.#worker;
    return {
      async scan({ after, limit }) {
        if (after !== null && !CURSOR.test(after))
          throw new RangeError('the place is not one that this log gave out');
        const place = Number(after ?? 0);
        const { read } = await worker.ask({ op: 'scan', after: place, limit });
        const events = read?.events ?? [];
        return { events, next: String(read?.next ?? place), isEnd: events.length < limit };
      },
      size: async () => (await worker.ask({ op: 'size' })).size ?? 0,
      heads: () => this.heads.heads(),
      keys: () => this.heads.keys(),
      anchors: async () => (await worker.ask({ op: 'signed' })).signed?.anchors ?? [],
    };
  }

  async close(): Promise<void> {
    await this.#worker.close(CLOSE_MS);
  }

  /** One lump at a time, with room for other requests in between, each signed before it goes. */
  async #cut(dueMs: number): Promise<void> {
    this.#isCutting = true;
    try {
      for (let beforeMs: number | null = dueMs; beforeMs !== null; ) {
        const signed = this.#witness?.sign('all', beforeMs);
        const anchor = signed === undefined ? null : JSON.stringify(signed);
        const { gone = 0, due = null } = await this.#worker.ask({ op: 'cut', beforeMs, anchor });
        this.#witness?.cut({ stream: 'all', beforeMs, count: gone });
        beforeMs = due;
      }
    } catch (fault) {
      // The appends say so to those who must know, and ask again.
      if (!(fault instanceof AuditUnavailable)) throw fault;
    } finally {
      this.#isCutting = false;
    }
  }

  async #read(
    account: string | null,
    before: string | null,
    limit: number,
    sinceMs: number | null = null,
  ) {
    const from = numberIn(before);
    const wanted = Math.min(MAX_PAGE, Math.max(1, Math.trunc(limit)));
    const { read: answer } = await this.#worker.ask({
      op: 'read',
      account,
      before: from,
      limit: wanted,
      sinceMs,
    });
    if (answer === undefined) throw new AuditUnavailable('the audit worker gave no page');
    return {
      events: answer.events,
      cursors: answer.numbers.map(String),
      next: answer.next === null ? null : String(answer.next),
    };
  }
}

/** Throws `RangeError` for what is no cursor of ours. */
function numberIn(cursor: string | null): number | null {
  if (cursor !== null && !CURSOR.test(cursor))
    throw new RangeError('the cursor is not one that this log gave out');
  return cursor === null ? null : Number(cursor);
}

/** The worker gets a copy, so that it does not matter when it reads it. */
function copyOf({ count, accounts, ...batch }: Omit<EventBatch, 'instance' | 'firstSeq'>) {
  const lines = new Uint8Array(batch.lines);
  const marks = new Uint8Array(batch.marks);
  return { packed: { count, accounts, lines, marks }, memory: [lines.buffer, marks.buffer] };
}

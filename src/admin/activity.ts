import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import { markOf, timeOf } from '../audit/event/read.ts';
import { type AuditReader, AuditUnavailable, type EventPage } from '../audit/port.ts';
import type { RegistryStore } from '../registry/port.ts';
import { turn } from '../turns.ts';
import { type AccountRef, resolveAccountId } from './accounts.ts';
import { type AdminActor, mustHave } from './actor.ts';
import { reading } from './change.ts';
import { AdminError } from './error.ts';
import { parsed } from './input.ts';
import { ACTIVITY } from './schemas/questions.ts';

/** `account: null` = everybody's. */
export interface ActivityQuery {
  readonly account: AccountRef | null;
  /**
   * For who follows: the mark of the last event that was seen (`markOf`). What came after it is
   * shown instead of the newest events.
   */
  readonly after?: string;
  /** How many of the newest events, 1 to 1000; default 50. */
  readonly limit?: number;
}

export interface ActivityContext {
  readonly store: RegistryStore;
  readonly audit: AuditReader;
}

const PAGE = 200;
/** Events whose time is read in one turn of the loop. */
const READ_AT_ONCE = 1_000;

/**
 * What two reads of a follower may lie apart, and the most that it reads at once: what is older by
 * then it leaves out, and says so.
 */
const FOLLOW = { everyMs: 500, events: 5_000, remembered: 20_000 } as const;

/** One item of a followed log: an event, or word that some went by unseen. */
export type Followed = { readonly event: string } | { readonly skipped: true };

/**
 * The newest events and then every further one, until the signal says stop or the consumer leaves.
 */
export async function* followActivity(
  context: ActivityContext,
  actor: AdminActor,
  query: ActivityQuery,
  signal: AbortSignal,
): AsyncGenerator<Followed> {
  mustHave(actor, 'sallyport:activity:read');
  const { limit, after } = readFollowed(query);
  const account = await accountOf(context, query.account);
  const seen = new Set<string>();
  if (after === null) {
    // More is read than is shown: what the next look finds on the page of the newest, and was there
    // before, is not news.
    const events = await merged(context, account, Math.max(limit, PAGE), () => false);
    for (const event of events) seen.add(event);
    for (const event of events.slice(-limit)) yield { event };
  } else {
    const missed = await newestOf(
      context,
      account,
      FOLLOW.events,
      (event) => timeOf(event) < after.from,
    );
    if (missed.length >= FOLLOW.events) yield { skipped: true };
    for (const event of missed) {
      seen.add(event);
      if (timeOf(event) >= after.from && markOf(event) !== after.mark) yield { event };
    }
  }
  while (!signal.aborted) {
    const events = (
      await merged(context, account, FOLLOW.events, (event) => seen.has(event))
    ).slice(-FOLLOW.events);
    const fresh = events.filter((event) => !seen.has(event));
    if (seen.size > 0 && fresh.length >= FOLLOW.events) yield { skipped: true };
    for (const event of fresh) {
      seen.add(event);
      yield { event };
    }
    forgetOldest(seen);
    await sleep(FOLLOW.everyMs, undefined, { signal }).catch(() => {});
  }
}

/**
 * Events of one moment may become readable out of order, so somewhat more is shown again than was
 * missed.
 */
const OVERLAP_MS = 2_000;

function resumption(mark: string): { readonly mark: string; readonly from: string } {
  const ms = Date.parse(mark.split('~', 1)[0] ?? '');
  return { mark, from: new Date(Math.max(0, ms - OVERLAP_MS)).toISOString() };
}

function forgetOldest(seen: Set<string>): void {
  for (const event of seen) {
    if (seen.size <= FOLLOW.remembered) return;
    seen.delete(event);
  }
}

const QUERY = z.strictObject(ACTIVITY);

/** Throws `invalid` for what cannot be followed. */
export function readFollowed(query: ActivityQuery) {
  const { limit = 50, after } = parsed(QUERY, query);
  return { limit, after: after === undefined ? null : resumption(after) };
}

/** The id of whose log is read; null: everybody's. */
export async function accountOf(
  { store }: Pick<ActivityContext, 'store'>,
  account: AccountRef | null,
): Promise<string | null> {
  return account === null ? null : reading(() => resolveAccountId(store, account));
}

/** Reads one page of a log, from its newest event or from a cursor on. */
export type LogPage = (before: string | null, limit: number) => Promise<EventPage>;

/**
 * The two logs of an account, or of all: what it did, and what was done to it.
 *
 * @param sinceMs whoever reads has no use for what was recorded before that; null: for everything
 */
export function logsOf(
  { store, audit }: ActivityContext,
  account: string | null,
  sinceMs: number | null = null,
): { calls: LogPage; changes: LogPage } {
  return {
    calls: (before, limit) =>
      readingLog(() =>
        account === null
          ? audit.tail({ before, limit, sinceMs })
          : audit.activity({ account, before, limit }),
      ),
    changes: (before, limit) =>
      readingLog(async () => {
        const { items, cursors, next } = await store.changes({ account, before, limit });
        const last = items.at(-1);
        // Changes are recorded at once: what follows is older still.
        const isOver = sinceMs !== null && last !== undefined && Date.parse(timeOf(last)) < sinceMs;
        return { events: items, cursors, next: isOver ? null : next };
      }),
  };
}

async function newestOf(
  context: ActivityContext,
  account: string | null,
  limit: number,
  known: (event: string) => boolean,
): Promise<readonly string[]> {
  return (await merged(context, account, limit, known)).slice(-limit);
}

/**
 * Calls and changes are two logs; each is read from its newest end, up to `limit`, and the two are
 * laid into one by time.
 */
async function merged(
  context: ActivityContext,
  account: string | null,
  limit: number,
  known: (event: string) => boolean,
): Promise<readonly string[]> {
  const { calls, changes } = logsOf(context, account);
  const [called, changed] = await Promise.all([
    readBack(calls, limit, known),
    readBack(changes, limit, known),
  ]);
  const all: { readonly event: string; readonly time: string }[] = [];
  for (const event of [...called, ...changed]) {
    if (all.length % READ_AT_ONCE === 0) await turn();
    all.push({ event, time: timeOf(event) });
  }
  // Stable: events of one millisecond keep the order of their log.
  all.sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0));
  return all.map(({ event }) => event);
}

/** Up to `limit` events, oldest first; stops after a page that holds something known. */
async function readBack(
  read: LogPage,
  limit: number,
  known: (event: string) => boolean,
): Promise<string[]> {
  const found: string[] = [];
  let before: string | null = null;
  do {
    const page: EventPage = await read(before, Math.min(PAGE, limit - found.length));
    await turn();
    found.push(...page.events);
    before = page.events.some(known) ? null : page.next;
  } while (before !== null && found.length < limit);
  return found.reverse();
}

export async function readingLog<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await reading(read);
  } catch (error) {
    if (!(error instanceof AuditUnavailable)) throw error;
    throw new AdminError('unavailable', `the audit log cannot be read: ${error.message}`, {
      cause: error,
    });
  }
}

import * as z from 'zod';
import { NOTICE_LOG } from '../audit/event/notice-event.ts';
import { timeOf } from '../audit/event/read.ts';
import type { AccountRef } from './accounts.ts';
import { type ActivityContext, accountOf, logsOf, readingLog } from './activity.ts';
import { type ActivityFilter, concerns, readFilter } from './activity-filter.ts';
import { type AdminActor, mustBeThere } from './actor.ts';
import { Backwards, type Cursor, newerOf, type Place, START } from './backwards.ts';
import { type AdminContext, recordOf } from './context.ts';
import { invalid } from './error.ts';
import { parsed } from './input.ts';
import { checkCursor, lookUpRequest, SKEW_MS } from './request-lookup.ts';
import { ACTIVITY_PAGE } from './schemas/questions.ts';

/** `account: null` = everybody's. */
export interface ActivityPageQuery extends ActivityFilter {
  readonly account: AccountRef | null;
  readonly cursor?: string | null;
  /**
   * 1 to 500; default 100. A page may hold fewer although more follow: only `next: null` is the
   * end.
   */
  readonly limit?: number;
  /**
   * The record itself: also what is written for its proof alone, and of an account all that the
   * record has, where its activity log holds the newest only. For exports.
   */
  readonly everything?: boolean;
}

export interface ActivityPage {
  /** Lines of JSON, newest first. */
  readonly items: readonly string[];
  readonly next: string | null;
  /**
   * Said where `since` is older: from then on calls are on record (ISO 8601, UTC). What
   * was before is no longer kept, or was never recorded.
   */
  readonly begins?: string;
}

/**
 * Events looked through for one page: a filter that matches little must not make one request read
 * everything.
 */
const EXAMINED_MAX = 5_000;

/**
 * One page of the calls and changes of an account, or of all, laid into one by time. Throws
 * `AdminError` (`unavailable`) where the record cannot be read.
 */
export async function pageActivity(
  given: Pick<AdminContext, 'store' | 'audit'>,
  actor: AdminActor,
  query: ActivityPageQuery,
): Promise<ActivityPage> {
  const context: ActivityContext = { store: given.store, audit: recordOf(given) };
  const { limit, cursor, holds, everything, since, requestId, phase } = readPageQuery(query);
  const account = await accountOf(context, query.account);
  const isWhole = everything || requestId !== null;
  // Notices are about an account and not by it: they stand in one log of their own.
  const areNotices = !isWhole && account !== null && phase === 'notice';
  const log = areNotices ? NOTICE_LOG : isWhole ? null : account;
  const matches =
    (isWhole || areNotices) && account !== null
      ? (event: string) => holds(event) && concerns(event, account)
      : holds;
  const sinceMs = since === null ? null : Date.parse(since) - SKEW_MS;
  if (requestId !== null)
    return lookUpRequest(context, actor, requestId, sinceMs, matches, query.cursor ?? null);
  const began = await begins(context, since);
  const from = cursor ?? START;
  const logs = logsOf(context, log, sinceMs);
  const calls = new Backwards(logs.calls, from.calls, from.oldest);
  const changes = new Backwards(logs.changes, from.changes, from.oldest);
  let oldest = from.oldest;
  const items: string[] = [];
  for (let examined = 0; items.length < limit && examined < EXAMINED_MAX; examined += 1) {
    mustBeThere(actor);
    const newer = newerOf(await calls.peek(), await changes.peek());
    if (newer === null) return { items, next: null, ...began };
    const event = (newer === 'calls' ? calls : changes).take();
    oldest = timeOf(event);
    if (matches(event)) items.push(event);
  }
  const over = newerOf(await calls.peek(), await changes.peek()) === null;
  const next = over ? null : writeCursor(calls.place, changes.place, oldest);
  return { items, next, ...began };
}

async function begins(
  { audit }: ActivityContext,
  since: string | null,
): Promise<Pick<ActivityPage, 'begins'>> {
  if (since === null) return {};
  const ms = await readingLog(() => audit.oldestMs());
  return ms === null || ms <= Date.parse(since) ? {} : { begins: new Date(ms).toISOString() };
}

const QUERY = z.strictObject(ACTIVITY_PAGE);

function readPageQuery(query: ActivityPageQuery) {
  const read = parsed(QUERY, query);
  const { account: _, cursor: text = null, limit = 100, everything = false, ...filter } = read;
  const { since = null, requestId = null, phase = null } = filter;
  const holds = readFilter(filter as ActivityFilter, everything);
  if (requestId !== null) checkCursor(text);
  const cursor = text === null || requestId !== null ? null : readCursor(text);
  return { limit, everything, holds, since, requestId, phase, cursor };
}

/** How far back the pages have come that end here: the time of their last event; null at first. */
export function timeInCursor(cursor: string): string | null {
  return readCursor(cursor).oldest;
}

function writeCursor(calls: Place, changes: Place, oldest: string | null): string {
  return Buffer.from(JSON.stringify([calls, changes, oldest])).toString('base64url');
}

/** As the stores give them out: numbers, with something between them. */
const PLACE = /^(?:end|\d{1,15}(?:-\d{1,15})?(?:~\d{1,3})?)$/;

function readCursor(text: string): Cursor {
  try {
    const places = JSON.parse(Buffer.from(text, 'base64url').toString('utf8')) as unknown;
    if (Array.isArray(places) && places.length === 3) {
      const [calls, changes, oldest] = places as readonly unknown[];
      const isTime = oldest === null || (typeof oldest === 'string' && oldest.length <= 32);
      if (isPlace(calls) && isPlace(changes) && isTime) return { calls, changes, oldest };
    }
  } catch {
    // Said below.
  }
  throw invalid([{ field: 'cursor', message: 'is not one that was given out here' }]);
}

function isPlace(value: unknown): value is Place {
  return value === null || (typeof value === 'string' && PLACE.test(value));
}

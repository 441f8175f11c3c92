import * as z from 'zod';
import { timeOf } from '../audit/event/read.ts';
import { turn } from '../turns.ts';
import type { AccountRef } from './accounts.ts';
import { resolveAccountId } from './accounts.ts';
import { type ActivityContext, type LogPage, logsOf } from './activity.ts';
import { type ActivityFilter, concerns, readFilter } from './activity-filter.ts';
import { type AdminActor, mustHave } from './actor.ts';
import { reading } from './change.ts';
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
}

/**
 * Events looked through for one page: a filter that matches little must not make one request read
 * everything.
 */
const EXAMINED_MAX = 5_000;
const PAGE = 200;

/** One page of the calls and changes of an account, or of all, laid into one by time. */
export async function pageActivity(
  context: ActivityContext,
  actor: AdminActor,
  query: ActivityPageQuery,
): Promise<ActivityPage> {
  mustHave(actor, 'sallyport:activity:read');
  const { limit, cursor, holds, everything, since, requestId } = readPageQuery(query);
  const account =
    query.account === null
      ? null
      : await reading(() => resolveAccountId(context.store, query.account as AccountRef));
  const isWhole = everything || requestId !== null;
  const matches =
    isWhole && account !== null
      ? (event: string) => holds(event) && concerns(event, account)
      : holds;
  const sinceMs = since === null ? null : Date.parse(since) - SKEW_MS;
  if (requestId !== null)
    return lookUpRequest(context, requestId, sinceMs, matches, query.cursor ?? null);
  const from = cursor ?? START;
  const logs = logsOf(context, isWhole ? null : account, sinceMs);
  const calls = new Backwards(logs.calls, from.calls, from.oldest);
  const changes = new Backwards(logs.changes, from.changes, from.oldest);
  let oldest = from.oldest;
  const items: string[] = [];
  for (let examined = 0; items.length < limit && examined < EXAMINED_MAX; examined += 1) {
    const newer = newerOf(await calls.peek(), await changes.peek());
    if (newer === null) return { items, next: null };
    const event = (newer === 'calls' ? calls : changes).take();
    oldest = timeOf(event);
    if (matches(event)) items.push(event);
  }
  const over = newerOf(await calls.peek(), await changes.peek()) === null;
  return { items, next: over ? null : writeCursor(calls.place, changes.place, oldest) };
}

const QUERY = z.strictObject(ACTIVITY_PAGE);

function readPageQuery(query: ActivityPageQuery) {
  const read = parsed(QUERY, query);
  const { account: _, cursor: text = null, limit = 100, everything = false, ...filter } = read;
  const { since = null, requestId = null } = filter;
  const holds = readFilter(filter as ActivityFilter, everything);
  if (requestId !== null) checkCursor(text);
  const cursor = text === null || requestId !== null ? null : readCursor(text);
  return { limit, everything, holds, since, requestId, cursor };
}

/**
 * A change comes before a call of the same millisecond: it is the call that it let in or kept out.
 * Newest first, so here the call is taken first.
 */
function newerOf(call: string | null, change: string | null): 'calls' | 'changes' | null {
  if (call === null) return change === null ? null : 'changes';
  return change === null || timeOf(call) >= timeOf(change) ? 'calls' : 'changes';
}

/** Where a log is to be read on: null = at its newest event; `END` = there is nothing more. */
type Place = string | null;
const END = 'end';
const START: Cursor = { calls: null, changes: null, oldest: null };

interface Cursor {
  readonly calls: Place;
  readonly changes: Place;
  /** Time of the last event that was shown. */
  readonly oldest: string | null;
}

/** How far a log that no page has touched yet may have grown meanwhile, in pages. */
const GROWN_PAGES = 50;

/** One log, read from its newest end, event by event. */
class Backwards {
  readonly #read: LogPage;
  #page: { readonly events: readonly string[]; readonly cursors: readonly string[] } = {
    events: [],
    cursors: [],
  };
  #at = 0;
  #more: boolean;
  /**
   * A log that is begun only now has grown since the page before: what is newer than that page
   * ended is not part of what follows it.
   */
  #newest: string | null;
  place: Place;

  constructor(read: LogPage, place: Place, oldest: string | null) {
    this.#read = read;
    this.#more = place !== END;
    this.#newest = place === null ? oldest : null;
    this.place = place;
  }

  async peek(): Promise<string | null> {
    for (let pages = 0; this.#newest !== null && pages < GROWN_PAGES; pages += 1) {
      const event = await this.#look();
      const later = this.#page.events.findIndex(
        (one, index) => index >= this.#at && timeOf(one) <= (this.#newest ?? ''),
      );
      if (event === null || later !== -1) this.#newest = null;
      this.#at = later === -1 ? this.#page.events.length : later;
      if (this.#at > 0) this.place = this.#page.cursors[this.#at - 1] ?? this.place;
    }
    if (this.#newest !== null)
      throw invalid([
        { field: 'cursor', message: 'too much has happened since it was given out: begin anew' },
      ]);
    return this.#look();
  }

  async #look(): Promise<string | null> {
    while (this.#at >= this.#page.events.length && this.#more) {
      await turn();
      const { events, cursors, next } = await this.#read(this.place, PAGE);
      await turn();
      this.#page = { events, cursors };
      this.#at = 0;
      this.#more = next !== null && events.length > 0;
    }
    const event = this.#page.events[this.#at] ?? null;
    if (event === null) this.place = END;
    return event;
  }

  take(): string {
    const event = this.#page.events[this.#at] ?? '';
    this.place = this.#page.cursors[this.#at] ?? END;
    this.#at += 1;
    return event;
  }
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

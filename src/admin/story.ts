import * as z from 'zod';
import { type ReadEvent, readableEvent, readEvent, timeOf } from '../audit/event/read.ts';
import { withVisibleEscapes } from '../audit/event/text.ts';
import { type ActivityContext, logsOf } from './activity.ts';
import { readFilter } from './activity-filter.ts';
import { pageActivity } from './activity-page.ts';
import type { AdminActor } from './actor.ts';
import { Backwards, newerOf } from './backwards.ts';
import { type AdminContext, recordOf } from './context.ts';
import { parsed } from './input.ts';
import { STORY } from './schemas/questions.ts';

/** What happened with one request, and what happened around it. */
export interface Story {
  readonly requestId: string;
  /**
   * All that was recorded of it, as lines of JSON, newest first. Empty: nothing, as far as this
   * look reached back.
   */
  readonly items: readonly string[];
  /** Where the search goes on, which may find more of it; null: that was all. */
  readonly next: string | null;
  /** Null: it has not ended, or nobody measured it. */
  readonly timing: StoryTiming | null;
  /** Null: it was not found, or nothing says whose it was. */
  readonly neighbours: Neighbours | null;
}

/** How long it took, in milliseconds. */
export interface StoryTiming {
  readonly totalMs: number;
  /** The gate's part. */
  readonly gateMs: number | null;
  /** The upstream's part, until the head of its response. */
  readonly upstreamMs: number | null;
  /** What is left: contents on their way, at the pace of both ends. */
  readonly restMs: number | null;
}

/** Other events of the same account, or from the same address where no account was proved. */
export interface Neighbours {
  readonly of: 'account' | 'address';
  /** Name of the account, or the address. */
  readonly name: string;
  /** Lines of JSON, newest first: of each a few calls and changes. */
  readonly before: readonly string[];
  readonly after: readonly string[];
  /** False: so much has happened since that it was not looked for, or is no longer in the log. */
  readonly reached: boolean;
}

export interface StoryQuery {
  /** Also the id of an event without a request: a change by the command line, a sign-in. */
  readonly requestId: string;
  /** ISO 8601 with zone: it is not older, so nothing older is searched. */
  readonly since?: string;
  readonly cursor?: string | null;
}

/** Calls and changes on each side. */
export const NEIGHBOURS = 5;
/** Events looked through for them. */
const EXAMINED_MAX = 5_000;

const QUERY = z.strictObject(STORY);

/** Throws `AdminError` (`unavailable`) where the record cannot be read. */
export async function tellStory(
  context: AdminContext,
  actor: AdminActor,
  query: StoryQuery,
): Promise<Story> {
  return storyIn({ store: context.store, audit: recordOf(context) }, actor, query);
}

async function storyIn(
  context: ActivityContext,
  actor: AdminActor,
  query: StoryQuery,
): Promise<Story> {
  const { requestId, since, cursor = null } = parsed(QUERY, query);
  const asked = { account: null, requestId, cursor, ...(since === undefined ? {} : { since }) };
  const { items, next } = await pageActivity(context, actor, asked);
  const events = items.map(readEvent);
  const neighbours = await around(context, items, events);
  return { requestId, items, next, timing: timingOf(events), neighbours };
}

function timingOf(events: readonly ReadEvent[]): StoryTiming | null {
  const outcome = events.find((event) => event.phase === 'outcome');
  if (outcome === undefined || !('durationMs' in outcome)) return null;
  const { durationMs: totalMs } = outcome;
  if (totalMs === undefined) return null;
  const { gateMs = null, upstreamMs = null } = outcome as Partial<StoryTiming>;
  const isMeasured = gateMs !== null && upstreamMs !== null;
  const restMs = isMeasured ? rounded(Math.max(0, totalMs - gateMs - upstreamMs)) : null;
  return { totalMs, gateMs, upstreamMs, restMs };
}

/** To the microsecond, as the parts are kept. */
function rounded(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}

async function around(
  context: ActivityContext,
  items: readonly string[],
  events: readonly ReadEvent[],
): Promise<Neighbours | null> {
  const begun = events.findLast(({ phase }) => phase !== 'unreadable');
  const whose = begun === undefined ? null : callerOf(begun);
  if (begun === undefined || whose === null) return null;
  const own = new Set(items);
  const logs = logsOf(context, whose.of === 'account' ? whose.id : null);
  const walk = { logs, moment: begun.time, isAsked: (line: string) => !own.has(line) };
  const isTheirs = whose.of === 'account' ? () => true : fromAddress(whose.name);
  const found = await neighboursIn({ ...walk, isTheirs });
  return { of: whose.of, name: whose.name, ...found };
}

type Caller =
  | { readonly of: 'account'; readonly id: string; readonly name: string }
  | { readonly of: 'address'; readonly name: string };

function callerOf(event: ReadEvent): Caller | null {
  const { account, actor, clientAddress } = event as {
    readonly account?: { readonly id: string; readonly name: string } | null;
    readonly actor?: { readonly id: string | null; readonly name: string };
    readonly clientAddress?: string;
  };
  const { id = null, name = '' } = account ?? actor ?? {};
  if (id !== null) return { of: 'account', id, name };
  return clientAddress === undefined ? null : { of: 'address', name: clientAddress };
}

/** Whoever has proved to be nobody is known by nothing else. */
function fromAddress(address: string): (line: string) => boolean {
  return (line) => {
    if (!line.includes(address)) return false;
    const { clientAddress } = readEvent(line) as { readonly clientAddress?: string };
    return clientAddress === address;
  };
}

interface Walk {
  readonly logs: ReturnType<typeof logsOf>;
  /** ISO 8601, in UTC. */
  readonly moment: string;
  readonly isAsked: (line: string) => boolean;
  readonly isTheirs: (line: string) => boolean;
}

const isShown = readFilter({});

/**
 * From the newest end back to a few before the moment. A log may end before that: the log of one
 * account holds its newest events. What comes after its end is then not what came next.
 */
export async function neighboursIn({ logs, moment, isAsked, isTheirs }: Walk) {
  const calls = new Backwards(logs.calls, null, null);
  const changes = new Backwards(logs.changes, null, null);
  const after: string[] = [];
  const before: string[] = [];
  let reached = false;
  for (let examined = 0; examined < EXAMINED_MAX; examined += 1) {
    const newer = newerOf(await calls.peek(), await changes.peek());
    if (newer === null) break;
    const event = (newer === 'calls' ? calls : changes).take();
    reached ||= timeOf(event) <= moment;
    if (!isAsked(event) || !isShown(event) || !isTheirs(event)) continue;
    if (timeOf(event) > moment) {
      after.push(event);
      // A call has two events.
      if (after.length > 2 * NEIGHBOURS) after.shift();
    } else {
      before.push(event);
      if (before.filter(begins).length === NEIGHBOURS) break;
    }
  }
  return reached ? { before, after, reached } : { before: [], after: [], reached };
}

function begins(line: string): boolean {
  return readEvent(line).phase !== 'outcome';
}

/** The same as it is told over HTTP: events as JSON. */
export function storyOf({ items, neighbours, ...told }: Story): object {
  return { ...told, items: items.map(eventIn), neighbours: withEvents(neighbours, eventIn) };
}

/** The way back. */
export function storyFrom({ items, neighbours, ...told }: Story): Story {
  return { ...told, items: items.map(lineOf), neighbours: withEvents(neighbours, lineOf) };
}

function withEvents<T>(
  neighbours: Neighbours | null,
  as: (event: string) => T,
): (Omit<Neighbours, 'before' | 'after'> & Record<'before' | 'after', T[]>) | null {
  if (neighbours === null) return null;
  const { before, after, ...rest } = neighbours;
  return { ...rest, before: before.map(as), after: after.map(as) };
}

export function eventIn(line: string): unknown {
  return JSON.parse(readableEvent(line)) as unknown;
}

export function lineOf(event: unknown): string {
  return withVisibleEscapes(JSON.stringify(event));
}

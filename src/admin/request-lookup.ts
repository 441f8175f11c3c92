import { type ReadEvent, readEvent, timeOf } from '../audit/event/read.ts';
import { quoted } from '../audit/event/text.ts';
import { turn } from '../turns.ts';
import { type ActivityContext, logsOf, readingLog } from './activity.ts';
import { type AdminActor, mustBeThere } from './actor.ts';
import { invalid } from './error.ts';

/**
 * Finds what was recorded of one request. A request id says nothing of its time, and an index would
 * cost memory and time for every call; so the log is searched from its newest end, on the store's
 * side and piece by piece, until the decision is found: what came of it stands after it.
 */

/** Events looked at for one page; the next one goes on from there. */
const EXAMINED_MAX = 200_000;
const CHANGES_EXAMINED_MAX = 20_000;
const PAGE = 500;

/** What the clocks of instances and store may be apart, in milliseconds. */
export const SKEW_MS = 15 * 60_000;

const END = 'end';

/** Where a search goes on: in the calls, then in the changes back to a time. */
interface Place {
  readonly calls: string | null;
  readonly changes: string | null;
  readonly from: string;
}

const START: Place = { calls: null, changes: null, from: '' };

export async function lookUpRequest(
  context: ActivityContext,
  actor: AdminActor,
  requestId: string,
  sinceMs: number | null,
  matches: (event: string) => boolean,
  cursor: string | null,
): Promise<{ readonly items: readonly string[]; readonly next: string | null }> {
  const place = cursor === null ? START : (placeIn(cursor) ?? START);
  const calls = await searchCalls(context, actor, requestId, sinceMs, place);
  const found = calls.events.filter(matches);
  if (calls.place.calls !== END) return { items: newestFirst(found), next: cursorOf(calls.place) };
  const changes = await searchChanges(context, actor, requestId, sinceMs, calls.place);
  found.push(...changes.events.filter(matches));
  return { items: newestFirst(found), next: changes.next };
}

async function searchCalls(
  { audit }: ActivityContext,
  actor: AdminActor,
  id: string,
  sinceMs: number | null,
  place: Place,
) {
  const text = quoted(id);
  const events: string[] = [];
  let { calls, from } = place;
  for (let examined = 0; calls !== END && examined < EXAMINED_MAX; ) {
    mustBeThere(actor);
    const before = calls;
    const page = await readingLog(() => audit.search({ text, sinceMs, before }));
    await turn();
    examined += page.examined;
    const ours = page.events.filter((event) => isOf(event, id));
    events.push(...ours);
    const begun = ours.find(begins);
    if (begun !== undefined) from = new Date(Date.parse(timeOf(begun)) - SKEW_MS).toISOString();
    calls = begun === undefined ? (page.next ?? END) : END;
  }
  return { events, place: { ...place, calls, from } };
}

/** Changes are few: they are read, back to the request that made them. */
async function searchChanges(
  context: ActivityContext,
  actor: AdminActor,
  id: string,
  sinceMs: number | null,
  { from, ...place }: Place,
) {
  const { changes: read } = logsOf(context, null);
  const since = sinceMs === null ? '' : new Date(Math.max(0, sinceMs)).toISOString();
  const oldest = from > since ? from : since;
  const events: string[] = [];
  let { changes } = place;
  for (let examined = 0; examined < CHANGES_EXAMINED_MAX; ) {
    mustBeThere(actor);
    const page = await read(changes, PAGE);
    await turn();
    examined += page.events.length;
    events.push(...page.events.filter((event) => event.includes(quoted(id)) && isOf(event, id)));
    const last = page.events.at(-1);
    if (page.next === null || last === undefined || timeOf(last) < oldest)
      return { events, next: null };
    changes = page.next;
  }
  return { events, next: cursorOf({ calls: END, changes, from }) };
}

/** What cannot be read and holds the id is kept, too: nobody knows what it says. */
function isOf(line: string, id: string): boolean {
  const event: ReadEvent & { readonly requestId?: unknown } = readEvent(line);
  return event.phase === 'unreadable' || event.id === id || event.requestId === id;
}

/** Nothing about the request stands before it. */
function begins(line: string): boolean {
  const { phase } = readEvent(line);
  return phase === 'decision' || phase === 'sign-in';
}

/** Events of one moment: the outcome before its decision, as everywhere. */
function newestFirst(events: readonly string[]): readonly string[] {
  return events
    .map((event) => ({ event, time: timeOf(event) }))
    .sort((a, b) => (a.time < b.time ? 1 : a.time > b.time ? -1 : 0))
    .map(({ event }) => event);
}

function cursorOf({ calls, changes, from }: Place): string {
  return Buffer.from(JSON.stringify(['request', calls, changes, from])).toString('base64url');
}

const CALLS = /^[\d(+,\-a-z]{1,256}$/;
const CHANGES = /^\d{1,15}(?:-\d{1,15})?(?:~\d{1,3})?$/;

/** Null: no cursor of a search. */
function placeIn(cursor: string): Place | null {
  try {
    const read = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')) as unknown;
    if (!Array.isArray(read) || read.length !== 4 || read[0] !== 'request') return null;
    const [, calls, changes, from] = read as readonly unknown[];
    if (calls !== null && !(typeof calls === 'string' && CALLS.test(calls))) return null;
    if (changes !== null && !(typeof changes === 'string' && CHANGES.test(changes))) return null;
    if (typeof from !== 'string' || from.length > 32) return null;
    return { calls, changes, from };
  } catch {
    return null;
  }
}

export function checkCursor(cursor: string | null): void {
  if (cursor !== null && placeIn(cursor) === null)
    throw invalid([{ field: 'cursor', message: 'is not one that was given out here' }]);
}

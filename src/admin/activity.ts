import { setTimeout as sleep } from 'node:timers/promises';
import { type AuditReader, AuditUnavailable } from '../audit/port.ts';
import type { RegistryStore } from '../registry/port.ts';
import { type AccountRef, resolveAccountId } from './accounts.ts';
import { type AdminActor, mustHave } from './actor.ts';
import { reading } from './change.ts';
import { AdminError } from './error.ts';
import { Fields } from './fields.ts';

/** `account: null` = everybody's. */
export interface ActivityQuery {
  readonly account: AccountRef | null;
  /** How many of the newest events, 1 to 1000; default 50. */
  readonly limit?: number;
}

export interface ActivityContext {
  readonly store: RegistryStore;
  readonly audit: AuditReader;
}

const PAGE = 200;

/** What two reads of a follower may lie apart, and the most that it reads at once: what is older by then it leaves out, and says so. */
const FOLLOW = { everyMs: 500, events: 5_000, remembered: 20_000 } as const;

/** The newest events of an account (its calls and what was done to it), or of all; oldest first, as lines of JSON. */
export async function readActivity(
  context: ActivityContext,
  actor: AdminActor,
  query: ActivityQuery,
): Promise<readonly string[]> {
  const { account, limit } = await readQuery(context, actor, query);
  return newest(context, account, limit, () => false);
}

/** One item of a followed log: an event, or word that some went by unseen. */
export type Followed = { readonly event: string } | { readonly skipped: true };

/** The newest events and then every further one, until the signal says stop or the consumer leaves. */
export async function* followActivity(
  context: ActivityContext,
  actor: AdminActor,
  query: ActivityQuery,
  signal: AbortSignal,
): AsyncGenerator<Followed> {
  const { account, limit } = await readQuery(context, actor, query);
  const seen = new Set<string>();
  let wanted = limit;
  while (!signal.aborted) {
    const events = await newest(context, account, wanted, (event) => seen.has(event));
    const fresh = events.filter((event) => !seen.has(event));
    if (seen.size > 0 && fresh.length >= FOLLOW.events) yield { skipped: true };
    for (const event of fresh) {
      seen.add(event);
      yield { event };
    }
    // A log that is empty at first must not make the next look short.
    wanted = FOLLOW.events;
    forgetOldest(seen);
    await sleep(FOLLOW.everyMs, undefined, { signal }).catch(() => {});
  }
}

function forgetOldest(seen: Set<string>): void {
  for (const event of seen) {
    if (seen.size <= FOLLOW.remembered) return;
    seen.delete(event);
  }
}

async function readQuery(context: ActivityContext, actor: AdminActor, query: ActivityQuery) {
  mustHave(actor, 'sallyport:activity:read');
  const fields = new Fields(query, ['account', 'limit']);
  const limit = fields.integer('limit', 50, 1, 1000);
  fields.check();
  const account =
    query.account === null ? null : await reading(() => resolveAccountId(context.store, query.account as AccountRef));
  return { account, limit };
}

type ReadPage = (before: string | null, limit: number) => Promise<{ events: readonly string[]; next: string | null }>;

/** Calls and changes are two logs; each is read from its newest end, and the two are laid into one by time. */
async function newest(
  { store, audit }: ActivityContext,
  account: string | null,
  limit: number,
  known: (event: string) => boolean,
): Promise<readonly string[]> {
  const calls: ReadPage = (before, limit) =>
    account === null ? audit.tail({ before, limit }) : audit.activity({ account, before, limit });
  const changes: ReadPage = async (before, limit) => {
    const page = await store.changes({ account, before, limit });
    return { events: page.items, next: page.next };
  };
  const [called, changed] = await Promise.all([readBack(calls, limit, known), readBack(changes, limit, known)]);
  const merged = [...called, ...changed].map((event) => ({ event, time: timeOf(event) }));
  // Stable: events of one millisecond keep the order of their log.
  merged.sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0));
  return merged.slice(-limit).map(({ event }) => event);
}

/** Up to `limit` events, oldest first; stops after a page that holds something known. */
async function readBack(read: ReadPage, limit: number, known: (event: string) => boolean): Promise<string[]> {
  const found: string[] = [];
  let before: string | null = null;
  do {
    const page = await readingLog(() => read(before, Math.min(PAGE, limit - found.length)));
    found.push(...page.events);
    before = page.events.some(known) ? null : page.next;
  } while (before !== null && found.length < limit);
  return found.reverse();
}

async function readingLog<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await reading(read);
  } catch (error) {
    if (!(error instanceof AuditUnavailable)) throw error;
    throw new AdminError('unavailable', `the audit log cannot be read: ${error.message}`, { cause: error });
  }
}

/** ISO 8601 times sort as text. An event that cannot be read goes first rather than missing. */
function timeOf(event: string): string {
  try {
    return String((JSON.parse(event) as { time?: unknown }).time ?? '');
  } catch {
    return '';
  }
}

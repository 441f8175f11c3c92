import type { Hono } from 'hono';
import { streamSSE } from 'hono/streaming';
import type { OwnPermission } from '../../account/permission.ts';
import type { AccountRef } from '../../admin/accounts.ts';
import { readFilter } from '../../admin/activity-filter.ts';
import { nameIn } from '../answer.ts';
import { eventRow } from '../event-row.ts';
import type { ConsoleContext, Env } from '../guard.ts';
import type { ConsoleParts } from '../parts.ts';
import { visitorOf } from '../visitor.ts';

/** Logs that go on by themselves. */
export function streamPages(app: Hono<Env>, parts: ConsoleParts): void {
  const open = new OpenStreams();
  app.get('/activity/stream', (c) => follow(c, parts, open, null));
  app.get('/service-accounts/:name/stream', (c) =>
    follow(c, parts, open, { name: nameIn(c), kind: 'service' }),
  );
}

/**
 * In all, and of one person: whoever leaves many windows open must not keep others from looking.
 */
const STREAMS_MAX = 100;
const STREAMS_PER_PERSON_MAX = 12;

class OpenStreams {
  readonly #counts = new Map<string, number>();
  #all = 0;

  /** Whether there is room for one more; then it is counted. */
  open(person: string): boolean {
    const own = this.#counts.get(person) ?? 0;
    if (this.#all >= STREAMS_MAX || own >= STREAMS_PER_PERSON_MAX) return false;
    this.#counts.set(person, own + 1);
    this.#all += 1;
    return true;
  }

  close(person: string): void {
    const own = this.#counts.get(person) ?? 0;
    if (own <= 1) this.#counts.delete(person);
    else this.#counts.set(person, own - 1);
    this.#all -= 1;
  }
}

/** How often a stream asks whether its session still counts, and says that it is there. */
const CHECK_MS = 5_000;
/** Nothing is shown to a session that was not looked at within so long. */
const FRESH_MS = 400;
/** A stream ends after so long; the browser opens the next one by itself. */
const LONGEST_MS = 15 * 60_000;

/** Server-sent events: each is a row as the page shows it. */
function follow(
  c: ConsoleContext,
  parts: ConsoleParts,
  open: OpenStreams,
  account: AccountRef | null,
): Response | Promise<Response> {
  if (!c.var.visitor.may('sallyport:activity:read')) return c.text('not allowed', 403);
  // Without a body there is nothing to follow, and nobody to end it.
  if (c.req.method === 'HEAD') return c.body(null, 200, { 'content-type': 'text/event-stream' });
  const after = (c.req.header('last-event-id') ?? c.req.query('after') ?? '').slice(0, 512);
  const person = c.var.visitor.actor.id ?? '';
  if (!open.open(person))
    return c.text('too many logs are being followed', 503, { 'retry-after': '10' });
  return streamSSE(
    c,
    async (sse) => {
      const ended = new AbortController();
      sse.onAbort(() => ended.abort());
      const watch = setInterval(() => void check(), CHECK_MS);
      const over = setTimeout(() => ended.abort(), LONGEST_MS);
      let checkedMs = parts.clock.monotonicMs();
      // A session that has ended ends what it sees, too.
      const check = async () => {
        checkedMs = parts.clock.monotonicMs();
        const standing = await standingNow(c, parts);
        if (standing === 'over') await sse.writeSSE({ event: 'over', data: '' });
        if (standing === 'stands') await sse.writeSSE({ event: 'here', data: '' });
        else ended.abort();
      };
      try {
        const query = { account, limit: 1, ...(after === '' ? {} : { after }) };
        for await (const item of parts.control.follow(c.var.visitor.actor, query, ended.signal)) {
          const row = 'event' in item && shown(item.event) ? eventRow(item.event) : null;
          if (row !== null && parts.clock.monotonicMs() - checkedMs > FRESH_MS) await check();
          if (ended.signal.aborted) break;
          if (row !== null)
            await sse.writeSSE({ event: 'activity', id: row.mark, data: JSON.stringify(row) });
        }
      } finally {
        clearInterval(watch);
        clearTimeout(over);
        open.close(person);
      }
    },
    async (error) => parts.log.warn('a log that was followed has ended', { error }),
  );
}

/** As on a page that nothing narrows. */
const shown = readFilter({});

/**
 * `unknown`: the store is away. The stream ends then, too, and the browser comes back by itself;
 * but nobody is told that they are signed out.
 */
export async function standingNow(
  c: ConsoleContext,
  parts: ConsoleParts,
  needs: OwnPermission = 'sallyport:activity:read',
): Promise<'stands' | 'over' | 'unknown'> {
  try {
    const visitor = await visitorOf(parts, c.var.visitor.sessionId, { touch: false });
    return visitor?.may(needs) === true ? 'stands' : 'over';
  } catch {
    return 'unknown';
  }
}

import type { Hono } from 'hono';
import { stream } from 'hono/streaming';
import { readFilter } from '../../admin/activity-filter.ts';
import type { ActivityPage, ActivityPageQuery } from '../../admin/activity-page.ts';
import { timeOf } from '../../audit/event/read.ts';
import { type EventWriter, eventWriter } from '../../audit/export/formats.ts';
import { turn } from '../../turns.ts';
import { attempt } from '../attempt.ts';
import type { ConsoleContext, Env } from '../guard.ts';
import type { ConsoleParts } from '../parts.ts';
import { askedIn, queryOf } from './activity.ts';
import { standingNow } from './streams.ts';

/** The log to take away, narrowed as the page was. */
export function activityExport(app: Hono<Env>, parts: ConsoleParts): void {
  app.get('/activity/export', (c) => exportLog(c, parts));
}

const FORMATS = {
  ndjson: { format: 'jsonl', type: 'application/x-ndjson; charset=utf-8' },
  csv: { format: 'csv', type: 'text/csv; charset=utf-8; header=present' },
} as const;

const PAGE = 500;
/** In one file, which says so where there are more. */
const EVENTS_MAX = 1_000_000;

/**
 * Newest first. As NDJSON the record as it is kept, one event on each line, also what is written
 * for its proof alone; as a table what the page shows.
 */
async function exportLog(c: ConsoleContext, parts: ConsoleParts): Promise<Response> {
  const { actor } = c.var.visitor;
  const asked = { ...queryOf(askedIn(c), parts.clock.wallMs()), everything: true, limit: PAGE };
  const name = c.req.query('format') === 'csv' ? 'csv' : 'ndjson';
  const read = (cursor: string | null) =>
    parts.control.administration.activityPage(actor, { ...asked, cursor });
  // The first page before the headers: what is wrong with the question is said on a page and not in
  // the file.
  const first = await read(null);
  c.header('content-type', FORMATS[name].type);
  c.header('content-disposition', `attachment; filename="sallyport-activity.${name}"`);
  if (c.req.method === 'HEAD') return c.body(null);
  const writer = eventWriter(FORMATS[name].format, '');
  const isShown = name === 'csv' ? shownBy(asked) : () => true;
  const further = async (cursor: string) => {
    // Whoever reads slowly must not go on reading when they may no longer.
    if ((await standingNow(c, parts)) !== 'stands')
      throw new Error('the session of whoever exported the log has ended');
    const page = await attempt(() => read(cursor));
    // Cut off rather than looking complete.
    if (!page.done) throw new Error('the log could not be read to its end');
    return page.value;
  };
  return stream(c, (out) => writeLog(out, { writer, isShown, first, further, most: EVENTS_MAX }));
}

/** Without what is left out on the page as well. */
function shownBy({ phase, type }: ActivityPageQuery): (event: string) => boolean {
  return phase === undefined && type === undefined ? readFilter({}) : () => true;
}

interface Export {
  readonly writer: EventWriter;
  readonly isShown: (event: string) => boolean;
  readonly first: ActivityPage;
  readonly further: (cursor: string) => Promise<ActivityPage>;
  /** About so many events, to the end of a page. */
  readonly most: number;
}

interface Out {
  readonly aborted: boolean;
  /** Resolves when there is room for more. */
  write(text: string): Promise<unknown>;
}

/** A page at a time, at the pace of the reader. */
export async function writeLog(
  out: Out,
  { writer, isShown, first, further, most }: Export,
): Promise<void> {
  let oldest = '';
  let written = 0;
  await out.write(writer.header);
  for (let page = first; !out.aborted; ) {
    await turn();
    const items = page.items.filter(isShown);
    await out.write(items.map(writer.write).join(''));
    written += items.length;
    oldest = timeOf(page.items.at(-1) ?? '') || oldest;
    if (page.next === null) return;
    if (written >= most) {
      await out.write(writer.write(cutLine(written, oldest)));
      return;
    }
    const next = await unlessLeft(out, further(page.next));
    if (next === null) return;
    page = next;
  }
}

/** Of what is read for somebody who has left meanwhile it does not matter why it ended: null. */
async function unlessLeft<T>(out: Pick<Out, 'aborted'>, work: Promise<T>): Promise<T | null> {
  try {
    return await work;
  } catch (error) {
    if (out.aborted) return null;
    throw error;
  }
}

/**
 * The last line of a file that does not hold all. Events of that millisecond may stand in the next
 * file as well, and none in neither.
 */
function cutLine(written: number, oldest: string): string {
  const until = new Date(Date.parse(oldest) + 1).toISOString();
  return JSON.stringify({
    id: '',
    time: oldest,
    type: 'unreadable',
    phase: 'unreadable',
    reason: 'export-cut',
    line: `${written} events are in this file, and older ones follow: export again with "until" ${until}`,
  });
}

import type { Hono } from 'hono';
import { stream } from 'hono/streaming';
import type { AccountKind } from '../../account/model.ts';
import { CSV_LISTS, type CsvListName, csvLines, mustBeWhole } from '../../admin/lists-csv.ts';
import { type MatrixPlace, placeAfter } from '../../admin/matrix-place.ts';
import type { UsageOrder } from '../../admin/usage-orders.ts';
import { KEPT, type Subject } from '../../stats/usage/table.ts';
import { turn } from '../../turns.ts';
import { attempt } from '../attempt.ts';
import { listQueryOf, listView } from '../components/account-list.ts';
import { callOf, callWords } from '../components/question.ts';
import type { ConsoleContext, Env } from '../guard.ts';
import type { ConsoleParts } from '../parts.ts';
import { matrixAsked, matrixQuestion } from './matrix.ts';
import { narrowedBy } from './service-accounts.ts';
import { standingNow } from './streams.ts';

/** Lists to take away: whole, narrowed as the page is from which they are asked for. */
export function csvPages(app: Hono<Env>, parts: ConsoleParts): void {
  const { administration } = parts.control;
  const page = 500;
  const accounts = (kind: AccountKind, section: string) => (c: ConsoleContext) => {
    const view = { ...listView(c, section), cursor: null };
    const query = { ...listQueryOf(view), ...narrowedBy(kind, view), kind, limit: page };
    const uses = kind === 'service' ? { lastUsed: true } : {};
    return table(c, parts, 'accounts', (cursor) =>
      administration.listAccounts(c.var.visitor.actor, { ...query, ...uses, cursor }),
    );
  };
  const whole =
    (list: CsvListName, read: (c: ConsoleContext) => Promise<readonly unknown[]>) =>
    (c: ConsoleContext) =>
      table(c, parts, list, async () => ({ items: await read(c), next: null }));
  app.get('/csv/service-accounts', accounts('service', '/service-accounts'));
  app.get('/csv/users', accounts('user', '/users'));
  app.get(
    '/csv/roles',
    whole('roles', (c) => administration.listRoles(c.var.visitor.actor, {})),
  );
  app.get(
    '/csv/teams',
    whole('teams', (c) => administration.listTeams(c.var.visitor.actor, {})),
  );
  app.get('/csv/usage', (c) =>
    table(c, parts, 'usageTop', async () => {
      const { items } = await administration.topUsage(c.var.visitor.actor, {
        of: c.req.query('of') as Subject,
        by: c.req.query('by') as UsageOrder,
        since: c.req.query('since'),
        until: c.req.query('until'),
        limit: KEPT.account,
      });
      return { items, next: null };
    }),
  );
  app.get(
    '/csv/instances',
    whole(
      'instances',
      async (c) => (await administration.listInstances(c.var.visitor.actor, {})).items,
    ),
  );
}

/** Who would be let in with a call, and who has a permission where. */
export function questionCsvPages(app: Hono<Env>, parts: ConsoleParts): void {
  const { administration } = parts.control;
  app.get('/csv/who-can', (c) => {
    const call = callOf(callWords(c));
    return table(c, parts, 'whoCan', (cursor) =>
      administration.whoCan(c.var.visitor.actor, {
        ...call,
        ...(cursor === null ? {} : { cursor }),
      }),
    );
  });
  app.get('/csv/who-can/matrix', (c) => {
    const { permission, search, application } = matrixAsked(c);
    const narrowed = matrixQuestion({ permission, search, application, after: '', cursor: '' });
    return table(c, parts, 'matrix', async (from) => {
      const at = from === null ? {} : (JSON.parse(from) as MatrixPlace);
      const size = { columns: 50, limit: 200 };
      const page = await administration.accessMatrix(c.var.visitor.actor, {
        ...narrowed,
        ...size,
        ...at,
      });
      const place = placeAfter(at, page);
      return { ...page, next: place === null ? null : JSON.stringify(place) };
    });
  });
}

interface Page {
  readonly items: readonly unknown[];
  readonly next: string | null;
  readonly damaged?: readonly string[];
}

async function table(
  c: ConsoleContext,
  parts: ConsoleParts,
  list: CsvListName,
  read: (cursor: string | null) => Promise<Page>,
): Promise<Response> {
  const wholePage = async (cursor: string | null) => {
    const page = await read(cursor);
    mustBeWhole(page);
    return page;
  };
  // The first page before the headers: what is wrong with the question is said on a page and not in
  // the file.
  const first = await wholePage(null);
  c.header('content-type', 'text/csv; charset=utf-8; header=present');
  c.header('content-disposition', `attachment; filename="sallyport-${list}.csv"`);
  if (c.req.method === 'HEAD') return c.body(null);
  return stream(c, async (out) => {
    await out.write(CSV_LISTS[list].header);
    for (let page = first; !out.aborted; ) {
      await turn();
      await out.write(csvLines(list, page.items));
      const { next } = page;
      if (next === null) return;
      // Whoever reads slowly must not go on reading when they may no longer.
      if ((await standingNow(c, parts, 'sallyport:registry:read')) !== 'stands')
        throw new Error('the session of whoever took a list away has ended');
      const further = await attempt(() => wholePage(next));
      if (out.aborted) return;
      // Cut off rather than looking complete.
      if (!further.done) throw new Error('a list could not be read to its end');
      page = further.value;
    }
  });
}

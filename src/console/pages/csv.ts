import type { Hono } from 'hono';
import { stream } from 'hono/streaming';
import type { AccountKind } from '../../account/model.ts';
import { CSV_LISTS, type CsvListName, csvLines, mustBeWhole } from '../../admin/lists-csv.ts';
import { turn } from '../../turns.ts';
import { attempt } from '../attempt.ts';
import { listQueryOf, listView } from '../components/account-list.ts';
import type { ConsoleContext, Env } from '../guard.ts';
import type { ConsoleParts } from '../parts.ts';
import { narrowedBy } from './service-accounts.ts';
import { standingNow } from './streams.ts';

/** Lists to take away: whole, narrowed as the page is from which they are asked for. */
export function csvPages(app: Hono<Env>, parts: ConsoleParts): void {
  const { administration, instances } = parts.control;
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
  app.get(
    '/csv/instances',
    whole('instances', async (c) => (await instances(c.var.visitor.actor, {})).items),
  );
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
      // Cut off rather than looking complete.
      if (!further.done) throw new Error('a list could not be read to its end');
      page = further.value;
    }
  });
}

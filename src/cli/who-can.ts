import type { Command } from 'commander';
import type { MatrixRow } from '../admin/access-matrix.ts';
import type { RoutesFrom } from '../admin/known-routes.ts';
import { CSV_LISTS, mustBeWhole } from '../admin/lists-csv.ts';
import type { WhoCan, WhoCanPage } from '../admin/who-can.ts';
import { noteRoutes, withoutQuery } from './explain.ts';
import { watched, withWatch } from './looking.ts';
import {
  type CommonOptions,
  count,
  examples,
  given,
  LIMIT_MOST,
  leaf,
  several,
  withNames,
  withTable,
} from './options.ts';
import { progressBar } from './progress.ts';
import { type Reached, withReach } from './reach.ts';
import { note, sayCsv, sayJson, sayWide, table } from './terminal.ts';

interface WhoCanOptions extends CommonOptions {
  readonly host?: string;
  readonly variable?: readonly string[];
  readonly from?: string;
  readonly instance?: string;
  readonly matrix?: string;
  readonly search?: string;
  readonly application?: string;
}

const LIMIT = 100;

export function addWhoCanCommand(program: Command): void {
  const summary = 'which accounts would be let in with this call, or have a permission where?';
  const who = withWatch(withTable(leaf(program, 'who-can [method] [path]', summary)))
    .option(
      '--matrix <permission>',
      'instead of a call: which service accounts have this permission on which applications',
    )
    .option(
      '--search <text>',
      'with --matrix: part of the name or the description of accounts, or the whole id',
    )
    .option('--application <text>', 'with --matrix: part of the name of applications')
    .option('--host <host>', 'the host that is called, where routes tell hosts apart')
    .option(
      '--routes <file>',
      'the gate’s configuration file, whose routes decide, where --config names another one',
    )
    .option(
      '--variable <name=value>',
      'a value of the body, where the route is decided by the body (repeat, or use commas)',
      several,
    )
    .option('--from <address>', 'the address of the client')
    .option('--instance <name>', 'by the routes that this instance has published')
    .option(
      '--limit <number>',
      `the most accounts to name (default ${LIMIT}; a table as CSV is whole)`,
      count(1, LIMIT_MOST),
    )
    .action(watched(whoCan));
  withNames(who, ({ items }: { readonly items: readonly (WhoCan | MatrixRow)[] }) => [
    ...new Set(items.filter(isLetIn).map(({ account }) => account)),
  ]);
  examples(
    who,
    'sallyport who-can POST /environments/Production/deployments --config manage.yaml --routes sallyport.yaml',
    'sallyport who-can --variable app=CRM POST /deployments --server https://gate.example:9443',
    'sallyport who-can --matrix deployments:write --application crm',
    'sallyport who-can --matrix deployments:write -o csv > deployers.csv',
  );
}

/** A row of the matrix says no as well. */
function isLetIn(item: WhoCan | MatrixRow): boolean {
  return !('cells' in item) || item.cells.some(({ allowed }) => allowed);
}

async function whoCan(
  method: string | undefined,
  path: string | undefined,
  options: WhoCanOptions,
  command: Command,
): Promise<void> {
  const { matrix, search, application, host, variable, from } = options;
  if (matrix !== undefined) {
    if ([method, host, variable, from].some((word) => word !== undefined))
      command.error(
        'error: --matrix is about a permission: leave out the call, and what comes with it',
      );
    return (await import('./who-can-matrix.ts')).showMatrix({ ...options, matrix });
  }
  if (search !== undefined || application !== undefined)
    command.error('error: --search and --application are for --matrix');
  if (method === undefined || path === undefined)
    return command.error('error: say the method and the path of a call, or --matrix PERMISSION');
  await showCallers(method, path, options);
}

async function showCallers(method: string, path: string, options: WhoCanOptions): Promise<void> {
  await withReach(options, false, async (reached) => {
    // A file does not say that it is cut.
    const { limit = options.csv === true ? Number.POSITIVE_INFINITY : LIMIT } = options;
    const asked = { ...options, limit };
    const { found, examined, routes, whole } = await searched(reached, method, path, asked);
    const items = found.slice(0, limit);
    const more = !whole || found.length > limit;
    if (options.json === true) return sayJson({ items, examined, more, routes });
    if (options.csv === true) sayCsv(CSV_LISTS.whoCan, items);
    else if (options.output?.kind === 'wide' && items.length > 0) sayWide(CSV_LISTS.whoCan, items);
    else show(items, examined);
    if (more) note(`there may be more: ${examined} accounts were looked at (--limit names more)`);
    if (options.csv === true) return;
    noteRoutes(routes);
  });
}

/** Page by page, until there are enough. */
async function searched(
  { control, actor }: Reached,
  method: string,
  path: string,
  options: WhoCanOptions & { readonly limit: number },
) {
  const question = {
    method: method.toUpperCase(),
    path: withoutQuery(path),
    ...given('host', options.host),
    ...given('variables', options.variable?.join(',')),
    ...given('from', options.from),
    ...given('instance', options.instance),
  };
  const progress = progressBar('accounts looked at');
  const found: WhoCan[] = [];
  let examined = 0;
  let routes: RoutesFrom | undefined;
  let cursor: string | null = null;
  try {
    do {
      const page: WhoCanPage = await control.administration.whoCan(actor, {
        ...question,
        ...(cursor === null ? {} : { cursor }),
        // All pages by the same routes, whatever comes into force meanwhile.
        ...given('instance', routes?.instance ?? undefined),
      });
      found.push(...page.items);
      examined += page.examined;
      cursor = page.next;
      ({ routes } = page);
      progress.at(examined, 0);
      if (options.csv === true) mustBeWhole(page);
      for (const id of page.damaged) note(`the record of account ${id} cannot be read`);
    } while (cursor !== null && found.length < options.limit);
  } finally {
    progress.end();
  }
  return { found, examined, routes, whole: cursor === null };
}

/** What the call must bring besides the token. */
function onlyWords({
  allowedNetworks,
  boundTo,
}: Pick<WhoCan, 'allowedNetworks' | 'boundTo'>): string {
  const from = allowedNetworks.length === 0 ? [] : [`from ${allowedNetworks.join(' ')}`];
  const beside = boundTo === null ? [] : ['with its certificate'];
  return [...from, ...beside].join(', ') || '-';
}

/** An earlier version on the other side does not say by which team. */
function byWords(rule: WhoCan['rule'], team: string | null | undefined): string {
  if (rule === null) return '-';
  return rule === 'team' && team != null ? `team ${team}` : rule;
}

function show(items: readonly WhoCan[], examined: number): void {
  if (items.length === 0) {
    note(`none of ${examined} accounts would be let in`);
    return;
  }
  table(
    ['ACCOUNT', 'PERMISSION', 'APPLICATION', 'ROLE', 'BY', 'ONLY'],
    items.map(({ account, permission, application, applications, role, rule, team, ...only }) => [
      account,
      permission ?? '-',
      application ?? (applications.join(' ') || '-'),
      role ?? '-',
      byWords(rule, team),
      onlyWords(only),
    ]),
  );
}

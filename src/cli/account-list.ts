import { type Command, Option } from 'commander';
import type { AccountKind } from '../account/model.ts';
import type { AccountQuery, AccountViewPage } from '../admin/list-accounts.ts';
import { CSV_LISTS, csvLines, mustBeWhole } from '../admin/lists-csv.ts';
import { bindingWords } from '../admin/restriction.ts';
import type { AccountView, TokenView } from '../admin/views.ts';
import { LIST_SORTS, type ListSort } from '../registry/listing/query.ts';
import { watched, withWatch } from './looking.ts';
import {
  type CommonOptions,
  count,
  examples,
  given,
  leaf,
  withLimit,
  withNames,
  withTable,
} from './options.ts';
import { progressBar } from './progress.ts';
import { type Reached, withReach } from './reach.ts';
import { readOn, writeOut } from './screen/out.ts';
import { details, note, say, sayJson, sayWide, table } from './terminal.ts';

export interface ListOptions extends CommonOptions {
  readonly search?: string;
  readonly status?: 'active' | 'inactive' | 'expired';
  readonly role?: string;
  readonly team?: string;
  readonly expiring?: number;
  readonly neverUsed?: boolean;
  readonly unused?: number;
  readonly lastUsed?: boolean;
  readonly olderThan?: number;
  readonly honey?: boolean;
  readonly prefix?: string;
  readonly sort?: ListSort;
  readonly reverse?: boolean;
}

/** Accounts in one question. */
const PAGE = 500;

/** Days that a filter may look back or ahead. */
const DAYS_MOST = 3650;

export function addListAndShow(parent: Command, kind: AccountKind): void {
  const word = kind === 'service' ? 'account' : 'user';
  const noun = kind === 'service' ? 'service accounts' : 'users';
  addList(parent, kind, noun);
  const show = withWatch(leaf(parent, 'show <name>', `show one of the ${noun}`));
  show.action(
    watched(async (name: string, options: CommonOptions) => {
      await withReach(options, false, async ({ control, actor }) => {
        const account = await control.administration.showAccount(actor, { name, kind });
        if (options.json === true) sayJson({ account });
        else describe(account);
      });
    }),
  );
  withNames(show, (told: { readonly account: AccountView }) => [told.account.name]);
  examples(show, `sallyport ${word} show ${kind === 'service' ? 'ci-pipeline' : 'alice'}`);
}

function addList(parent: Command, kind: AccountKind, noun: string): void {
  const summary = `list the ${noun}; with filters, those to which all of them apply`;
  const list = withWatch(withLimit(withTable(withFilters(leaf(parent, 'list', summary), kind))))
    .addOption(new Option('--sort <column>', 'default: name').choices(LIST_SORTS))
    .option('--reverse', 'in descending order')
    .action(watched((options: ListOptions) => runList(options, kind, noun)));
  withNames(list, ({ accounts }: { readonly accounts: readonly AccountView[] }) =>
    accounts.map(({ name }) => name),
  );
  if (kind === 'user') {
    examples(list, 'sallyport user list --role administrator');
    return;
  }
  list.option('--last-used', 'also say when each token was last let in');
  examples(
    list,
    'sallyport account list --team payments --status active',
    'sallyport account list --unused 90',
    'sallyport account list --older-than 180 --sort tokenCreatedAt --limit 20',
    'sallyport account list --expiring 14 -o name',
    "sallyport account list -o jsonpath='{.accounts[*].id}'",
    'sallyport account list --status expired --watch 10',
    'sallyport account list --csv > accounts.csv',
  );
}

/** What narrows a list down. */
export function withFilters(command: Command, kind: AccountKind): Command {
  command
    .option('--search <text>', 'part of the name or the description, or the whole id')
    .option('--prefix <text>', 'how the name begins')
    .addOption(
      new Option('--status <status>', 'their status').choices(['active', 'inactive', 'expired']),
    )
    .option('--role <role>', 'has the role anywhere: by default, in a team or by a grant')
    .option('--team <team>', 'is a member of the team')
    .option(
      '--expiring <days>',
      'expires within so many days, and has not yet',
      count(1, DAYS_MOST),
    );
  if (kind === 'user') return command;
  return command
    .option('--honey', 'is a bait: let in nowhere, and using its token raises an alarm')
    .option('--never-used', 'its token has never been let in, as far as is known')
    .option(
      '--unused <days>',
      'its token has not been let in for so many days, and is older than that',
      count(1, DAYS_MOST),
    )
    .option(
      '--older-than <days>',
      'its token was issued so many days ago or earlier',
      count(1, DAYS_MOST),
    );
}

async function runList(options: ListOptions, kind: AccountKind, noun: string): Promise<void> {
  const { sort, order, ...filter } = filterOf(options);
  // Its columns are always there: an empty one would say that a token was never used.
  const isWide = options.csv === true || options.output?.kind === 'wide';
  const uses = isWide && kind === 'service' ? { lastUsed: true } : {};
  const query = { kind, ...filter, ...uses, ...given('sort', sort), ...given('order', order) };
  const most = options.limit ?? Number.POSITIVE_INFINITY;
  await withReach(options, false, async (reached) => {
    const printer = printerFor(options, sort);
    let [shown, total] = [0, 0];
    const damaged = new Set<string>();
    const progress = progressBar(noun);
    try {
      for await (const page of pagesOf(reached, query, most)) {
        if (options.csv === true) mustBeWhole(page);
        for (const id of page.damaged) damaged.add(id);
        total = page.total;
        shown += page.items.length;
        printer.page(page.items);
        progress.at(shown, Math.min(total, most));
        await readOn();
      }
    } finally {
      progress.end();
    }
    printer.end();
    if (damaged.size > 0)
      note(`${damaged.size} records cannot be read: ${[...damaged].slice(0, 5).join(', ')}`);
    if (shown === 0 && options.json !== true && options.csv !== true)
      note(Object.keys(filter).length === 0 ? `there are no ${noun} yet` : `no ${noun} match`);
    if (shown === most && total > shown) note(`${shown} of ${total} are shown`);
  });
}

/** All of them, however many there are, or the first so many. */
export async function* pagesOf(
  { control, actor }: Reached,
  query: AccountQuery,
  most: number,
): AsyncGenerator<AccountViewPage> {
  let cursor: string | null = null;
  let left = most;
  do {
    const limit = Math.min(PAGE, left);
    const page: AccountViewPage = await control.administration.listAccounts(actor, {
      ...query,
      cursor,
      limit,
    });
    yield page;
    left -= page.items.length;
    cursor = page.next;
  } while (cursor !== null && left > 0);
}

interface Printer {
  page(accounts: readonly AccountView[]): void;
  end(): void;
}

function printerFor(options: ListOptions, sort: ListSort | undefined): Printer {
  if (options.csv === true) return csvPrinter();
  if (options.output?.kind === 'name') return namePrinter();
  if (options.output?.kind === 'wide') return widePrinter();
  return options.json === true ? jsonPrinter() : tablePrinter(options, sort);
}

/** Page by page: of many accounts none are held in memory. */
function csvPrinter(): Printer {
  writeOut(CSV_LISTS.accounts.header);
  return {
    page: (accounts) => {
      writeOut(csvLines('accounts', accounts));
    },
    end: () => {},
  };
}

function namePrinter(): Printer {
  return {
    page: (accounts) => {
      for (const { name } of accounts) say(name);
    },
    end: () => {},
  };
}

function widePrinter(): Printer {
  const accounts: AccountView[] = [];
  return {
    page: (more) => {
      accounts.push(...more);
    },
    end: () => {
      if (accounts.length > 0) sayWide(CSV_LISTS.accounts, accounts);
    },
  };
}

function jsonPrinter(): Printer {
  const accounts: AccountView[] = [];
  return {
    page: (more) => {
      accounts.push(...more);
    },
    end: () => sayJson({ accounts }),
  };
}

function tablePrinter(options: ListOptions, sort: ListSort | undefined): Printer {
  const columns = {
    uses:
      options.lastUsed === true ||
      options.neverUsed === true ||
      options.unused !== undefined ||
      sort === 'lastUsed',
    issued: options.olderThan !== undefined || sort === 'tokenCreatedAt',
  };
  const headings = [
    'NAME',
    'STATUS',
    'ROLE',
    'TEAMS',
    'GRANTS',
    'EXPIRES',
    ...(columns.issued ? ['TOKEN ISSUED'] : []),
    ...(columns.uses ? ['LAST USED'] : []),
    'DESCRIPTION',
  ];
  const rows: (readonly string[])[] = [];
  return {
    page: (accounts) => {
      rows.push(...accounts.map((account) => row(account, columns)));
    },
    end: () => {
      if (rows.length > 0) table(headings, rows);
    },
  };
}

export function filterOf({
  search,
  status,
  role,
  team,
  expiring,
  neverUsed,
  unused,
  lastUsed,
  olderThan,
  honey,
  prefix,
  sort,
  reverse,
}: ListOptions): AccountQuery {
  return {
    ...given('search', search),
    ...given('status', status),
    ...given('role', role),
    ...given('team', team),
    ...given('expiringWithinDays', expiring),
    ...given('neverUsed', neverUsed),
    ...given('unusedForDays', unused),
    ...given('lastUsed', lastUsed ?? (sort === 'lastUsed' ? true : undefined)),
    ...given('tokenOlderThanDays', olderThan),
    ...given('honey', honey),
    ...given('namePrefix', prefix),
    ...given('sort', sort),
    ...given('order', reverse === true ? ('descending' as const) : undefined),
  };
}

function row(
  account: AccountView,
  columns: { readonly uses: boolean; readonly issued: boolean },
): readonly string[] {
  const teams = account.teams.map(({ team, role }) => `${team}:${role}`).join(' ');
  const grants = account.grants.map(({ application, role }) => `${application}:${role}`).join(' ');
  return [
    account.name,
    statusWords(account),
    account.role,
    teams || '-',
    grants || '-',
    day(account.expiresAt),
    ...(columns.issued ? [account.token?.createdAt.slice(0, 10) ?? '-'] : []),
    ...(columns.uses ? [day(account.token?.lastUsed?.at ?? null)] : []),
    account.description,
  ];
}

function statusWords(account: AccountView): string {
  return account.honey ? `${standing(account)}, honey` : standing(account);
}

function standing(account: AccountView): string {
  if (account.status === 'inactive') return 'inactive';
  return account.expired ? 'expired' : 'active';
}

function day(moment: string | null): string {
  return moment === null ? 'never' : moment.slice(0, 10);
}

function describe(account: AccountView): void {
  details([
    ['Name', account.name],
    ['Id', account.id],
    ['Kind', account.kind === 'service' ? 'service account' : 'user'],
    ['Status', statusWords(account)],
    ['Description', account.description || '-'],
    ['Default role', account.role],
    ['Teams', account.teams.map(({ team, role }) => `${team} as ${role}`).join(', ') || '-'],
    [
      'Grants',
      account.grants.map(({ application, role }) => `${application} as ${role}`).join(', ') || '-',
    ],
    ['Created', account.createdAt],
    ['Changed', account.updatedAt],
    ['Expires', account.expiresAt ?? 'never'],
    ...(account.kind === 'service' ? [...restrictionLines(account), ...tokenLines(account)] : []),
  ]);
}

function restrictionLines({
  allowedNetworks,
  boundTo,
}: AccountView): readonly (readonly [string, string])[] {
  return [
    ['Let in from', allowedNetworks.join(', ') || 'anywhere'],
    ['Bound to', bindingWords(boundTo) ?? 'no certificate'],
  ];
}

function tokenLines(account: AccountView): readonly (readonly [string, string])[] {
  const { token, previousToken, honey, retiredTokens } = account;
  if (honey) return [['Honey token', `${retiredTokens[0] ?? '-'}, let in nowhere`]];
  return [
    ['Token issued', token?.createdAt ?? 'it has none'],
    ['Token last used', lastUse(token)],
    ...(previousToken === null
      ? []
      : ([
          ['Old token', `let in until ${previousToken.validUntil}`],
          ['Old token last used', lastUse(previousToken)],
        ] as const)),
  ];
}

/** Written in the background every ten seconds, so the last moments are missing. */
function lastUse(token: TokenView | null): string {
  const used = token?.lastUsed ?? null;
  return used === null ? 'never' : `${used.at} from ${used.address}`;
}

import { type Command, Option } from 'commander';
import type { AccountKind } from '../account/model.ts';
import type { AccountQuery } from '../admin/list-accounts.ts';
import type { AccountView, TokenView } from '../admin/views.ts';
import { type CommonOptions, given } from './account.ts';
import { count, examples, leaf } from './options.ts';
import { type Reached, withReach } from './reach.ts';
import { details, note, sayJson, table } from './terminal.ts';

interface ListOptions extends CommonOptions {
  readonly search?: string;
  readonly status?: 'active' | 'inactive' | 'expired';
  readonly role?: string;
  readonly team?: string;
  readonly expiring?: number;
  readonly neverUsed?: boolean;
  readonly unused?: number;
  readonly lastUsed?: boolean;
}

/** Days that a filter may look back or ahead. */
const DAYS_MOST = 3650;

export function addListAndShow(parent: Command, kind: AccountKind): void {
  const word = kind === 'service' ? 'account' : 'user';
  const noun = kind === 'service' ? 'service accounts' : 'users';
  addList(parent, kind, noun);
  const show = leaf(parent, 'show <name>', `show one of the ${noun}`).action(
    async (name: string, options: CommonOptions) => {
      await withReach(options, false, async ({ control, actor }) => {
        const account = await control.administration.showAccount(actor, { name, kind });
        if (options.json === true) sayJson({ account });
        else describe(account);
      });
    },
  );
  examples(show, `sallyport ${word} show ${kind === 'service' ? 'ci-pipeline' : 'alice'}`);
}

function addList(parent: Command, kind: AccountKind, noun: string): void {
  const list = leaf(
    parent,
    'list',
    `list the ${noun}; with filters, those to which all of them apply`,
  )
    .option('--search <text>', 'part of the name, the description or the id')
    .addOption(
      new Option('--status <status>', 'how they stand').choices(['active', 'inactive', 'expired']),
    )
    .option('--role <role>', 'has the role anywhere: by default, in a team or by a grant')
    .option('--team <team>', 'is in the team')
    .option(
      '--expiring <days>',
      'expires within so many days, and has not yet',
      count(1, DAYS_MOST),
    )
    .action((options: ListOptions) => runList(options, kind, noun));
  if (kind === 'user') {
    examples(list, 'sallyport user list --role administrator');
    return;
  }
  list
    .option('--never-used', 'its token has never been let in, as far as is known')
    .option(
      '--unused <days>',
      'its token has not been let in for so many days, and is older than that',
      count(1, DAYS_MOST),
    )
    .option('--last-used', 'also say when each token was last let in');
  examples(
    list,
    'sallyport account list --team payments --status active',
    'sallyport account list --unused 90',
    'sallyport account list --expiring 14 --json | jq -r ".accounts[].name"',
  );
}

async function runList(options: ListOptions, kind: AccountKind, noun: string): Promise<void> {
  const query = filterOf(options);
  const withUses =
    options.lastUsed === true || options.neverUsed === true || options.unused !== undefined;
  await withReach(options, false, async (reached) => {
    const { accounts, damaged } = await allAccounts(reached, { kind, ...query });
    if (damaged.length > 0)
      note(`${damaged.length} records cannot be read: ${damaged.slice(0, 5).join(', ')}`);
    if (options.json === true) return sayJson({ accounts });
    if (accounts.length === 0)
      return note(
        Object.keys(query).length === 0 ? `there are no ${noun} yet` : `there are no such ${noun}`,
      );
    const headings = [
      'NAME',
      'STATUS',
      'ROLE',
      'TEAMS',
      'GRANTS',
      'EXPIRES',
      ...(withUses ? ['LAST USED'] : []),
      'DESCRIPTION',
    ];
    table(
      headings,
      accounts.map((account) => row(account, withUses)),
    );
  });
}

function filterOf({
  search,
  status,
  role,
  team,
  expiring,
  neverUsed,
  unused,
  lastUsed,
}: ListOptions): AccountQuery {
  return {
    ...given('search', search),
    ...given('status', status),
    ...given('role', role),
    ...given('team', team),
    ...given('expiringWithinDays', expiring),
    ...given('neverUsed', neverUsed),
    ...given('unusedForDays', unused),
    ...given('lastUsed', lastUsed),
  };
}

/** Shown sorted by name; at most 100,000, so that a huge registry does not fill the memory. */
const LISTED_MAX = 100_000;

async function allAccounts({ control, actor }: Reached, query: AccountQuery) {
  const accounts: AccountView[] = [];
  const damaged: string[] = [];
  let cursor: string | null = null;
  do {
    const page = await control.administration.listAccounts(actor, { ...query, cursor, limit: 500 });
    accounts.push(...page.items);
    damaged.push(...page.damaged);
    cursor = page.next;
  } while (cursor !== null && accounts.length < LISTED_MAX);
  if (cursor !== null) note(`only the first ${accounts.length} are shown`);
  return { accounts: accounts.sort((a, b) => (a.name < b.name ? -1 : 1)), damaged };
}

function row(account: AccountView, withUses: boolean): readonly string[] {
  const teams = account.teams.map(({ team, role }) => `${team}:${role}`).join(' ');
  const grants = account.grants.map(({ application, role }) => `${application}:${role}`).join(' ');
  return [
    account.name,
    standing(account),
    account.role,
    teams || '-',
    grants || '-',
    day(account.expiresAt),
    ...(withUses ? [day(account.token?.lastUsed?.at ?? null)] : []),
    account.description,
  ];
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
    ['Status', standing(account)],
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
    ...(account.kind === 'service' ? tokenLines(account) : []),
  ]);
}

function tokenLines({ token, previousToken }: AccountView): readonly (readonly [string, string])[] {
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

import type { Command } from 'commander';
import type { AccountKind, TeamMembership } from '../account/model.ts';
import type { BulkAnswer, BulkChange, BulkItem } from '../admin/bulk.ts';
import { AdminError } from '../admin/error.ts';
import { BULK_MOST } from '../admin/schemas/inputs.ts';
import type { AccountView } from '../admin/views.ts';
import { mustChange, waiting } from './account-act.ts';
import { filterOf, type ListOptions, pagesOf, withFilters } from './account-list.ts';
import { UsageError } from './exit.ts';
import { examples, expiry, given, leaf, membership } from './options.ts';
import { progressBar } from './progress.ts';
import { type Reached, withReach } from './reach.ts';
import { noteReceipt } from './receipt.ts';
import { replayed, showReplay, withReplay } from './replay.ts';
import { confirm, note, sayJson, table } from './terminal.ts';

interface BulkOptions extends ListOptions {
  readonly deactivate?: boolean;
  readonly activate?: boolean;
  readonly setExpires?: string | null;
  readonly setRole?: string;
  readonly join?: readonly TeamMembership[];
  readonly leave?: string;
  readonly all?: boolean;
  readonly dryRun?: boolean;
}

/** `account bulk` and `user bulk`: many at a time, with what each loses before it does. */
export function addBulk(parent: Command, kind: AccountKind): void {
  const bulk = waiting(
    withFilters(leaf(parent, 'bulk [name...]', 'change many at a time, after a preview'), kind),
  )
    .option('--all', 'every one there is, where neither names nor filters are given')
    .option('--deactivate', 'refuse their calls until they are activated again')
    .option('--activate', 'let them in again')
    .option('--set-expires <when>', 'when they stop working: 90d, 2030-01-31, never', expiry)
    .option('--set-role <role>', 'their default role')
    .option('--join <team:role>', 'put them into a team, in a role', membership)
    .option('--leave <team>', 'take them out of a team')
    .option('--dry-run', 'only show what each would lose')
    .option('--yes', 'do not ask');
  if (kind === 'service') withReplay(bulk);
  bulk.action((names: readonly string[], options: BulkOptions, command: Command) =>
    runBulk(names, options, kind, command),
  );
  bulk.description(
    'change many at a time, after a preview.\nNames and filters say which, as in `list`. Shows first what each would lose. Who is refused stays\nas it is, with the reason; 256 at a time are changed in one step, or none of them.',
  );
  const word = parent.name();
  examples(
    bulk,
    kind === 'service'
      ? `sallyport ${word} bulk --unused 180 --deactivate --dry-run`
      : `sallyport ${word} bulk alice bob --set-role viewer`,
    `sallyport ${word} bulk --team payments --join platform:viewer --leave payments --yes`,
  );
}

async function runBulk(
  names: readonly string[],
  options: BulkOptions,
  kind: AccountKind,
  command: Command,
): Promise<void> {
  const change = changeIn(options, command);
  const { lastUsed: _, sort: __, order: ___, ...filter } = filterOf(options);
  const narrows = Object.keys(filter).length > 0;
  if (!narrows && names.length === 0 && options.all !== true)
    command.error(
      'error: no accounts are chosen: name them, filter them as in `list`, or say --all',
    );
  const isAsked = options.dryRun === true || options.replay !== undefined;
  await withReach(options, !isAsked, async (reached) => {
    const accounts = await chosen(reached, names, { kind, ...filter }, narrows || options.all);
    if (accounts.length === 0) {
      if (options.json === true) sayJson({ applied: false, items: [] });
      return note('no account matches: nothing was changed');
    }
    if (options.replay !== undefined)
      return sayBulkReplay(reached, options, accounts, kind, change);
    const preview = whole(await inParts(reached, accounts, kind, { ...change, preview: true }));
    const count = preview.items.filter(({ outcome }) => outcome === 'changed').length;
    if (options.dryRun === true || count === 0) return showPreview(options, preview);
    if (options.json !== true) showItems(preview.items);
    await confirm(`Change ${count} of ${accounts.length} accounts?`, options.yes);
    const how = given('waitMs', options.wait);
    report(options, await inParts(reached, accounts, kind, { ...change, ...how }), accounts.length);
  });
}

async function sayBulkReplay(
  reached: Reached,
  { replay: lookBack = 0, json }: BulkOptions,
  accounts: readonly AccountView[],
  kind: AccountKind,
  change: BulkChange,
): Promise<void> {
  if (accounts.length > BULK_MOST)
    throw new UsageError(
      `--replay is for ${BULK_MOST} accounts at most, and these are ${accounts.length}: narrow them down`,
    );
  const ids = accounts.map(({ id }) => id);
  const answer = await replayed(reached, 'changeAccounts', { kind, ids, ...change }, lookBack);
  if (json === true) sayJson(answer);
  else showReplay(answer, lookBack);
}

function changeIn(options: BulkOptions, command: Command): BulkChange {
  const { deactivate, activate, join = [] } = options;
  if (deactivate === true && activate === true)
    command.error('error: --deactivate and --activate exclude each other: say one of them');
  if (join.length > 1) command.error('error: --join can be said once');
  const change = {
    ...(deactivate === true ? { status: 'inactive' as const } : {}),
    ...(activate === true ? { status: 'active' as const } : {}),
    ...given('expiresAt', options.setExpires),
    ...given('role', options.setRole),
    ...given('join', join[0]),
    ...given('leave', options.leave),
  };
  const all = '--deactivate, --activate, --set-expires, --set-role, --join or --leave';
  mustChange(change, command, all);
  return change;
}

/** By name, and by filter; each once. */
async function chosen(
  reached: Reached,
  names: readonly string[],
  query: Parameters<typeof pagesOf>[1],
  byFilter: boolean | undefined,
): Promise<readonly AccountView[]> {
  const { control, actor } = reached;
  const found = new Map<string, AccountView>();
  for (const name of names) {
    const account = await control.administration.showAccount(actor, {
      name,
      ...given('kind', query.kind),
    });
    found.set(account.id, account);
  }
  if (byFilter === true)
    for await (const { items } of pagesOf(reached, query, Number.POSITIVE_INFINITY))
      for (const account of items) found.set(account.id, account);
  return [...found.values()];
}

/** What was seen to, and the fault that ended it. */
export interface InParts {
  readonly answer: BulkAnswer;
  readonly fault: AdminError | null;
}

function whole({ answer, fault }: InParts): BulkAnswer {
  if (fault !== null) throw fault;
  return answer;
}

/** As many at a time as one step of the store takes; what was changed before a fault is told. */
export async function inParts(
  { control, actor }: Reached,
  accounts: readonly AccountView[],
  kind: AccountKind,
  change: BulkChange & { readonly preview?: boolean; readonly waitMs?: number },
): Promise<InParts> {
  const items: BulkItem[] = [];
  const progress = progressBar(change.preview === true ? 'accounts looked at' : 'accounts');
  let receipts: Omit<BulkAnswer, 'items'> = {};
  try {
    for (let from = 0; from < accounts.length; from += BULK_MOST) {
      const ids = accounts.slice(from, from + BULK_MOST).map(({ id }) => id);
      try {
        const input = { kind, ids, ...change };
        const { items: some, ...how } = await control.administration.changeAccounts(actor, input);
        items.push(...some);
        receipts = { ...receipts, ...how };
        progress.at(items.length, accounts.length);
      } catch (error) {
        if (!(error instanceof AdminError)) throw error;
        const fault = withRest(error, accounts.length - from - ids.length);
        if (from === 0) throw fault;
        return { answer: { items, ...receipts }, fault };
      }
    }
  } finally {
    progress.end();
  }
  return { answer: { items, ...receipts }, fault: null };
}

/** Of those behind the part that failed or waits nobody has been asked. */
function withRest(error: AdminError, rest: number): AdminError {
  if (rest <= 0) return error;
  const { code, message, approval } = error;
  const said = `${message}; the last ${rest} accounts were neither changed nor proposed`;
  return new AdminError(code, said, { cause: error, ...(approval === null ? {} : { approval }) });
}

function showPreview(options: BulkOptions, preview: BulkAnswer): void {
  if (options.json === true) sayJson({ applied: false, ...preview });
  else showItems(preview.items);
}

/** What was changed, also before a fault; throws for that. */
export function report(
  { json }: Pick<BulkOptions, 'json'>,
  { answer, fault }: InParts,
  asked: number,
): void {
  const { items } = answer;
  if (json === true) sayJson({ applied: fault === null, ...answer });
  const [changed, refused] = (['changed', 'refused'] as const).map(
    (outcome) => items.filter((item) => item.outcome === outcome).length,
  );
  note(
    `Changed ${changed} of ${asked} accounts${refused === 0 ? '' : `; ${refused} were refused`}.`,
  );
  for (const { name, id, outcome, why } of items)
    if (outcome === 'refused') note(`  ${name ?? id}: ${why}`);
  noteReceipt(answer.revocation);
  if (fault === null) return;
  const said = `the other ${asked - items.length} accounts: ${fault.message}`;
  throw new AdminError(fault.code, said, { cause: fault });
}

function showItems(items: readonly BulkItem[]): void {
  table(
    ['NAME', 'OUTCOME', 'LOSES'],
    items.map(({ id, name, outcome, why, loses }) => [
      name ?? id,
      outcome,
      why ?? (loses.join('; ') || '-'),
    ]),
  );
}

import { type Command, Option } from 'commander';
import type { AccountRef } from '../admin/accounts.ts';
import type { Followed } from '../admin/activity.ts';
import { type ActivityFilter, readFilter } from '../admin/activity-filter.ts';
import type { ActivityPage } from '../admin/activity-page.ts';
import { CSV_HEADER, csvRow } from '../audit/export/csv.ts';
import { showRequest } from './audit-show.ts';
import { formatEvent } from './event-line.ts';
import { UsageError } from './exit.ts';
import { paged, withPager } from './looking.ts';
import { type CommonOptions, count, examples, given, leaf, moment, withCsv } from './options.ts';
import { type Reached, withReach } from './reach.ts';
import { writeOut } from './screen/out.ts';
import { note, say, sayJsonLine } from './terminal.ts';

export interface FilterOptions extends CommonOptions, ActivityFilter {}

export interface ReadOptions extends FilterOptions {
  readonly follow?: boolean;
  readonly limit?: number;
}

interface ActivityOptions extends ReadOptions {
  readonly request?: string;
  readonly id?: boolean;
}

export function addActivityCommands(program: Command): void {
  const activity = withReading(
    leaf(program, 'activity [name]', 'what an account did, and what was done to it'),
  )
    .option('--id', 'the name is the id of an account, which may have been deleted')
    .option('--request <id>', 'the story of one request, by its X-Request-Id (audit show)')
    .action(
      paged(async (name: string | undefined, options: ActivityOptions, command: Command) => {
        if (options.request !== undefined) {
          if (name !== undefined)
            command.error('error: --request says which request, so no account is named beside it');
          return showRequest(options.request, options);
        }
        if (name === undefined)
          return command.error('error: name an account, or a request with --request');
        const byId = options.id === true;
        if (byId && options.follow === true)
          command.error('error: --follow goes by the name of an account, not by --id');
        return readEvents(byId ? { id: name } : { name }, options);
      }),
    );
  examples(
    activity,
    'sallyport activity ci-pipeline --follow',
    'sallyport activity ci-pipeline --phase decision --since 24h',
    'sallyport activity ci-pipeline --limit 500 --json | jq -r .reason',
    'sallyport activity --request k3x9q0a7bz1m-00000002f',
  );
}

/** What narrows events down, for people: whatever is left out plays no part. */
export function withFilters(command: Command): Command {
  return command
    .option('--reason <reason>', 'of this reason alone: permitted, token-revoked …')
    .addOption(
      new Option('--phase <phase>', 'only decisions, outcomes, changes …').choices([
        'decision',
        'outcome',
        'change',
        'sign-in',
        'notice',
        'chain',
      ]),
    )
    .option('--type <type>', 'of this type alone')
    .option('--route <route>', 'calls of this route')
    .option('--application <application>', 'calls on this application')
    .option('--method <method>', 'calls with this method')
    .addOption(
      new Option('--decision <decision>', 'what was decided').choices(['permit', 'refusal']),
    )
    .option('--status <status>', 'what the caller was told: 404, or 4xx')
    .option('--address <address>', 'of the client: an IP address, or a network: 10.0.0.0/8')
    .option('--actor <name>', 'changes and administrative calls of this name or id')
    .option('--since <when>', 'not older: 15m, 24h, 7d, 2030-01-31, 2030-01-31T12:00:00Z', moment)
    .option('--until <when>', 'older than that', moment);
}

export function withReading(command: Command): Command {
  return withPager(withCsv(withFilters(command)))
    .option('-f, --follow', 'go on showing events as they come')
    .option('-n, --limit <count>', 'how many of the newest events (default: 50)', count(1, 1000));
}

/** Shows the newest events, oldest first; with `--follow`, further ones as they come. */
export async function readEvents(account: AccountRef | null, options: ReadOptions): Promise<void> {
  const show = shownAs(options);
  if (options.csv === true) writeOut(CSV_HEADER);
  await withReach(options, false, async (reached) => {
    if (options.follow === true) return follow(reached, account, options, show);
    const events = await newest(reached, account, options);
    if (events.length === 0 && options.csv !== true)
      note(
        Object.keys(filterOf(options)).length === 0
          ? 'nothing has been recorded yet'
          : 'no recorded event matches',
      );
    for (const event of events) show(event);
  });
}

function forPeople({ json, csv }: ReadOptions): boolean {
  return json !== true && csv !== true;
}

function shownAs({ json, csv }: ReadOptions): (event: string) => void {
  if (csv === true) return (event) => writeOut(csvRow(event));
  return (event) => (json === true ? sayJsonLine(event) : say(formatEvent(event)));
}

const PAGE_MOST = 500;

/** Pages of matching events, newest first, until there are no more or the consumer has enough. */
export async function* eventPages(
  { control, actor }: Reached,
  account: AccountRef | null,
  options: FilterOptions,
  pageSize: () => number = () => PAGE_MOST,
): AsyncGenerator<ActivityPage> {
  let cursor: string | null = null;
  do {
    const query = { account, ...filterOf(options), cursor, limit: Math.min(PAGE_MOST, pageSize()) };
    const page: ActivityPage = await control.administration.activityPage(actor, query);
    yield page;
    cursor = page.next;
  } while (cursor !== null);
}

async function newest(
  reached: Reached,
  account: AccountRef | null,
  options: ReadOptions,
): Promise<readonly string[]> {
  const { limit = 50 } = options;
  const events: string[] = [];
  for await (const page of eventPages(reached, account, options, () => limit - events.length)) {
    events.push(...page.items);
    if (events.length >= limit) break;
    if (page.next === null && page.begins !== undefined && forPeople(options))
      note(`calls are on record from ${page.begins} on`);
  }
  return events.reverse();
}

/**
 * With filters, those of the newest events that match come first, and then every further one that
 * does.
 */
async function follow(
  { control, actor }: Reached,
  account: AccountRef | null,
  options: ReadOptions,
  show: (event: string) => void,
): Promise<void> {
  // The question that pages ask of an event, asked here of those that are followed.
  const matches = readFilter(filterOf(options));
  const stop = new AbortController();
  const onSignal = () => stop.abort();
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
  try {
    const query = { account, ...given('limit', options.limit) };
    for await (const item of control.follow(actor, query, stop.signal))
      showFollowed(item, matches, show);
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  }
}

function showFollowed(
  item: Followed,
  matches: (event: string) => boolean,
  show: (event: string) => void,
): void {
  if ('skipped' in item) note('more happened than can be shown; some events were left out here');
  else if (matches(item.event)) show(item.event);
}

/** The account that options name, or everybody. */
export function accountOf(options: {
  readonly account?: string;
  readonly accountId?: string;
}): AccountRef | null {
  const { account, accountId } = options;
  if (account !== undefined && accountId !== undefined)
    throw new UsageError('either --account or --account-id, not both');
  if (accountId !== undefined) return { id: accountId };
  return account === undefined ? null : { name: account };
}

export function filterOf({
  reason,
  phase,
  type,
  route,
  application,
  method,
  decision,
  status,
  address,
  actor,
  since,
  until,
}: FilterOptions): ActivityFilter {
  return {
    ...given('reason', reason),
    ...given('phase', phase),
    ...given('type', type),
    ...given('route', route),
    ...given('application', application),
    ...given('method', method?.toUpperCase()),
    ...given('decision', decision),
    ...given('status', status),
    ...given('address', address),
    ...given('actor', actor),
    ...given('since', since),
    ...given('until', until),
  };
}

import { type Command, Option } from 'commander';
import { CSV_LISTS } from '../admin/lists-csv.ts';
import type { UsageTop, UsageTopQuery } from '../admin/usage.ts';
import { USAGE_ORDERS, type UsageOrder } from '../admin/usage-orders.ts';
import { NO_ACCOUNT, type Subject } from '../stats/usage/table.ts';
import {
  type CommonOptions,
  count,
  duration,
  examples,
  given,
  leaf,
  moment,
  withNames,
  withTable,
} from './options.ts';
import { withReach } from './reach.ts';
import { note, say, sayCsv, sayJson, sayWide, styled } from './terminal.ts';
import { barsFor, topTable, totalText } from './top-lines.ts';
import { showLive } from './top-screen.ts';

export interface TopOptions extends CommonOptions {
  readonly by: UsageOrder;
  readonly limit?: number;
  readonly since?: string;
  readonly until?: string;
  readonly every: number;
  readonly once?: boolean;
}

const SUBJECT_OF: Readonly<Record<string, Subject>> = {
  accounts: 'account',
  applications: 'application',
  routes: 'route',
};
const EVERY = { defaultMs: 5_000, leastMs: 1_000, mostMs: 30_000 } as const;
const PIPED_WIDTH = 120;

export function addTopCommand(program: Command): void {
  const top = withTable(
    leaf(program, 'top [of]', 'who calls most: accounts, applications or routes, live'),
  )
    .addOption(
      new Option('--by <order>', 'by what the busiest are told')
        .choices(USAGE_ORDERS)
        .default('calls'),
    )
    .option(
      '-n, --limit <n>',
      'the most rows (default: as many as there is room for)',
      count(1, 256),
    )
    .option('--since <when>', 'from when on: 15m, 24h, 7d, 2030-01-31 (default: 1h)', moment)
    .option('--until <when>', 'up to when; with it, it is shown once', moment)
    .addOption(
      new Option('--every <time>', 'how often it is refreshed')
        .argParser(duration(EVERY.mostMs))
        .default(EVERY.defaultMs, '5s'),
    )
    .option('--once', 'show it once and end, as where the output is no terminal')
    .action(async (word: string | undefined, options: TopOptions, command: Command) => {
      const of = SUBJECT_OF[word ?? 'accounts'];
      if (of === undefined)
        command.error(`error: say what to show: ${Object.keys(SUBJECT_OF).join(', ')}`);
      if (options.every < EVERY.leastMs)
        command.error(`error: --every is ${EVERY.leastMs / 1000} s at least`);
      await showTop(of, options);
    });
  withNames(top, namesIn);
  examples(
    top,
    'sallyport top --config sallyport.yaml',
    'sallyport top routes --by p99 --since 24h --once',
    'sallyport top applications --server https://gate.example:9443 --json',
  );
  top.addHelpText(
    'after',
    '\nIn the terminal: q ends, s changes the order, t goes from accounts to applications and routes,\n+ and - change the range, space refreshes. A + behind calls: at least so many.',
  );
}

/** Calls of nobody known have no name that another command could be given. */
function namesIn({ of, items }: UsageTop): readonly string[] {
  const named = items.filter(({ id }) => of !== 'account' || id !== NO_ACCOUNT.id);
  return named.map(({ name }) => name);
}

async function showTop(of: Subject, options: TopOptions): Promise<void> {
  const asPipe = options.json === true || options.csv === true || isWide(options);
  const isLive =
    !asPipe &&
    options.once !== true &&
    options.until === undefined &&
    process.stdout.isTTY === true;
  await withReach(options, false, async ({ control, actor }) => {
    const ask = (query: UsageTopQuery) => control.administration.topUsage(actor, query);
    if (isLive) return showLive(ask, { of, ...options });
    const query = {
      ...{ of, by: options.by },
      ...given('limit', options.limit),
      ...given('since', options.since),
      ...given('until', options.until),
    };
    showOnce(await ask(query), options);
  });
}

function showOnce(top: UsageTop, options: TopOptions): void {
  if (options.csv === true) sayCsv(CSV_LISTS.usageTop, top.items);
  else if (options.json === true) sayJson(top);
  else if (isWide(options) && top.items.length > 0) sayWide(CSV_LISTS.usageTop, top.items);
  else showTable(top);
}

function isWide({ output }: TopOptions): boolean {
  return output?.kind === 'wide';
}

function showTable(top: UsageTop): void {
  const [since, until] = [top.since, top.until].map((time) => time.slice(0, 16).replace('T', ' '));
  note(`${since} to ${until} UTC: ${totalText(top.total)}`);
  if (top.items.length === 0) return;
  const width = process.stdout.columns || PIPED_WIDTH;
  const { heading, rows } = topTable(top, width, barsFor(process.env));
  say(styled('dim', heading));
  for (const row of rows) say(row);
}

import type { Command } from 'commander';
import { accountOf } from './activity.ts';
import { examples, leaf } from './options.ts';
import { progressBar } from './progress.ts';
import { type StoreOptions, withReach } from './reach.ts';
import { say, sayJson } from './terminal.ts';

interface ReindexOptions extends StoreOptions {
  readonly json?: boolean;
  readonly account?: string;
  readonly accountId?: string;
}

export function addReindexCommand(audit: Command): void {
  const reindex = leaf(audit, 'reindex', 'rebuild the activity logs of accounts from the record')
    .option('--account <name>', 'of this account alone')
    .option('--account-id <id>', 'the same by id, also of an account that was deleted')
    .action(makeAnew);
  reindex.description(
    'rebuild the activity logs of accounts from the record, while gates go on recording.\n' +
      'Each log is built beside the one in use and takes its place in one step. What a log has from\n' +
      'before the record begins stays. With the embedded store the record itself is read, so there\n' +
      'is nothing to make. On Redis it needs the user manager.',
  );
  examples(
    reindex,
    'sallyport audit reindex --config manage.yaml',
    'sallyport audit reindex --account ci-pipeline --config manage.yaml',
    'sallyport audit reindex --server https://gate.example:9443',
  );
}

async function makeAnew(options: ReindexOptions): Promise<void> {
  const bar = progressBar('events');
  const account = accountOf(options);
  const made = await withReach(options, false, ({ control, actor }) =>
    control.reindexing.run(actor, { account }, bar.at),
  ).finally(() => bar.end());
  if (options.json === true) return sayJson(made);
  if (!made.needed)
    return say(
      'The store is embedded: the record itself is read, and there is nothing to rebuild.',
    );
  const { accounts, events } = made;
  const logs = accounts === 1 ? 'log of 1 account was' : `logs of ${accounts} accounts were`;
  say(`The activity ${logs} rebuilt from ${events} events.`);
}

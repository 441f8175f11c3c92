import type { Command } from 'commander';
import type { AccountRef } from '../admin/accounts.ts';
import type { Followed } from '../admin/activity.ts';
import type { CommonOptions } from './account.ts';
import { formatEvent } from './event-line.ts';
import { count, examples, group, leaf } from './options.ts';
import { withReach } from './reach.ts';
import { note, say } from './terminal.ts';

interface ActivityOptions extends CommonOptions {
  readonly follow?: boolean;
  readonly limit?: number;
}

export function addActivityCommands(program: Command): void {
  const activity = limited(leaf(program, 'activity <name>', 'what an account did, and what was done to it')).action(
    (name: string, options: ActivityOptions) => read({ name }, options),
  );
  examples(activity, 'sallyport activity ci-pipeline --follow', 'sallyport activity ci-pipeline --limit 500 --json | jq .reason');
  const audit = group(program, 'audit', 'the record of all calls and changes');
  limited(leaf(audit, 'tail', 'the newest events of everybody')).action((options: ActivityOptions) => read(null, options));
}

function limited(command: Command): Command {
  return command
    .option('-f, --follow', 'go on showing events as they come')
    .option('-n, --limit <count>', 'how many of the newest events (default: 50)', count(1, 1000));
}

async function read(account: AccountRef | null, options: ActivityOptions): Promise<void> {
  const query = { account, ...(options.limit === undefined ? {} : { limit: options.limit }) };
  const show = (event: string) => say(options.json === true ? event : formatEvent(event));
  await withReach(options, false, async ({ control, actor }) => {
    if (options.follow !== true) {
      const events = await control.activity(actor, query);
      if (events.length === 0) note('nothing has been recorded yet');
      for (const event of events) show(event);
      return;
    }
    const stop = new AbortController();
    const onSignal = () => stop.abort();
    process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
    try {
      for await (const item of control.follow(actor, query, stop.signal)) showFollowed(item, show);
    } finally {
      process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
    }
  });
}

function showFollowed(item: Followed, show: (event: string) => void): void {
  if ('event' in item) show(item.event);
  else note('more happened than can be shown; some events were left out here');
}

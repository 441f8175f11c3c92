import type { Command } from 'commander';
import type { AccountAnswer } from '../admin/accounts.ts';
import { RECEIPT_WAIT } from '../admin/context.ts';
import { type CommonOptions, duration } from './options.ts';
import { type Reached, withReach } from './reach.ts';
import { noteReceipt } from './receipt.ts';
import { say, sayJson } from './terminal.ts';

/** For commands that can take something away: they answer when that is in force on every gate. */
export function waiting(command: Command): Command {
  const summary = 'how long to wait until every running gate has applied it (default 5s)';
  const waits = command.option('--wait <time>', summary, duration(RECEIPT_WAIT.mostMs));
  return unapproved(waits);
}

/** For commands that can take something from somebody, and show it first. */
export function dangerous(command: Command): Command {
  return waiting(command)
    .option('--dry-run', 'only show what it would do, and who would lose what')
    .option('--yes', 'do not ask');
}

/** For commands that can concern a protected role. */
export function unapproved(command: Command): Command {
  return command.option(
    '--without-approval',
    'do it although another administrator should approve it (on the store only; the record says so)',
  );
}

/** A change to an account, and one line about it. */
export async function act(
  options: CommonOptions,
  done: string,
  work: (reached: Reached) => Promise<AccountAnswer>,
): Promise<void> {
  const answer = await withReach(options, true, work);
  if (options.json === true) sayJson(answer);
  else say(answer.changed ? done : `${done} Nothing had to be changed.`);
  noteReceipt(answer.revocation);
}

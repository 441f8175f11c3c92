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
  return command.option('--wait <time>', summary, duration(RECEIPT_WAIT.mostMs));
}

/** A change to an account, and one line about it. */
export async function act(
  options: CommonOptions,
  done: string,
  work: (reached: Reached) => Promise<AccountAnswer>,
): Promise<void> {
  const answer = await withReach(options, true, work);
  if (options.json === true) sayJson(answer);
  else say(answer.changed ? done : `${done} It was so already.`);
  noteReceipt(answer.revocation);
}

import type { Command } from 'commander';
import { RECEIPT_WAIT, type Receipted } from '../admin/context.ts';
import { type CommonOptions, duration, given } from './options.ts';
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

/** For commands that could take administration away from everybody. */
export function lastOne(command: Command): Command {
  return command.option(
    '--leave-no-administrator',
    'do it even if no administrator remains (only on the store itself)',
  );
}

/** What such a command is to wait for, and whether it may leave nobody. */
export function taking({ wait, leaveNoAdministrator }: CommonOptions) {
  return { ...given('waitMs', wait), ...given('leaveNoAdministrator', leaveNoAdministrator) };
}

/** @param say what to say where nothing is said */
export function mustChange(edited: object, command: Command, say: string): void {
  if (Object.keys(edited).length === 0) command.error(`error: nothing to change: say ${say}`);
}

interface Changed extends Receipted {
  readonly changed: boolean;
}
export type Work = (reached: Reached) => Promise<Changed>;

/** A change, and one line about it. */
export async function change(options: CommonOptions, done: string, work: Work): Promise<void> {
  await tell(options, { done, nothing: 'Nothing had to be changed.' }, work);
}

/** What brings something into a state, in which it may have been before: the line says which. */
export async function act(options: CommonOptions, state: string, work: Work): Promise<void> {
  await tell(options, { done: state, nothing: `${state} Nothing had to be changed.` }, work);
}

async function tell(
  options: CommonOptions,
  { done, nothing }: { readonly done: string; readonly nothing: string },
  work: Work,
): Promise<void> {
  const answer = await withReach(options, true, work);
  if (options.json === true) sayJson(answer);
  else say(answer.changed ? done : nothing);
  noteReceipt(answer.revocation);
}

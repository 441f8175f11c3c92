import type { Command } from 'commander';
import { change, dangerous, type Work } from './account-act.ts';
import { type CommonOptions, examples, given, leaf } from './options.ts';
import type { Reached } from './reach.ts';
import { withReplay } from './replay.ts';
import { askFirst } from './terminal.ts';

/** What roles and teams have in common: both say what accounts may, and somebody may lose by it. */

export function withDescription(command: Command): Command {
  return command.option('--description <text>', 'in plain words, at most 500 characters');
}

/** What of a role or team does not count, and what to do; nothing where all of it counts. */
export function inDoubt(
  { inDoubt: words = [] }: { readonly inDoubt?: readonly string[] },
  why: string,
): readonly [string, string][] {
  return words.length === 0 ? [] : [['In doubt', `${words.join(', ')} (${why})`]];
}

interface Removal {
  readonly name: string;
  readonly waitMs?: number;
}

export function addDelete(
  parent: Command,
  { summary, example }: { readonly summary: string; readonly example: string },
  remove: (reached: Reached, removal: Removal) => ReturnType<Work>,
): void {
  const what = parent.name();
  const command = withReplay(dangerous(leaf(parent, 'delete <name>', summary))).action(
    async (name: string, options: CommonOptions) => {
      askFirst(options, `Delete the ${what} ${name}? This cannot be undone.`);
      const removal = { name, ...given('waitMs', options.wait) };
      await change(options, `Deleted the ${what} ${name}.`, (reached) => remove(reached, removal));
    },
  );
  examples(command, example);
}

import type { Command } from 'commander';
import { planDeclaration, type Step } from '../admin/declaration.ts';
import { UsageError } from './exit.ts';
import { loadChecked } from './load.ts';
import { examples, leaf } from './options.ts';
import { type StoreOptions, withReach } from './reach.ts';
import { confirm, note, say, sayJson, styled, visible } from './terminal.ts';

interface ApplyOptions extends StoreOptions {
  readonly file?: string;
  readonly json?: boolean;
  readonly yes?: boolean;
  readonly dryRun?: boolean;
}

export function addApplyCommand(program: Command): void {
  const apply = leaf(
    program,
    'apply',
    'make roles, teams and service accounts what a file declares',
  )
    .requiredOption(
      '-f, --file <file>',
      'file with `accounts:`; its own `store:` counts unless --config or --server names another',
    )
    .option('--dry-run', 'only show what would be done')
    .option('--yes', 'do not ask')
    .action((options: ApplyOptions) => applyFile(options));
  apply.description(
    'make roles, teams and service accounts what a file declares.\nShows what differs first. Leaves alone what the file does not name. New accounts have no token: account rotate issues one.',
  );
  examples(
    apply,
    'sallyport apply -f accounts.yaml --dry-run',
    'sallyport apply -f accounts.yaml --config manage.yaml --yes',
  );
}

async function applyFile(options: ApplyOptions): Promise<void> {
  const file = options.file ?? '';
  const { config, namesStore } = loadChecked(file);
  const { accounts } = config;
  if (accounts.roles.length + accounts.teams.length + accounts.serviceAccounts.length === 0) {
    throw new UsageError(`${file} declares nothing: it has no accounts:, or nothing in it`);
  }
  const isTold = options.server !== undefined || options.config !== undefined;
  const store = namesStore && !isTold ? { config: file } : options;
  await withReach(store, options.dryRun !== true, async ({ control, actor }) => {
    const steps = await planDeclaration(control.administration, actor, accounts);
    if (options.server !== undefined && steps.some(({ kind }) => kind === 'service account'))
      throw new UsageError(
        'service accounts are not applied over --server: name the store with --config',
      );
    if (options.json !== true) show(steps);
    const applied = options.dryRun !== true;
    if (applied && steps.length > 0) {
      await confirm(`Make ${counted(steps.length)}?`, options.yes);
      await runAll(steps, options);
    }
    if (options.json === true) sayJson({ applied, changes: steps.map(shown) });
  });
}

/** One after the other. A step that fails ends it, and what was and was not applied is said. */
export async function runAll(
  steps: readonly Step[],
  { json }: Pick<ApplyOptions, 'json'>,
): Promise<void> {
  for (const [done, step] of steps.entries()) {
    try {
      await step.run();
    } catch (error) {
      const [failed, ...rest] = steps.slice(done).map(shown);
      const applied = steps.slice(0, done).map(shown);
      if (json === true) sayJson({ applied: false, changes: applied, failed, notApplied: rest });
      else sayInterrupted(steps, done);
      throw error;
    }
  }
  if (json !== true) note(`Done: ${counted(steps.length)}.`);
}

function sayInterrupted(steps: readonly Step[], done: number): void {
  note(`Applied ${done} of ${counted(steps.length)}, then one failed:`);
  for (const [index, { target }] of steps.entries()) {
    const state = index < done ? 'applied' : index === done ? 'failed' : 'not applied';
    note(`  ${target}: ${state}`);
  }
  note('Apply the file again when the cause is mended: what is applied already stays as it is.');
}

function shown({ what, target, differences }: Step) {
  return { what, target, differences };
}

function counted(changes: number): string {
  return `${changes} ${changes === 1 ? 'change' : 'changes'}`;
}

function show(steps: readonly Step[]): void {
  if (steps.length === 0) note('Everything is as declared.');
  for (const { what, target, differences } of steps) {
    say(what === 'create' ? styled('green', `+ ${target}`) : styled('yellow', `~ ${target}`));
    for (const difference of differences) say(`    ${visible(difference)}`);
  }
}

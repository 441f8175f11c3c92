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
      'file with `accounts:`; the store is its own unless --config or --server names another',
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
  const { accounts } = loadChecked(file).config;
  if (accounts.roles.length + accounts.teams.length + accounts.serviceAccounts.length === 0) {
    throw new UsageError(`${file} declares nothing: it has no accounts:, or nothing in it`);
  }
  const store =
    options.server === undefined && options.config === undefined ? { config: file } : options;
  await withReach(store, options.dryRun !== true, async ({ control, actor }) => {
    const steps = await planDeclaration(control.administration, actor, accounts);
    if (options.json !== true) show(steps);
    if (steps.length > 0 && options.dryRun !== true) {
      await confirm(
        `Make ${steps.length} ${steps.length === 1 ? 'change' : 'changes'}?`,
        options.yes,
      );
      for (const step of steps) await step.run();
      if (options.json !== true)
        note(`Done: ${steps.length} ${steps.length === 1 ? 'change' : 'changes'}.`);
    }
    if (options.json === true) {
      const changes = steps.map(({ what, target, differences }) => ({ what, target, differences }));
      sayJson({ applied: options.dryRun !== true, changes });
    }
  });
}

function show(steps: readonly Step[]): void {
  if (steps.length === 0) note('Everything is as declared.');
  for (const { what, target, differences } of steps) {
    say(what === 'create' ? styled('green', `+ ${target}`) : styled('yellow', `~ ${target}`));
    for (const difference of differences) say(`    ${visible(difference)}`);
  }
}

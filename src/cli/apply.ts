import type { Command } from 'commander';
import type { AppliedDeclaration } from '../admin/apply-declaration.ts';
import { type DeclaredChange, planOf } from '../admin/check-declaration.ts';
import { planDeclaration, type Step } from '../admin/declaration.ts';
import { AdminError, type AdminErrorCode } from '../admin/error.ts';
import { unapproved } from './account-act.ts';
import { UsageError } from './exit.ts';
import { loadChecked } from './load.ts';
import { examples, leaf } from './options.ts';
import { actOn } from './place/acted-on.ts';
import { placeOf, placeWords } from './place/place.ts';
import { type StoreOptions, withReach } from './reach.ts';
import { noteReceipt } from './receipt.ts';
import { days, replayed, showReplay } from './replay.ts';
import { confirm, note, say, sayJson, styled, visible } from './terminal.ts';

interface ApplyOptions extends StoreOptions {
  readonly file?: string;
  readonly json?: boolean;
  readonly yes?: boolean;
  readonly dryRun?: boolean;
  /** Days. */
  readonly replay?: number;
}

export function addApplyCommand(program: Command): void {
  const apply = unapproved(
    leaf(program, 'apply', 'make roles, teams and service accounts what a file declares'),
  )
    .requiredOption(
      '-f, --file <file>',
      'file with `accounts:`; its own `store:` counts unless --config, --server or --context names another',
    )
    .option('--dry-run', 'only show what would be done')
    .option(
      '--replay <days>',
      'with --dry-run: also say which calls of the last days the changes would have refused or let in (7d)',
      days,
    )
    .option('--yes', 'do not ask')
    .action((options: ApplyOptions) => applyFile(options));
  apply.description(
    'make roles, teams and service accounts what a file declares.\nShows what differs first. Leaves alone what the file does not name. New accounts have no token: account rotate issues one.',
  );
  examples(
    apply,
    'sallyport apply -f accounts.yaml --dry-run',
    'sallyport apply -f accounts.yaml --dry-run --replay 7d',
    'sallyport apply -f accounts.yaml --config manage.yaml --yes',
  );
}

async function applyFile(options: ApplyOptions): Promise<void> {
  const file = options.file ?? '';
  if (options.replay !== undefined && options.dryRun !== true)
    throw new UsageError('--replay only shows what would be refused: add --dry-run');
  const { config, namesStore } = loadChecked(file);
  const { accounts } = config;
  if (accounts.roles.length + accounts.teams.length + accounts.serviceAccounts.length === 0) {
    throw new UsageError(`${file} declares nothing: it has no accounts:, or nothing in it`);
  }
  const { withoutApproval = false } = options;
  const store = namesStore && !isTold(options) ? { config: file, withoutApproval } : options;
  actOn(() => placeWords(placeOf(store)));
  await withReach(store, options.dryRun !== true, async ({ control, actor, place }) => {
    const { administration } = control;
    const steps = await planDeclaration(administration, actor, accounts);
    if (place.server !== null && steps.some(({ kind }) => kind === 'service account'))
      throw new UsageError(
        'service accounts are not applied over --server: name the store with --config',
      );
    if (options.json !== true) show(steps);
    const { roles, teams, serviceAccounts } = accounts;
    const declared = {
      ...{ roles, teams, ...(serviceAccounts.length === 0 ? {} : { serviceAccounts }) },
    };
    const replay =
      options.replay === undefined || steps.length === 0
        ? null
        : await replayed({ control, actor }, 'applyDeclaration', declared, options.replay);
    if (replay !== null && options.json !== true) showReplay(replay, options.replay ?? 0);
    const told = replay === null ? {} : { replay };
    if (options.dryRun === true || steps.length === 0) {
      if (options.json === true)
        sayJson({ applied: options.dryRun !== true, changes: steps.map(shown), ...told });
      return;
    }
    await confirm(`Make ${counted(steps.length)}?`, options.yes);
    const answer = await administration.applyDeclaration(actor, {
      ...declared,
      plan: planOf(steps),
    });
    report(answer, options);
  });
}

/** A store is named for this command: more than the file's own. */
function isTold({ config, server, context }: StoreOptions): boolean {
  const asked = process.env.SALLYPORT_CONTEXT ?? '';
  return [config, server, context].some((one) => one !== undefined) || asked !== '';
}

/** What was and was not applied; throws for the fault that ended it. */
export function report(
  { applied, notApplied, fault, revocation }: AppliedDeclaration,
  { json }: Pick<ApplyOptions, 'json'>,
): void {
  if (json === true)
    sayJson({
      applied: fault === null,
      changes: applied,
      ...(fault === null ? {} : { notApplied }),
    });
  else if (fault === null) note(`Done: ${counted(applied.length)}.`);
  else sayInterrupted(applied, notApplied, fault.code);
  noteReceipt(revocation);
  if (fault !== null) throw new AdminError(fault.code, fault.message);
}

function sayInterrupted(
  applied: readonly DeclaredChange[],
  notApplied: readonly DeclaredChange[],
  code: AdminErrorCode,
): void {
  // The answer of the store may be lost, and the change made.
  const outcome = code === 'unavailable' ? 'not known to be applied' : 'not applied';
  const all = applied.length + notApplied.length;
  note(`Applied ${applied.length} of ${counted(all)}, then it was stopped:`);
  for (const { target } of applied) note(`  ${target}: applied`);
  for (const { target } of notApplied) note(`  ${target}: ${outcome}`);
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

import { administrationOf, OPERATIONS, type OperationName } from '../admin/administration.ts';
import { AdminError } from '../admin/error.ts';
import { PREVIEWED, REPLAYED, type Rehearsed } from '../admin/operations/rehearsed.ts';
import type { ChangePreview, Loser } from '../admin/preview.ts';
import { Shown, UsageError } from './exit.ts';
import type { AskedOptions, Reached } from './reached.ts';
import { differencesOf, markOf } from './record-difference.ts';
import { replayed, showReplay } from './replay.ts';
import { canAsk, confirm, note, say, sayJson, visible } from './terminal.ts';

/**
 * What a command would do, shown before it does it: with `--dry-run` instead, and on a terminal
 * ahead of the question.
 */

/** These show what they would do in their own way. */
const OWN_WAY: readonly OperationName[] = [
  'changeAccounts',
  'applyDeclaration',
  'declareServiceAccount',
];
/** Creations take nothing from anybody. */
const HARMLESS = ['createRole', 'createTeam', 'activateAccount'];

/** Every operation shows first what it would do, where somebody wants to see it. */
export function previewed(reached: Reached, options: AskedOptions): Reached {
  const isAsking = options.yes !== true && canAsk();
  const { replay } = options;
  if (replay === undefined && options.dryRun !== true && !isAsking) return reached;
  const { control } = reached;
  const administration = administrationOf((name) => async (actor, input) => {
    if (replay !== undefined && !OWN_WAY.includes(name))
      await showReplayed(reached, options, replay, name, input as object);
    const operation = PREVIEWED.find((one) => one === name);
    if (operation !== undefined && !OWN_WAY.includes(name))
      await showFirst(reached, options, operation, input as object);
    return control.administration[name](actor, input as never);
  });
  return { ...reached, control: { ...control, administration } };
}

/** Held against the record instead of made; what only looks is let pass. */
async function showReplayed(
  reached: Reached,
  { json }: AskedOptions,
  lookBack: number,
  name: OperationName,
  input: object,
): Promise<void> {
  const operation = REPLAYED.find((one) => one === name);
  if (operation === undefined) {
    if (OPERATIONS[name].records.length > 0)
      throw new UsageError(
        '--replay is for changes of roles, teams and service accounts, not for this one',
      );
    return;
  }
  const answer = await replayed(reached, operation, input, lookBack);
  if (json === true) sayJson(answer);
  else showReplay(answer, lookBack);
  throw new Shown();
}

async function showFirst(
  { control, actor }: Reached,
  options: AskedOptions,
  operation: Rehearsed,
  input: object,
): Promise<void> {
  const asked = { operation, input: input as Readonly<Record<string, unknown>> };
  if (options.dryRun === true) {
    const preview = await control.administration.previewChange(actor, asked);
    if (options.json === true) sayJson({ applied: false, preview });
    else for (const line of linesOf(preview)) say(line);
    throw new Shown();
  }
  if (HARMLESS.includes(operation)) return;
  const preview = await control.administration
    .previewChange(actor, asked)
    // Whoever cannot look is told so by the change itself; an earlier gate has no preview.
    .catch((error: unknown) => {
      if (error instanceof AdminError) return null;
      throw error;
    });
  const isGrave = preview !== null && (preview.losers.length > 0 || preview.abandoned.length > 0);
  if (preview !== null && isGrave) for (const line of linesOf(preview)) note(line);
  const question = options.question ?? (isGrave ? 'Do it?' : null);
  if (question !== null) await confirm(question, options.yes);
}

function linesOf(preview: ChangePreview): readonly string[] {
  const { changes, losers, losing, accounts, examined, abandoned, approval } = preview;
  if (changes.length === 0) return ['Nothing would change.'];
  return [
    ...changes.flatMap((change) => [
      `${markOf(change)} ${change.kind} ${change.name}`,
      ...differencesOf(change).map((line) => `    ${visible(line)}`),
    ]),
    losers.length === 0
      ? `Nobody loses by it (${counted(examined)} looked at).`
      : `${counted(losing)} of ${accounts} would lose by it:`,
    ...losers.map((loser) => `  ${loser.name} (${useOf(loser)}): ${loser.loses.join('; ')}`),
    ...(losing > losers.length ? [`  and ${losing - losers.length} more`] : []),
    ...(examined < accounts ? [`${accounts - examined} more were not looked at.`] : []),
    ...(abandoned.length === 0
      ? []
      : [`No member is left who is let in on: ${abandoned.join(', ')}`]),
    ...(approval.length === 0
      ? []
      : [`It waits for another administrator: ${approval.join(', ')} is protected.`]),
  ];
}

function counted(accounts: number): string {
  return `${accounts} ${accounts === 1 ? 'account' : 'accounts'}`;
}

function useOf({ kind, lastUsedAt, calls, underWay }: Loser): string {
  if (kind === 'user') return 'a person';
  return [
    ...(calls === null ? [] : [`${calls.count}${calls.isMore ? ' or more' : ''} calls in 24 h`]),
    // A gate of an earlier version does not say.
    ...(underWay == null ? [] : [`${underWay} under way in the process that was asked`]),
    lastUsedAt === null ? 'never let in' : `last let in ${lastUsedAt}`,
  ].join(', ');
}

import type { Command } from 'commander';
import type { WaitingView } from '../admin/approvals/approvals.ts';
import { CSV_LISTS } from '../admin/lists-csv.ts';
import { waiting } from './account-act.ts';
import { asList } from './lists.ts';
import { watched, withWatch } from './looking.ts';
import { type CommonOptions, examples, given, group, leaf, withNames } from './options.ts';
import { type Reached, withReach } from './reach.ts';
import { noteReceipt } from './receipt.ts';
import { differencesOf, markOf } from './record-difference.ts';
import { confirm, details, note, say, sayJson, visible } from './terminal.ts';

/** `approval`: changes to protected roles that wait for a second administrator. */
export function addApprovalCommands(program: Command): void {
  const approval = group(
    program,
    'approval',
    'changes to protected roles, which wait for a second administrator',
  );
  const list = asList(
    leaf(approval, 'list', 'list the changes that wait'),
    {
      key: 'approvals',
      columns: CSV_LISTS.approvals,
      name: ({ id }) => id,
      headings: ['ID', 'PROPOSED BY', 'UNTIL', 'ROLES', 'CHANGES'],
      row: (one) => [
        one.id,
        one.proposedBy.name,
        one.expiresAt,
        one.roles.join(' '),
        targetsOf(one),
      ],
      none: 'nothing waits for approval',
    },
    ({ control, actor }) => control.administration.listApprovals(actor, {}),
  );
  examples(
    list,
    'sallyport approval list --server https://gate.example:9443',
    'sallyport approval list -o name | xargs -n 1 sallyport approval show',
  );
  const show = withWatch(
    leaf(approval, 'show <id>', 'show a change that waits: each record before and after it'),
  );
  show.action(watched(showWaiting));
  withNames(show, (told: { readonly approval: WaitingView }) => [told.approval.id]);
  examples(show, 'sallyport approval show 3f8a1c09be52');
  const approve = waiting(
    leaf(approval, 'approve <id>', 'approve a change that somebody else has proposed'),
  )
    .option('--yes', 'do not ask')
    .action((id: string, options: CommonOptions) => approveWaiting(id, options));
  approve.description(
    'approve a change that somebody else has proposed.\nIt is made as it was shown or not at all. Needs every right that the change itself needs.',
  );
  examples(approve, 'sallyport approval approve 3f8a1c09be52');
  const withdraw = leaf(approval, 'withdraw <id>', 'take a change back, or decline it')
    .option('--yes', 'do not ask')
    .action((id: string, options: CommonOptions) => withdrawWaiting(id, options));
  examples(withdraw, 'sallyport approval withdraw 3f8a1c09be52 --yes');
}

/** The first of them by name. */
function targetsOf({ changes }: WaitingView): string {
  const [first] = changes;
  if (first === undefined) return 'cannot be read: withdraw it';
  const more = changes.length - 1;
  return `${first.kind} ${first.name}${more > 0 ? ` and ${more} more` : ''}`;
}

async function showWaiting(id: string, options: CommonOptions): Promise<void> {
  await withReach(options, false, async (reached) => {
    const approval = await waitingOf(reached, id);
    if (options.json === true) sayJson({ approval });
    else showChange(approval, say);
  });
}

async function waitingOf({ control, actor }: Reached, id: string): Promise<WaitingView> {
  return (await control.administration.showApproval(actor, { approval: id })).approval;
}

async function approveWaiting(id: string, options: CommonOptions): Promise<void> {
  await withReach(options, true, async (reached) => {
    if (options.yes !== true) showChange(await waitingOf(reached, id), note);
    await confirm(`Approve ${id}? It is made at once.`, options.yes);
    const { control, actor } = reached;
    const input = { approval: id, ...given('waitMs', options.wait) };
    const answer = await control.administration.approveChange(actor, input);
    if (options.json === true) sayJson(answer);
    else say(`Approved ${id}: ${targetsOf(answer.approval)} changed.`);
    noteReceipt(answer.revocation);
  });
}

async function withdrawWaiting(id: string, options: CommonOptions): Promise<void> {
  await withReach(options, true, async (reached) => {
    if (options.yes !== true) showChange(await waitingOf(reached, id), note);
    await confirm(`Withdraw ${id}? Nothing is changed by it then.`, options.yes);
    const { control, actor } = reached;
    const answer = await control.administration.withdrawChange(actor, { approval: id });
    if (options.json === true) sayJson(answer);
    else say(`Withdrew ${id}: nothing was changed.`);
  });
}

/** Who asks for what, and what would come of it. */
function showChange(approval: WaitingView, tell: (line: string) => void): void {
  const { id, proposedBy, proposedAt, expiresAt, roles, changes } = approval;
  const lines: (readonly [string, string])[] = [
    ['Id', id],
    ['Proposed by', `${proposedBy.name} (${proposedBy.via}) at ${proposedAt}`],
    ['Until', expiresAt],
    ['Protected roles', roles.join(', ')],
  ];
  if (tell === say) details(lines);
  else for (const [name, value] of lines) tell(`${name}: ${visible(value)}`);
  for (const change of changes) {
    tell(`${markOf(change)} ${change.kind} ${change.name}`);
    for (const line of differencesOf(change)) tell(`    ${visible(line)}`);
  }
}

import type { Command } from 'commander';
import { CSV_LISTS } from '../admin/lists-csv.ts';
import type { ListedTeam } from '../admin/views.ts';
import { change, dangerous, mustChange } from './account-act.ts';
import { asList } from './lists.ts';
import { watched, withWatch } from './looking.ts';
import { type CommonOptions, examples, given, group, leaf, several, withNames } from './options.ts';
import { addDelete, inDoubt, withDescription } from './policy.ts';
import { withReach } from './reach.ts';
import { withReplay } from './replay.ts';
import { details, sayJson } from './terminal.ts';

interface TeamOptions extends CommonOptions {
  readonly application?: readonly string[];
  readonly addApplication?: readonly string[];
  readonly removeApplication?: readonly string[];
  readonly description?: string;
}

export function addTeamCommands(program: Command): void {
  const team = group(program, 'team', 'teams: applications, and who has which role on them');
  addCreate(team);
  addEdit(team);
  addDelete(
    team,
    { summary: 'delete a team that has no members', example: 'sallyport team delete payments' },
    ({ control, actor }, removal) => control.administration.deleteTeam(actor, removal),
  );
  addList(team);
  const show = withWatch(leaf(team, 'show <name>', 'show a team and its members'));
  show.action(watched(showTeam));
  withNames(show, (told: { readonly team: ListedTeam }) => [told.team.name]);
  examples(show, 'sallyport team show payments');
}

function addList(team: Command): void {
  const list = asList(
    leaf(team, 'list', 'list the teams'),
    {
      key: 'teams',
      columns: CSV_LISTS.teams,
      name: ({ name }) => name,
      headings: ['NAME', 'MEMBERS', 'APPLICATIONS', 'DESCRIPTION'],
      row: ({ name, memberCount, applications, description }) => [
        name,
        String(memberCount),
        applications.join(' ') || '-',
        description,
      ],
      none: 'there are no teams yet',
    },
    async ({ control, actor }) => ({ teams: await control.administration.listTeams(actor, {}) }),
  );
  examples(list, 'sallyport team list', 'sallyport team list -o name');
}

async function showTeam(name: string, options: CommonOptions): Promise<void> {
  await withReach(options, false, async ({ control, actor }) => {
    const shown = await control.administration.showTeam(actor, { name });
    if (options.json === true) return sayJson({ team: shown });
    details([
      ['Name', shown.name],
      ['Description', shown.description || '-'],
      ['Applications', shown.applications.join(', ') || '-'],
      ...inDoubt(
        shown,
        'the store has lost a change of who owns them, and members have no role there; the ' +
          'next `team edit` decides',
      ),
      [
        'Members',
        shown.members.map(({ account, role }) => `${account} as ${role}`).join(', ') || 'nobody',
      ],
    ]);
  });
}

function addCreate(team: Command): void {
  const create = withDescription(
    leaf(team, 'create <name>', 'create a team').option(
      '--application <application>',
      'an application that it owns (repeat, or use commas)',
      several,
    ),
  ).action(async (name: string, options: TeamOptions) => {
    const input = {
      name,
      ...given('applications', options.application),
      ...given('description', options.description),
    };
    await change(options, `Created the team ${name}.`, ({ control, actor }) =>
      control.administration.createTeam(actor, input),
    );
  });
  examples(
    create,
    'sallyport team create payments --application Billing,Ledger',
    'sallyport account join ci-pipeline --team payments --role deployer',
  );
}

function addEdit(team: Command): void {
  const summary = 'change the applications or the description of a team';
  const edit = withDescription(
    withReplay(dangerous(leaf(team, 'edit <name>', summary)))
      .option('--application <application>', 'the whole new list (repeat, or use commas)', several)
      .option('--add-application <application>', 'one more (repeat, or use commas)', several)
      .option('--remove-application <application>', 'one less (repeat, or use commas)', several),
  ).action(async (name: string, options: TeamOptions, command: Command) => {
    const edited = {
      ...given('applications', options.application),
      ...given('addApplications', options.addApplication),
      ...given('removeApplications', options.removeApplication),
      ...given('description', options.description),
    };
    mustChange(edited, command, 'what, for example --add-application');
    const input = { name, ...edited, ...given('waitMs', options.wait) };
    await change(options, `Changed the team ${name}.`, ({ control, actor }) =>
      control.administration.editTeam(actor, input),
    );
  });
  examples(edit, 'sallyport team edit payments --add-application Ledger');
}

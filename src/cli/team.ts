import type { Command } from 'commander';
import type { ListedTeam } from '../admin/views.ts';
import { dangerous } from './account-act.ts';
import { watched, withWatch } from './looking.ts';
import {
  type CommonOptions,
  examples,
  given,
  group,
  leaf,
  limited,
  several,
  withCsv,
  withLimit,
  withNames,
} from './options.ts';
import { withReach } from './reach.ts';
import { withReplay } from './replay.ts';
import { inDoubt, report } from './role.ts';
import { askFirst, details, note, sayCsv, sayJson, sayWide, table } from './terminal.ts';

interface TeamOptions extends CommonOptions {
  readonly application?: readonly string[];
  readonly addApplication?: readonly string[];
  readonly removeApplication?: readonly string[];
  readonly description?: string;
}

export function addTeamCommands(program: Command): void {
  const team = group(program, 'team', 'teams: applications, and who has which role on them');
  addChanges(team);
  const list = withWatch(withLimit(withCsv(leaf(team, 'list', 'list the teams'))));
  withNames(list, ({ teams }: { readonly teams: readonly ListedTeam[] }) =>
    teams.map(({ name }) => name),
  );
  list.action(watched(listTeams));
  examples(list, 'sallyport team list', 'sallyport team list -o name');
  const show = withWatch(leaf(team, 'show <name>', 'show a team and its members'));
  show.action(watched(showTeam));
  withNames(show, (told: { readonly team: ListedTeam }) => [told.team.name]);
  examples(show, 'sallyport team show payments');
}

async function listTeams(options: CommonOptions): Promise<void> {
  await withReach(options, false, async ({ control, actor }) => {
    const teams = limited(await control.administration.listTeams(actor, {}), options.limit);
    if (options.csv === true) sayCsv('teams', teams);
    else if (options.json === true) sayJson({ teams });
    else if (options.output?.kind === 'wide') sayWide('teams', teams);
    else if (teams.length === 0) note('there are no teams yet');
    else
      table(
        ['NAME', 'MEMBERS', 'APPLICATIONS', 'DESCRIPTION'],
        teams.map((t) => [
          t.name,
          String(t.memberCount),
          t.applications.join(' ') || '-',
          t.description,
        ]),
      );
  });
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

function addChanges(team: Command): void {
  const create = leaf(team, 'create <name>', 'create a team')
    .option(
      '--application <application>',
      'an application that it owns (repeat, or use commas)',
      several,
    )
    .option('--description <text>', 'in plain words, at most 500 characters')
    .action(async (name: string, options: TeamOptions) => {
      const input = {
        name,
        ...given('applications', options.application),
        ...given('description', options.description),
      };
      await withReach(options, true, async ({ control, actor }) => {
        report(
          options,
          await control.administration.createTeam(actor, input),
          `Created the team ${name}.`,
        );
      });
    });
  examples(
    create,
    'sallyport team create payments --application Billing,Ledger',
    'sallyport account join ci-pipeline --team payments --role deployer',
  );
  const edit = withReplay(
    dangerous(leaf(team, 'edit <name>', 'change the applications or the description of a team')),
  )
    .option('--application <application>', 'the whole new list (repeat, or use commas)', several)
    .option('--add-application <application>', 'one more (repeat, or use commas)', several)
    .option('--remove-application <application>', 'one less (repeat, or use commas)', several)
    .option('--description <text>', 'in plain words, at most 500 characters')
    .action(async (name: string, options: TeamOptions, command: Command) => {
      const change = {
        ...given('applications', options.application),
        ...given('addApplications', options.addApplication),
        ...given('removeApplications', options.removeApplication),
        ...given('description', options.description),
      };
      if (Object.keys(change).length === 0)
        command.error('error: nothing to change: say what, for example --add-application');
      await withReach(options, true, async ({ control, actor }) => {
        report(
          options,
          await control.administration.editTeam(actor, {
            name,
            ...change,
            ...given('waitMs', options.wait),
          }),
          `Changed the team ${name}.`,
        );
      });
    });
  examples(edit, 'sallyport team edit payments --add-application Ledger');
  const remove = withReplay(
    dangerous(leaf(team, 'delete <name>', 'delete a team that has no members')),
  ).action(async (name: string, options: CommonOptions) => {
    askFirst(options, `Delete the team ${name}? This cannot be undone.`);
    await withReach(options, true, async ({ control, actor }) => {
      report(
        options,
        await control.administration.deleteTeam(actor, {
          name,
          ...given('waitMs', options.wait),
        }),
        `Deleted the team ${name}.`,
      );
    });
  });
  examples(remove, 'sallyport team delete payments');
}

import type { Command } from 'commander';
import type { Receipted } from '../admin/context.ts';
import type { ListedRole } from '../admin/views.ts';
import { lastOne, taking } from './account.ts';
import { dangerous, unapproved } from './account-act.ts';
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
import { noteReceipt } from './receipt.ts';
import { withReplay } from './replay.ts';
import { askFirst, details, say, sayCsv, sayJson, sayWide, table } from './terminal.ts';

interface RoleOptions extends CommonOptions {
  readonly permission?: readonly string[];
  readonly description?: string;
}

export function addRoleCommands(program: Command): void {
  const role = group(program, 'role', 'roles: named sets of permissions');
  addChanges(role);
  const list = withWatch(withLimit(withCsv(leaf(role, 'list', 'list the roles'))));
  withNames(list, ({ roles }: { readonly roles: readonly ListedRole[] }) =>
    roles.map(({ name }) => name),
  );
  list.action(watched(listRoles));
  examples(list, 'sallyport role list', 'sallyport role list -o name');
  const show = withWatch(leaf(role, 'show <name>', 'show a role and who has it'));
  show.action(watched(showRole));
  withNames(show, (told: { readonly role: ListedRole }) => [told.role.name]);
  examples(show, 'sallyport role show deployer');
}

async function listRoles(options: CommonOptions): Promise<void> {
  await withReach(options, false, async ({ control, actor }) => {
    const roles = limited(await control.administration.listRoles(actor, {}), options.limit);
    if (options.csv === true) sayCsv('roles', roles);
    else if (options.json === true) sayJson({ roles });
    else if (options.output?.kind === 'wide') sayWide('roles', roles);
    else
      table(
        ['NAME', 'USED BY', 'PERMISSIONS', 'DESCRIPTION'],
        roles.map((r) => [
          r.name,
          r.uses === null ? '-' : String(r.uses),
          r.permissions.join(' ') || '-',
          r.description,
        ]),
      );
  });
}

async function showRole(name: string, options: CommonOptions): Promise<void> {
  await withReach(options, false, async ({ control, actor }) => {
    const answer = await control.administration.showRole(actor, { name });
    if (options.json === true) return sayJson(answer);
    details([
      ['Name', answer.role.name],
      ['Description', answer.role.description || '-'],
      ['Permissions', answer.role.permissions.join(', ') || 'none at all'],
      ...inDoubt(
        answer.role,
        'the store has lost who took them away; the next `role edit` decides',
      ),
      [
        'Used by',
        answer.role.builtIn
          ? 'not counted: it is built in'
          : usedBy(answer.usedBy, answer.uses ?? 0),
      ],
    ]);
  });
}

/** What of a role or team does not count, and what to do; nothing where all of it counts. */
export function inDoubt(
  { inDoubt: words = [] }: { readonly inDoubt?: readonly string[] },
  why: string,
): readonly [string, string][] {
  return words.length === 0 ? [] : [['In doubt', `${words.join(', ')} (${why})`]];
}

/** The first of them by name. */
function usedBy(names: readonly string[], uses: number): string {
  if (names.length === 0) return uses === 0 ? 'nobody' : String(uses);
  return `${names.join(', ')}${uses > names.length ? ` and ${uses - names.length} more` : ''}`;
}

function addChanges(role: Command): void {
  const create = unapproved(leaf(role, 'create <name>', 'create a role'))
    .requiredOption(
      '--permission <permission>',
      'what it allows: deployments:read, deployments:*, * (repeat, or use commas)',
      several,
    )
    .option('--description <text>', 'in plain words, at most 500 characters')
    .action(async (name: string, options: RoleOptions) => {
      const { permission = [], description } = options;
      await withReach(options, true, async ({ control, actor }) => {
        const input = { name, permissions: permission, ...given('description', description) };
        report(
          options,
          await control.administration.createRole(actor, input),
          `Created the role ${name}.`,
        );
      });
    });
  examples(
    create,
    'sallyport role create deployer --permission applications:read,deployments:* --description "May deploy"',
  );
  const edit = withReplay(
    lastOne(
      dangerous(leaf(role, 'edit <name>', 'change what a role allows, for everybody who has it')),
    ),
  )
    .option('--permission <permission>', 'the whole new list (repeat, or use commas)', several)
    .option('--description <text>', 'in plain words, at most 500 characters')
    .action(async (name: string, options: RoleOptions, command: Command) => {
      const change = {
        ...given('permissions', options.permission),
        ...given('description', options.description),
      };
      if (Object.keys(change).length === 0)
        command.error('error: nothing to change: say --permission or --description');
      await withReach(options, true, async ({ control, actor }) => {
        report(
          options,
          await control.administration.editRole(actor, { name, ...change, ...taking(options) }),
          `Changed the role ${name}.`,
        );
      });
    });
  examples(
    edit,
    'sallyport role edit deployer --permission deployments:read,deployments:run',
    'sallyport role edit deployer --permission deployments:read --replay 7d',
  );
  const remove = withReplay(
    dangerous(leaf(role, 'delete <name>', 'delete a role that nobody has')),
  ).action(async (name: string, options: CommonOptions) => {
    askFirst(options, `Delete the role ${name}? This cannot be undone.`);
    await withReach(options, true, async ({ control, actor }) => {
      report(
        options,
        await control.administration.deleteRole(actor, {
          name,
          ...given('waitMs', options.wait),
        }),
        `Deleted the role ${name}.`,
      );
    });
  });
  examples(remove, 'sallyport role delete deployer');
}

/** One line about a change, or the whole answer in JSON. */
export function report(
  options: CommonOptions,
  answer: Receipted & { readonly changed: boolean },
  done: string,
): void {
  if (options.json === true) sayJson(answer);
  else say(answer.changed ? done : 'Nothing had to be changed.');
  noteReceipt(answer.revocation);
}

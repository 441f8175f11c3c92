import type { Command } from 'commander';
import { CSV_LISTS } from '../admin/lists-csv.ts';
import type { ListedRole } from '../admin/views.ts';
import { change, dangerous, lastOne, mustChange, taking, unapproved } from './account-act.ts';
import { asList } from './lists.ts';
import { watched, withWatch } from './looking.ts';
import { type CommonOptions, examples, given, group, leaf, several, withNames } from './options.ts';
import { addDelete, inDoubt, withDescription } from './policy.ts';
import { withReach } from './reach.ts';
import { withReplay } from './replay.ts';
import { details, sayJson } from './terminal.ts';

interface RoleOptions extends CommonOptions {
  readonly permission?: readonly string[];
  readonly description?: string;
}

export function addRoleCommands(program: Command): void {
  const role = group(program, 'role', 'roles: named sets of permissions');
  addCreate(role);
  addEdit(role);
  addDelete(
    role,
    { summary: 'delete a role that nobody has', example: 'sallyport role delete deployer' },
    ({ control, actor }, removal) => control.administration.deleteRole(actor, removal),
  );
  addList(role);
  const show = withWatch(leaf(role, 'show <name>', 'show a role and who has it'));
  show.action(watched(showRole));
  withNames(show, (told: { readonly role: ListedRole }) => [told.role.name]);
  examples(show, 'sallyport role show deployer');
}

function addList(role: Command): void {
  const list = asList(
    leaf(role, 'list', 'list the roles'),
    {
      key: 'roles',
      columns: CSV_LISTS.roles,
      name: ({ name }) => name,
      headings: ['NAME', 'USED BY', 'PERMISSIONS', 'DESCRIPTION'],
      row: ({ name, uses, permissions, description }) => [
        name,
        uses === null ? '-' : String(uses),
        permissions.join(' ') || '-',
        description,
      ],
      none: 'there are no roles yet',
    },
    async ({ control, actor }) => ({ roles: await control.administration.listRoles(actor, {}) }),
  );
  examples(list, 'sallyport role list', 'sallyport role list -o name');
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

/** The first of them by name. */
function usedBy(names: readonly string[], uses: number): string {
  if (names.length === 0) return uses === 0 ? 'nobody' : String(uses);
  return `${names.join(', ')}${uses > names.length ? ` and ${uses - names.length} more` : ''}`;
}

function addCreate(role: Command): void {
  const create = withDescription(
    unapproved(leaf(role, 'create <name>', 'create a role')).requiredOption(
      '--permission <permission>',
      'what it allows: deployments:read, deployments:*, * (repeat, or use commas)',
      several,
    ),
  ).action(async (name: string, options: RoleOptions) => {
    const { permission = [], description } = options;
    const input = { name, permissions: permission, ...given('description', description) };
    await change(options, `Created the role ${name}.`, ({ control, actor }) =>
      control.administration.createRole(actor, input),
    );
  });
  examples(
    create,
    'sallyport role create deployer --permission applications:read,deployments:* --description "May deploy"',
  );
}

function addEdit(role: Command): void {
  const summary = 'change what a role allows, for everybody who has it';
  const edit = withDescription(
    withReplay(lastOne(dangerous(leaf(role, 'edit <name>', summary)))).option(
      '--permission <permission>',
      'the whole new list (repeat, or use commas)',
      several,
    ),
  ).action(async (name: string, options: RoleOptions, command: Command) => {
    const edited = {
      ...given('permissions', options.permission),
      ...given('description', options.description),
    };
    mustChange(edited, command, '--permission or --description');
    await change(options, `Changed the role ${name}.`, ({ control, actor }) =>
      control.administration.editRole(actor, { name, ...edited, ...taking(options) }),
    );
  });
  examples(
    edit,
    'sallyport role edit deployer --permission deployments:read,deployments:run',
    'sallyport role edit deployer --permission deployments:read --replay 7d',
  );
}

import type { Account, Role, Team } from '../../account/model.ts';
import type { Rehearsed } from '../operations/rehearsed.ts';
import type { PreparedChange } from './finding.ts';

/** Changes as they are proposed: as a command, as an operation, and as a declaration. */

const PLAIN = /^[\w.,:/@-]+$/;

/** Names are words of a shell; patterns of permissions need not be. */
function quoted(word: string): string {
  return PLAIN.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}

function commandOf(...words: readonly string[]): string {
  return ['sallyport', ...words].map(quoted).join(' ');
}

/** Only a command: the change is none that the record can speak of. */
export function onlyCommand(...words: readonly string[]): PreparedChange {
  return { command: commandOf(...words), operation: null, input: null, declaration: null };
}

function change(
  words: readonly string[],
  operation: Rehearsed,
  input: PreparedChange['input'],
  declaration: string | null = null,
): PreparedChange {
  return { command: commandOf(...words), operation, input, declaration };
}

/** In the flow style of YAML, which JSON is. */
function declared(list: 'roles' | 'teams' | 'serviceAccounts', record: object): string {
  return `accounts:\n  ${list}:\n    - ${JSON.stringify(record)}\n`;
}

export function withPermissions(role: Role, permissions: readonly string[]): PreparedChange {
  const { name, description } = role;
  return change(
    ['role', 'edit', name, '--permission', permissions.join(',')],
    'editRole',
    { name, permissions },
    declared('roles', { name, description, permissions }),
  );
}

export function withoutRole({ name }: Role): PreparedChange {
  return change(['role', 'delete', name], 'deleteRole', { name });
}

export function withoutApplications(team: Team, gone: readonly string[]): PreparedChange {
  const { name, description } = team;
  const applications = team.applications.filter((one) => !gone.includes(one));
  return change(
    ['team', 'edit', name, '--remove-application', gone.join(',')],
    'editTeam',
    { name, removeApplications: gone },
    declared('teams', { name, description, applications }),
  );
}

export function withRole(account: Account, role: string): PreparedChange {
  const { name } = account;
  return change(
    ['account', 'edit', name, '--role', role],
    'editAccount',
    { name, kind: 'service', role },
    declaredAccount({ ...account, role }),
  );
}

export function withoutGrant(account: Account, application: string): PreparedChange {
  const { name } = account;
  const grants = account.grants.filter((one) => one.application !== application);
  return change(
    ['account', 'revoke', name, '--application', application],
    'revokeGrant',
    { name, kind: 'service', application },
    declaredAccount({ ...account, grants }),
  );
}

export function withoutTeam(account: Account, team: string): PreparedChange {
  const { name } = account;
  const teams = account.teams.filter((one) => one.team !== team);
  return change(
    ['account', 'leave', name, '--team', team],
    'leaveTeam',
    { name, kind: 'service', team },
    declaredAccount({ ...account, teams }),
  );
}

export function deactivated(name: string): PreparedChange {
  return change(['account', 'deactivate', name], 'deactivateAccount', { name, kind: 'service' });
}

function declaredAccount(account: Account): string {
  const { name, description, role, teams, grants, status, expiresAt } = account;
  const { allowedNetworks = [], boundTo = null } = account;
  const record = { name, description, role, teams, grants, status, expiresAt };
  return declared('serviceAccounts', { ...record, allowedNetworks, boundTo });
}

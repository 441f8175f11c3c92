import * as accounts from './accounts.ts';
import type { AdminActor } from './actor.ts';
import { checkDeclaration } from './check-declaration.ts';
import type { AdminContext, Bound, Nothing } from './context.ts';
import { declareServiceAccount } from './declared-account.ts';
import { exportRecords } from './export.ts';
import * as foundToken from './found-token.ts';
import { admitPerson } from './identity.ts';
import { findRevived, importRecord, importRecords } from './import.ts';
import * as list from './list-accounts.ts';
import * as roles from './roles.ts';
import * as serviceAccounts from './service-accounts.ts';
import * as teams from './teams.ts';
import * as users from './users.ts';

/**
 * Everything that can be done to the registry by people and pipelines. There is one set of these
 * functions; the command line, the owner's socket and the API only bring an actor and an input to
 * them. All take plain data, answer plain data, and throw `AdminError`.
 */
const OPERATIONS = {
  createServiceAccount: serviceAccounts.createServiceAccount,
  rotateToken: serviceAccounts.rotateToken,
  closeOverlap: serviceAccounts.closeOverlap,
  renewToken: serviceAccounts.renewToken,
  reportToken: foundToken.reportToken,

  declareServiceAccount,
  checkDeclaration,

  createUser: users.createUser,
  setPassword: users.setPassword,
  changeOwnPassword: users.changeOwnPassword,
  signOutEverywhere: users.signOutEverywhere,
  admitPerson,

  listAccounts: list.listAccounts,
  showAccount: accounts.showAccount,
  editAccount: accounts.editAccount,
  activateAccount: accounts.activateAccount,
  deactivateAccount: accounts.deactivateAccount,
  deleteAccount: accounts.deleteAccount,
  joinTeam: accounts.joinTeam,
  leaveTeam: accounts.leaveTeam,
  grantRole: accounts.grantRole,
  revokeGrant: accounts.revokeGrant,

  listRoles: (context: AdminContext, actor: AdminActor, _input: Nothing) =>
    roles.listRoles(context, actor),
  showRole: roles.showRole,
  createRole: roles.createRole,
  editRole: roles.editRole,
  deleteRole: roles.deleteRole,

  listTeams: (context: AdminContext, actor: AdminActor, _input: Nothing) =>
    teams.listTeams(context, actor),
  showTeam: teams.showTeam,
  createTeam: teams.createTeam,
  editTeam: teams.editTeam,
  deleteTeam: teams.deleteTeam,

  exportRecords,
  findRevived,
  importRecord,
  importRecords,
} as const;

export type OperationName = keyof typeof OPERATIONS;

export type Administration = {
  readonly [Name in OperationName]: Bound<(typeof OPERATIONS)[Name]>;
};

export const OPERATION_NAMES = Object.keys(OPERATIONS) as readonly OperationName[];

export function createAdministration(context: AdminContext): Administration {
  // async: whatever is wrong is a rejection, never a throw. Object(): an input that is none, from a
  // socket, lacks every field and says so.
  return administrationOf(
    (name) => async (actor, input) =>
      OPERATIONS[name](context, actor, Object(input ?? {}) as never),
  );
}

/**
 * Builds the interface from one function per operation: here the real ones, in the owner's client
 * those that ask over the socket.
 */
export function administrationOf(
  operation: (name: OperationName) => (actor: AdminActor, input: unknown) => Promise<unknown>,
): Administration {
  return Object.fromEntries(
    OPERATION_NAMES.map((name) => [name, operation(name)]),
  ) as unknown as Administration;
}

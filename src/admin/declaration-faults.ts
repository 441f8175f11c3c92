import type { Team } from '../account/model.ts';
import { permissionFault } from '../account/permission.ts';
import { ADMINISTRATOR_ROLE, isBuiltInRole, NO_ROLE } from '../account/role.ts';
import type { Config } from '../config/schema.ts';
import { turn } from '../turns.ts';
import type { Fault } from './error.ts';
import { FIELD_LIMITS } from './limits.ts';
import type { RoleView } from './views.ts';

/** What the registry holds of what a declaration speaks of. */
export interface Present {
  readonly roles: ReadonlyMap<string, RoleView>;
  readonly teams: ReadonlyMap<string, Team>;
  /** Names among the declared service accounts that belong to users. */
  readonly userNames: ReadonlySet<string>;
}

/**
 * Everything that is wrong with a declaration itself: names that stand twice or belong to others,
 * roles and teams that neither exist nor are declared, permissions outside the grammar, limits.
 * `field` is the path in the file. Whether whoever applies it may do all of it, and whether
 * somebody remains who administers, is found out by a rehearsal (`checkDeclaration`). What only the
 * moment can tell (somebody else's change in between) is not covered.
 */
export async function declarationFaults(
  declaration: Declaration,
  present: Present,
): Promise<readonly Fault[]> {
  return [
    ...roleFaults(declaration.roles, present),
    ...teamFaults(declaration.teams, present),
    ...(await accountFaults(declaration, present)),
  ];
}

function roleFaults(roles: Declaration['roles'], present: Present): readonly Fault[] {
  const faults: Fault[] = [...nameFaults('roles', 'role', roles, present.roles)];
  roles.forEach(({ name, permissions }, index) => {
    const at = `accounts.roles[${index}]`;
    if (isBuiltInRole(name))
      faults.push({ field: `${at}.name`, message: `the role ${NO_ROLE} is built in` });
    permissions.forEach((permission, i) => {
      const message = permissionFault(permission);
      if (message !== null) faults.push({ field: `${at}.permissions[${i}]`, message });
    });
    const before = present.roles.get(name);
    if (name === ADMINISTRATOR_ROLE && before !== undefined && !sameNames(before, permissions))
      faults.push({
        field: `${at}.permissions`,
        message: `the permissions of the role ${ADMINISTRATOR_ROLE} cannot be changed`,
      });
  });
  return faults;
}

function sameNames(before: RoleView, permissions: readonly string[]): boolean {
  return [...before.permissions].sort().join(' ') === [...new Set(permissions)].sort().join(' ');
}

function teamFaults(teams: Declaration['teams'], present: Present): readonly Fault[] {
  const faults: Fault[] = [...nameFaults('teams', 'team', teams, present.teams)];
  const owners = ownersOf(teams, present);
  teams.forEach(({ name, applications }, index) => {
    applications.forEach((application, i) => {
      const owner = owners.get(application.toLowerCase());
      if (owner !== undefined && owner !== name)
        faults.push({
          field: `accounts.teams[${index}].applications[${i}]`,
          message: `the application ${application} belongs to the team ${owner}`,
        });
    });
  });
  return faults;
}

/**
 * Who owns each application once the declaration is applied; the first team that declares one. Two
 * spellings that differ by letter case are one application.
 */
function ownersOf(teams: Declaration['teams'], present: Present): ReadonlyMap<string, string> {
  const declared = new Set(teams.map(({ name }) => name));
  const kept = [...present.teams.values()].filter(({ name }) => !declared.has(name));
  const owners = new Map<string, string>();
  for (const { name, applications } of [...kept, ...teams])
    for (const application of applications) {
      const key = application.toLowerCase();
      if (!owners.has(key)) owners.set(key, name);
    }
  return owners;
}

/** Names that stand twice, and those that differ from another only by letter case. */
function nameFaults(
  list: 'roles' | 'teams',
  noun: string,
  declared: readonly { readonly name: string }[],
  present: ReadonlyMap<string, unknown>,
): readonly Fault[] {
  const faults: Fault[] = [];
  const spellings = new Map([...present.keys()].map((name) => [name.toLowerCase(), name]));
  const seen = new Set<string>();
  declared.forEach(({ name }, index) => {
    const field = `accounts.${list}[${index}].name`;
    const other = spellings.get(name.toLowerCase());
    if (seen.has(name)) faults.push({ field, message: `the ${noun} ${name} is declared twice` });
    else if (other !== undefined && other !== name)
      faults.push({
        field,
        message: `the ${noun} ${other} differs from ${name} in letter case only`,
      });
    seen.add(name);
    spellings.set(name.toLowerCase(), name);
  });
  const most = FIELD_LIMITS[list];
  if (new Set([...present.keys(), ...seen]).size > most)
    faults.push({
      field: `accounts.${list}`,
      message: `with these there would be more than ${most} ${list}`,
    });
  return faults;
}

/** Accounts that are looked at in one turn of the event loop. */
const LOOKED_AT_AT_ONCE = 500;

async function accountFaults(
  declaration: Declaration,
  present: Present,
): Promise<readonly Fault[]> {
  const faults: Fault[] = [];
  const roles = new Set([NO_ROLE, ...present.roles.keys(), ...declaration.roles.map(nameOf)]);
  const teams = new Set([...present.teams.keys(), ...declaration.teams.map(nameOf)]);
  const seen = new Set<string>();
  const expect = (known: ReadonlySet<string>, noun: string, field: string, name: string) => {
    if (known.has(name)) return;
    const message = `there is no ${noun} named ${name}, and none is declared in this file`;
    faults.push({ field, message });
  };
  for (const [index, account] of declaration.serviceAccounts.entries()) {
    if (index % LOOKED_AT_AT_ONCE === 0) await turn();
    const at = `accounts.serviceAccounts[${index}]`;
    const { name } = account;
    if (seen.has(name))
      faults.push({ field: `${at}.name`, message: `the account ${name} is declared twice` });
    if (present.userNames.has(name))
      faults.push({ field: `${at}.name`, message: `${name} is a user, not a service account` });
    seen.add(name);
    expect(roles, 'role', `${at}.role`, account.role);
    account.teams.forEach(({ team, role }, i) => {
      expect(teams, 'team', `${at}.teams[${i}].team`, team);
      expect(roles, 'role', `${at}.teams[${i}].role`, role);
    });
    account.grants.forEach(({ role }, i) => {
      expect(roles, 'role', `${at}.grants[${i}].role`, role);
    });
    faults.push(
      ...twiceFaults(
        `${at}.teams`,
        'team',
        account.teams.map(({ team }) => team),
      ),
    );
    const applications = account.grants.map(({ application }) => application);
    faults.push(...twiceFaults(`${at}.grants`, 'application', applications));
  }
  return faults;
}

function twiceFaults(field: string, noun: string, names: readonly string[]): readonly Fault[] {
  return names.flatMap((name, index) =>
    names.indexOf(name) === index
      ? []
      : [{ field: `${field}[${index}]`, message: `the ${noun} ${name} is named twice` }],
  );
}

function nameOf({ name }: { readonly name: string }): string {
  return name;
}

/** Roles, teams and service accounts as they are to be: the `accounts` of a configuration. */
export type Declaration = Config['accounts'];

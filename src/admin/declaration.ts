import type { Config } from '../config/schema.ts';
import type { AdminActor } from './actor.ts';
import type { Administration } from './administration.ts';
import { AdminError } from './error.ts';
import type { AccountView, RoleView, TeamView } from './views.ts';

/** Roles, teams and service accounts as they are to be: the `accounts` of a configuration. */
export type Declaration = Config['accounts'];

/** One thing that is not yet as declared. */
export interface Step {
  readonly what: 'create' | 'change';
  /** `role deployer`. */
  readonly target: string;
  /**
   * What differs, one line each: `permissions: deployments:read → deployments:*`. Empty for what is
   * new.
   */
  readonly differences: readonly string[];
  run(): Promise<void>;
}

/**
 * Compares a declaration with the registry and says what is to be done, in an order in which it can
 * be done: roles, teams, accounts. What the declaration does not name is left alone, so several
 * declarations can share one registry. Doing it twice does nothing the second time.
 */
export async function planDeclaration(
  administration: Administration,
  actor: AdminActor,
  declaration: Declaration,
): Promise<readonly Step[]> {
  return [
    ...(await planRoles(administration, actor, declaration.roles)),
    ...(await planTeams(administration, actor, declaration.teams)),
    ...(await planAccounts(administration, actor, declaration.serviceAccounts)),
  ];
}

async function planRoles(
  administration: Administration,
  actor: AdminActor,
  wanted: Declaration['roles'],
): Promise<readonly Step[]> {
  const present = new Map(
    (await administration.listRoles(actor, {})).map((role) => [role.name, role]),
  );
  return wanted.flatMap((role) => {
    const before = present.get(role.name);
    if (before === undefined)
      return [
        step('create', `role ${role.name}`, [], () => administration.createRole(actor, role)),
      ];
    const found = roleDifferences(before, role);
    return found.length === 0
      ? []
      : [step('change', `role ${role.name}`, found, () => administration.editRole(actor, role))];
  });
}

async function planTeams(
  administration: Administration,
  actor: AdminActor,
  wanted: Declaration['teams'],
): Promise<readonly Step[]> {
  const present = new Map(
    (await administration.listTeams(actor, {})).map((team) => [team.name, team]),
  );
  return wanted.flatMap((team) => {
    const before = present.get(team.name);
    if (before === undefined)
      return [
        step('create', `team ${team.name}`, [], () => administration.createTeam(actor, team)),
      ];
    const found = teamDifferences(before, team);
    return found.length === 0
      ? []
      : [step('change', `team ${team.name}`, found, () => administration.editTeam(actor, team))];
  });
}

async function planAccounts(
  administration: Administration,
  actor: AdminActor,
  wanted: Declaration['serviceAccounts'],
): Promise<readonly Step[]> {
  const steps: Step[] = [];
  for (const account of wanted) {
    const before = await find(administration, actor, account.name);
    const run = () => administration.declareServiceAccount(actor, account);
    if (before === null) steps.push(step('create', `service account ${account.name}`, [], run));
    else {
      const found = accountDifferences(before, account);
      if (found.length > 0)
        steps.push(step('change', `service account ${account.name}`, found, run));
    }
  }
  return steps;
}

function step(
  what: Step['what'],
  target: string,
  differences: readonly string[],
  run: () => Promise<unknown>,
): Step {
  return {
    what,
    target,
    differences,
    run: async () => {
      await run();
    },
  };
}

async function find(
  administration: Administration,
  actor: AdminActor,
  name: string,
): Promise<AccountView | null> {
  try {
    return await administration.showAccount(actor, { name, kind: 'service' });
  } catch (error) {
    if (error instanceof AdminError && error.code === 'not-found') return null;
    throw error;
  }
}

function roleDifferences(
  before: RoleView,
  wanted: Declaration['roles'][number],
): readonly string[] {
  return [
    ...difference('description', before.description, wanted.description),
    ...difference('permissions', sorted(before.permissions), sorted(wanted.permissions)),
  ];
}

function teamDifferences(
  before: Pick<TeamView, 'description' | 'applications'>,
  wanted: Declaration['teams'][number],
): readonly string[] {
  return [
    ...difference('description', before.description, wanted.description),
    ...difference('applications', sorted(before.applications), sorted(wanted.applications)),
  ];
}

function accountDifferences(
  before: AccountView,
  wanted: Declaration['serviceAccounts'][number],
): readonly string[] {
  return [
    ...difference('description', before.description, wanted.description),
    ...difference('role', before.role, wanted.role),
    ...difference('teams', memberships(before.teams), memberships(wanted.teams)),
    ...difference('grants', grants(before.grants), grants(wanted.grants)),
    ...difference('status', before.status, wanted.status),
    ...difference(
      'expiresAt',
      before.expiresAt ?? 'never',
      wanted.expiresAt === null ? 'never' : new Date(wanted.expiresAt).toISOString(),
    ),
  ];
}

function difference(field: string, before: string, wanted: string): readonly string[] {
  return before === wanted ? [] : [`${field}: ${before || '-'} → ${wanted || '-'}`];
}

function sorted(names: readonly string[]): string {
  return [...names].sort().join(' ');
}

function memberships(teams: readonly { readonly team: string; readonly role: string }[]): string {
  return sorted(teams.map(({ team, role }) => `${team}:${role}`));
}

function grants(list: readonly { readonly application: string; readonly role: string }[]): string {
  return sorted(list.map(({ application, role }) => `${application}:${role}`));
}

import * as z from 'zod';
import type { AccountKind, Team } from '../account/model.ts';
import { turn } from '../turns.ts';
import type { showAccount } from './accounts.ts';
import type { AdminActor } from './actor.ts';
import type { Bound, ChangeContext, Nothing } from './context.ts';
import { type Declaration, declarationFaults } from './declaration-faults.ts';
import type { declareServiceAccount } from './declared-account.ts';
import { AdminError, invalid } from './error.ts';
import { readInput } from './input.ts';
import { bindingWords } from './restriction.ts';
import type { createRole, editRole, listRoles } from './roles.ts';
import { inOneSpelling, restriction } from './schemas/words.ts';
import type { createTeam, editTeam, listTeams } from './teams.ts';
import type { AccountView, RoleView } from './views.ts';

/** One thing that is not yet as declared. */
export interface Step {
  readonly what: 'create' | 'change';
  readonly kind: 'role' | 'team' | 'service account';
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
 * declarations can share one registry. Doing it twice does nothing the second time. Throws when any
 * part of it could not be done, so that nothing is begun that cannot be ended: one `invalid` with
 * every fault of the declaration itself, else what the first change that is refused would throw.
 */
export async function planDeclaration(
  administration: DeclaredBy & {
    checkDeclaration(actor: AdminActor, declaration: Declaration): Promise<unknown>;
  },
  actor: AdminActor,
  declaration: Declaration,
): Promise<readonly Step[]> {
  const steps = await planSteps(administration, actor, declaration);
  if (steps.length > 0) await administration.checkDeclaration(actor, declaration);
  return steps;
}

/** An operation that asks of a store no more than a rehearsal has. */
type Rehearsable<
  Operation extends (context: ChangeContext, actor: AdminActor, input: never) => unknown,
> = Bound<Operation>;

type RehearsableList<List extends (context: ChangeContext, actor: AdminActor) => unknown> = (
  actor: AdminActor,
  input: Nothing,
) => ReturnType<List>;

/** What a declaration is compared with, and made by. */
export interface DeclaredBy {
  readonly listRoles: RehearsableList<typeof listRoles>;
  readonly listTeams: RehearsableList<typeof listTeams>;
  readonly showAccount: Rehearsable<typeof showAccount>;
  readonly createRole: Rehearsable<typeof createRole>;
  readonly editRole: Rehearsable<typeof editRole>;
  readonly createTeam: Rehearsable<typeof createTeam>;
  readonly editTeam: Rehearsable<typeof editTeam>;
  readonly declareServiceAccount: Rehearsable<typeof declareServiceAccount>;
}

/** The same without asking whether each step will be let pass. */
export async function planSteps(
  administration: DeclaredBy,
  actor: AdminActor,
  declaration: Declaration,
): Promise<readonly Step[]> {
  const roles = byName(await administration.listRoles(actor, {}));
  const teams = byName(await administration.listTeams(actor, {}));
  const accounts = await declaredAccounts(administration, actor, declaration);
  const present = { roles, teams, userNames: accounts.users };
  const faults = await declarationFaults(declaration, present);
  if (faults.length > 0) throw invalid(faults);
  return [
    ...planRoles(administration, actor, declaration.roles, roles),
    ...planTeams(administration, actor, declaration.teams, teams),
    ...(await planAccounts(administration, actor, declaration.serviceAccounts, accounts.services)),
  ];
}

function byName<T extends { readonly name: string }>(
  records: readonly T[],
): ReadonlyMap<string, T> {
  return new Map(records.map((record) => [record.name, record]));
}

/** Accounts that are looked up in one turn of the event loop. */
const LOOKED_UP_AT_ONCE = 50;
/** And that are compared. */
const COMPARED_AT_ONCE = 500;

interface DeclaredAccounts {
  readonly services: ReadonlyMap<string, AccountView>;
  /** Declared names that are users. */
  readonly users: ReadonlySet<string>;
}

async function declaredAccounts(
  administration: DeclaredBy,
  actor: AdminActor,
  { serviceAccounts }: Declaration,
): Promise<DeclaredAccounts> {
  const services = new Map<string, AccountView>();
  const users = new Set<string>();
  const names = new Set(serviceAccounts.map((account) => account.name));
  for (const [index, name] of [...names].entries()) {
    // A store in this process answers at once, and the gate that is asked has calls to answer.
    if (index % LOOKED_UP_AT_ONCE === 0) await turn();
    const service = await find(administration, actor, name, 'service');
    if (service !== null) services.set(name, service);
    else if ((await find(administration, actor, name, 'user')) !== null) users.add(name);
  }
  return { services, users };
}

function planRoles(
  administration: DeclaredBy,
  actor: AdminActor,
  wanted: Declaration['roles'],
  present: ReadonlyMap<string, RoleView>,
): readonly Step[] {
  return wanted.flatMap((role) => {
    const before = present.get(role.name);
    if (before === undefined)
      return [step('create', 'role', role.name, [], () => administration.createRole(actor, role))];
    const found = roleDifferences(before, role);
    return found.length === 0
      ? []
      : [step('change', 'role', role.name, found, () => administration.editRole(actor, role))];
  });
}

/**
 * Applications that move from one declared team to another are taken from the first before the
 * second gets them: an application belongs to one team at a time.
 */
function planTeams(
  administration: DeclaredBy,
  actor: AdminActor,
  wanted: Declaration['teams'],
  present: ReadonlyMap<string, Team>,
): readonly Step[] {
  const moved = movedApplications(wanted, present);
  const taken = wanted.flatMap((team) => {
    const before = present.get(team.name);
    const leaving = before?.applications.filter((one) => leaves(one, team, moved)) ?? [];
    if (before === undefined || leaving.length === 0) return [];
    const applications = before.applications.filter((one) => !leaving.includes(one));
    const found = difference('applications', sorted(before.applications), sorted(applications));
    const edit = { name: team.name, applications };
    return [step('change', 'team', team.name, found, () => administration.editTeam(actor, edit))];
  });
  const made = wanted.flatMap((team) => {
    const before = present.get(team.name);
    if (before === undefined)
      return [step('create', 'team', team.name, [], () => administration.createTeam(actor, team))];
    const applications = before.applications.filter((one) => !leaves(one, team, moved));
    const found = teamDifferences({ ...before, applications }, team);
    return found.length === 0
      ? []
      : [step('change', 'team', team.name, found, () => administration.editTeam(actor, team))];
  });
  return [...taken, ...made];
}

function leaves(
  application: string,
  team: Declaration['teams'][number],
  moved: ReadonlyMap<string, string>,
): boolean {
  const to = moved.get(application.toLowerCase());
  return to !== undefined && to !== team.name;
}

/** Declared applications that another team has today, with the team that is to have them. */
function movedApplications(
  wanted: Declaration['teams'],
  present: ReadonlyMap<string, Team>,
): ReadonlyMap<string, string> {
  const owners = new Map(
    [...present.values()].flatMap(({ name, applications }) =>
      applications.map((application) => [application.toLowerCase(), name] as const),
    ),
  );
  return new Map(
    wanted.flatMap(({ name, applications }) =>
      applications.flatMap((application) => {
        const owner = owners.get(application.toLowerCase()) ?? name;
        return owner === name ? [] : [[application.toLowerCase(), name] as const];
      }),
    ),
  );
}

async function planAccounts(
  administration: DeclaredBy,
  actor: AdminActor,
  wanted: Declaration['serviceAccounts'],
  present: ReadonlyMap<string, AccountView>,
): Promise<readonly Step[]> {
  const steps: Step[] = [];
  for (const [index, account] of wanted.entries()) {
    if (index % COMPARED_AT_ONCE === 0) await turn();
    const before = present.get(account.name);
    const run = () => administration.declareServiceAccount(actor, account);
    const found = before === undefined ? [] : accountDifferences(before, account);
    if (before === undefined || found.length > 0) {
      const what = before === undefined ? 'create' : 'change';
      steps.push(step(what, 'service account', account.name, found, run));
    }
  }
  return steps;
}

function step(
  what: Step['what'],
  kind: Step['kind'],
  name: string,
  differences: readonly string[],
  run: () => Promise<unknown>,
): Step {
  return {
    what,
    kind,
    target: `${kind} ${name}`,
    differences,
    run: async () => {
      await run();
    },
  };
}

async function find(
  administration: DeclaredBy,
  actor: AdminActor,
  name: string,
  kind: AccountKind,
): Promise<AccountView | null> {
  try {
    return await administration.showAccount(actor, { name, kind });
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
    ...difference('description', before.description, inOneSpelling(wanted.description)),
    ...difference('permissions', sorted(before.permissions), sorted(wanted.permissions)),
    ...difference('in doubt', sorted(before.inDoubt ?? []), ''),
  ];
}

function teamDifferences(
  before: Pick<Team, 'description' | 'applications' | 'inDoubt'>,
  wanted: Declaration['teams'][number],
): readonly string[] {
  return [
    ...difference('description', before.description, inOneSpelling(wanted.description)),
    ...difference('applications', sorted(before.applications), sorted(wanted.applications)),
    ...difference('in doubt', sorted(before.inDoubt ?? []), ''),
  ];
}

function accountDifferences(
  before: AccountView,
  wanted: Declaration['serviceAccounts'][number],
): readonly string[] {
  return [
    ...difference('description', before.description, inOneSpelling(wanted.description)),
    ...difference('role', before.role, wanted.role),
    ...difference('teams', memberships(before.teams), memberships(wanted.teams)),
    ...difference('grants', grants(before.grants), grants(wanted.grants)),
    ...difference('status', before.status, wanted.status),
    ...difference(
      'expiresAt',
      before.expiresAt ?? 'never',
      wanted.expiresAt === null ? 'never' : new Date(wanted.expiresAt).toISOString(),
    ),
    ...restrictionDifferences(before, wanted),
  ];
}

const RESTRICTION = z.strictObject(restriction);

/** What cannot be read is refused when it is applied, and differs until then. */
function restrictionDifferences(
  before: Pick<AccountView, 'allowedNetworks' | 'boundTo'>,
  wanted: Pick<Declaration['serviceAccounts'][number], 'allowedNetworks' | 'boundTo'>,
): readonly string[] {
  const { allowedNetworks: networks, boundTo: binding } = wanted;
  const { value } = readInput(RESTRICTION, { allowedNetworks: networks, boundTo: binding });
  const allowedNetworks = value?.allowedNetworks ?? [];
  const boundTo = value?.boundTo ?? null;
  return [
    ...difference('allowedNetworks', sorted(before.allowedNetworks), sorted(allowedNetworks)),
    ...difference('boundTo', bindingWords(before.boundTo) ?? '', bindingWords(boundTo) ?? ''),
  ];
}

function difference(field: string, before: string, wanted: string): readonly string[] {
  return before === wanted ? [] : [`${field}: ${before || '-'} → ${wanted || '-'}`];
}

/** Each once: what stands twice in a file is kept once. */
function sorted(names: readonly string[]): string {
  return [...new Set(names)].sort().join(' ');
}

function memberships(teams: readonly { readonly team: string; readonly role: string }[]): string {
  return sorted(teams.map(({ team, role }) => `${team}:${role}`));
}

function grants(list: readonly { readonly application: string; readonly role: string }[]): string {
  return sorted(list.map(({ application, role }) => `${application}:${role}`));
}

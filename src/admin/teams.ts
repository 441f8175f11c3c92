import type { Account, Team } from '../account/model.ts';
import type { AdminActor } from './actor.ts';
import { change, type Plan, reading } from './change.ts';
import { type ChangeContext, RECEIPT_WAIT, type Receipted } from './context.ts';
import { judge } from './effect.ts';
import { AdminError } from './error.ts';
import { Faults } from './faults.ts';
import { FIELD_LIMITS } from './limits.ts';
import { membersOf } from './members.ts';
import { mustBeAt, type NamedRef } from './named.ts';
import { mustHaveRoom, Records, settled } from './records.ts';
import { type ListedTeam, type TeamMember, type TeamView, viewTeam } from './views.ts';

export interface NewTeam {
  readonly name: string;
  readonly description?: string;
  readonly applications?: readonly string[];
}

export interface TeamEdit extends NamedRef {
  readonly description?: string;
  /** Replaces the whole list. */
  readonly applications?: readonly string[];
  readonly addApplications?: readonly string[];
  readonly removeApplications?: readonly string[];
}

export interface TeamAnswer extends Receipted {
  readonly team: Team;
  readonly changed: boolean;
}

/** Members shown of a team. */
const MEMBERS_MAX = 1000;

export async function listTeams(
  context: ChangeContext,
  _actor: AdminActor,
): Promise<readonly ListedTeam[]> {
  return reading(async () => {
    const { teams } = await Records.read(context.store);
    const sorted = [...teams.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    const counts = await context.store.useCounts(sorted.map(({ name }) => `team:${name}`));
    return sorted.map((team, index) => ({ ...viewTeam(team), memberCount: counts[index] ?? 0 }));
  });
}

/** The team with its members, at most 1000. */
export async function showTeam(
  context: ChangeContext,
  _actor: AdminActor,
  { name }: { readonly name: string },
): Promise<TeamView> {
  return reading(async () => {
    const team = (await Records.read(context.store)).team(name);
    const [memberCount = 0] = await context.store.useCounts([`team:${name}`]);
    return {
      ...viewTeam(team),
      memberCount,
      members: (await membersOf(context.store, name, MEMBERS_MAX)).members.map((account) =>
        asMember(account, name),
      ),
    };
  });
}

export function createTeam(
  context: ChangeContext,
  actor: AdminActor,
  input: NewTeam,
): Promise<TeamAnswer> {
  const { name, description = '', applications = [] } = input;
  return changeTeam(context, actor, { name }, 'team-created', (before, records, at) => {
    if (before !== null)
      throw new AdminError('name-taken', `there is a team named ${JSON.stringify(name)} already`);
    mustHaveRoom(records.teams.size, FIELD_LIMITS.teams, 'teams');
    const twin = [...records.teams.keys()].find(
      (other) => other.toLowerCase() === name.toLowerCase(),
    );
    if (twin !== undefined)
      throw new AdminError(
        'name-taken',
        `the team ${twin} differs from ${name} in letter case only`,
      );
    return { name, version: 0, description, applications, createdAt: at, updatedAt: at };
  });
}

/** Replaces what is named and leaves the rest. */
export function editTeam(
  context: ChangeContext,
  actor: AdminActor,
  input: TeamEdit,
): Promise<TeamAnswer> {
  const { name, description, applications: list } = input;
  const { addApplications: added = [], removeApplications: removed = [] } = input;
  return changeTeam(context, actor, input, 'team-changed', (_before, records) => {
    const team = records.team(name);
    const base = list ?? team.applications;
    const missing = removed.filter((application) => !base.includes(application));
    if (missing.length > 0)
      throw new AdminError('not-found', `the team ${name} does not own ${missing.join(', ')}`);
    const applications = [...new Set([...base, ...added])].filter(
      (application) => !removed.includes(application),
    );
    return { ...team, description: description ?? team.description, applications };
  });
}

/**
 * Refused with `in-use` while the team has members. Its applications belong to nobody afterwards.
 */
export function deleteTeam(
  context: ChangeContext,
  actor: AdminActor,
  input: NamedRef,
): Promise<TeamAnswer> {
  return changeTeam(context, actor, input, 'team-deleted', (_before, records) => {
    records.team(input.name);
    return null;
  });
}

function changeTeam(
  context: ChangeContext,
  actor: AdminActor,
  { name, waitMs = RECEIPT_WAIT.defaultMs, version }: NamedRef,
  type: 'team-created' | 'team-changed' | 'team-deleted',
  update: (before: Team | null, records: Records, at: string) => Team | null,
): Promise<TeamAnswer> {
  const plan = async (): Promise<Plan<TeamAnswer>> => {
    const records = await Records.read(context.store);
    const before = records.teams.get(name) ?? null;
    if (before !== null) mustBeAt(version ?? null, before, 'team');
    const at = new Date(context.clock.wallMs()).toISOString();
    const asked = update(before, records, at);
    // What is in doubt is decided by any change: also by one that leaves the record as it is.
    const updated = asked === null ? null : settled(asked);
    if (updated !== null) checkApplications(updated, records);
    const effect = await judge(context, actor, records, {
      kind: 'team',
      key: name,
      before,
      after: updated,
    });
    const same = updated !== null && JSON.stringify(updated) === JSON.stringify(before);
    const after = updated === null ? null : { ...updated, updatedAt: at };
    const shown = (after ?? before) as Team;
    return {
      edit: same ? null : { kind: 'team', key: name, before, after },
      type,
      effect,
      reliesOn: [],
      answer: (version) => ({
        team: viewTeam(same ? updated : { ...shown, version }),
        changed: !same,
      }),
    };
  };
  return change(context, actor, plan, waitMs);
}

/**
 * An application belongs to at most one team, and letter case does not make another application of
 * it.
 */
function checkApplications(team: Team, records: Records): void {
  const faults = new Faults();
  if (team.applications.length > FIELD_LIMITS.applicationsPerTeam) {
    faults.add('applications', `a team may own ${FIELD_LIMITS.applicationsPerTeam} applications`);
  }
  const owners = new Map<string, string>();
  for (const other of records.teams.values()) {
    if (other.name !== team.name)
      for (const application of other.applications)
        owners.set(application.toLowerCase(), other.name);
  }
  const own = new Set<string>();
  const taken: string[] = [];
  for (const application of team.applications) {
    const folded = application.toLowerCase();
    if (own.has(folded))
      faults.add('applications', `${application} is named twice, with different letter case`);
    own.add(folded);
    const owner = owners.get(folded);
    if (owner !== undefined) taken.push(`${application} (${owner})`);
  }
  if (taken.length > 0)
    throw new AdminError(
      'name-taken',
      `these applications already belong to another team: ${taken.join(', ')}`,
    );
  faults.check();
}

export function asMember(
  account: Pick<Account, 'id' | 'name' | 'kind' | 'teams'>,
  team: string,
): TeamMember {
  const role = account.teams.find((membership) => membership.team === team)?.role ?? 'none';
  return { id: account.id, account: account.name, kind: account.kind, role };
}

import type { Account, Team } from '../account/model.ts';
import { mustHaveWrite } from './accounts.ts';
import { type AdminActor, mustHave } from './actor.ts';
import { change, type Plan, reading } from './change.ts';
import type { AdminContext, Receipted } from './context.ts';
import { judge } from './effect.ts';
import { AdminError } from './error.ts';
import { FIELD_LIMITS, Fields } from './fields.ts';
import { membersOf } from './members.ts';
import { mustBeAt, NAMED, type NamedRef, readNamed } from './named.ts';
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
  context: AdminContext,
  actor: AdminActor,
): Promise<readonly ListedTeam[]> {
  mustHave(actor, 'sallyport:registry:read');
  return reading(async () => {
    const { teams } = await Records.read(context.store);
    const sorted = [...teams.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    const counts = await context.store.useCounts(sorted.map(({ name }) => `team:${name}`));
    return sorted.map((team, index) => ({ ...viewTeam(team), memberCount: counts[index] ?? 0 }));
  });
}

/** The team with its members, at most 1000. */
export async function showTeam(
  context: AdminContext,
  actor: AdminActor,
  input: { readonly name: string },
): Promise<TeamView> {
  mustHave(actor, 'sallyport:registry:read');
  const fields = new Fields(input, ['name']);
  const name = fields.name('name');
  fields.check();
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
  context: AdminContext,
  actor: AdminActor,
  input: NewTeam,
): Promise<TeamAnswer> {
  const fields = new Fields(input, ['name', 'description', 'applications']);
  const name = fields.name('name');
  const applications = fields.names('applications', FIELD_LIMITS.applicationsPerTeam);
  const description = fields.description();
  return changeTeam(context, actor, name, fields, 'team-created', (before, records, at) => {
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
  context: AdminContext,
  actor: AdminActor,
  input: TeamEdit,
): Promise<TeamAnswer> {
  const fields = new Fields(input, [
    ...NAMED,
    'description',
    'applications',
    'addApplications',
    'removeApplications',
  ]);
  const name = fields.name('name');
  const list = fields.has('applications')
    ? fields.names('applications', FIELD_LIMITS.applicationsPerTeam)
    : null;
  const added = fields.names('addApplications', FIELD_LIMITS.applicationsPerTeam);
  const removed = fields.names('removeApplications', FIELD_LIMITS.applicationsPerTeam);
  const description = fields.has('description') ? fields.description() : null;
  return changeTeam(context, actor, name, fields, 'team-changed', (_before, records) => {
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
  context: AdminContext,
  actor: AdminActor,
  input: NamedRef,
): Promise<TeamAnswer> {
  const fields = new Fields(input, NAMED);
  const name = fields.name('name');
  return changeTeam(context, actor, name, fields, 'team-deleted', (_before, records) => {
    records.team(name);
    return null;
  });
}

function changeTeam(
  context: AdminContext,
  actor: AdminActor,
  name: string,
  fields: Fields,
  type: 'team-created' | 'team-changed' | 'team-deleted',
  update: (before: Team | null, records: Records, at: string) => Team | null,
): Promise<TeamAnswer> {
  mustHaveWrite(actor);
  const { waitMs, seen } = readNamed(fields);
  const plan = async (): Promise<Plan<TeamAnswer>> => {
    fields.check();
    const records = await Records.read(context.store);
    const before = records.teams.get(name) ?? null;
    if (before !== null) mustBeAt(seen, before, 'team');
    const at = new Date(context.clock.wallMs()).toISOString();
    const asked = update(before, records, at);
    // What is in doubt is decided by any change: also by one that leaves the record as it is.
    const updated = asked === null ? null : settled(asked);
    if (updated !== null) checkApplications(fields, updated, records);
    fields.check();
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
function checkApplications(fields: Fields, team: Team, records: Records): void {
  if (team.applications.length > FIELD_LIMITS.applicationsPerTeam) {
    fields.fault('applications', `a team may own ${FIELD_LIMITS.applicationsPerTeam} applications`);
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
      fields.fault('applications', `${application} is named twice, with different letter case`);
    own.add(folded);
    const owner = owners.get(folded);
    if (owner !== undefined) taken.push(`${application} (${owner})`);
  }
  if (taken.length > 0)
    throw new AdminError(
      'name-taken',
      `these applications already belong to another team: ${taken.join(', ')}`,
    );
}

export function asMember(
  account: Pick<Account, 'id' | 'name' | 'kind' | 'teams'>,
  team: string,
): TeamMember {
  const role = account.teams.find((membership) => membership.team === team)?.role ?? 'none';
  return { id: account.id, account: account.name, kind: account.kind, role };
}

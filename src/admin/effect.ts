import type { Account, Team } from '../account/model.ts';
import { isOwn } from '../account/permission.ts';
import { compilePrincipal } from '../account/principal.ts';
import { turn } from '../turns.ts';
import type { AdminActor } from './actor.ts';
import { mustCover } from './actor.ts';
import type { ChangeContext } from './context.ts';
import { type Edit, type Reliance, rolesOf } from './edit.ts';
import { AdminError } from './error.ts';
import { membersOf } from './members.ts';
import { kindWord, type Records } from './records.ts';

/**
 * Nobody beyond their own, judged by the effect: what everybody whom a change concerns may do
 * before it and after it. One function for all changes; a plan cannot be made without its answer.
 */

declare const JUDGED: unique symbol;

/** That a change was judged, and what must still be so when it is stored. */
export interface Effect {
  readonly [JUDGED]: true;
  readonly reliesOn: readonly Reliance[];
  /** How many use a team or role: beside the records of each, that nobody has come. */
  readonly users: readonly { readonly target: string; readonly count: number }[];
  /** As in `Commit`: what the roles and teams are that were judged. */
  readonly underTombstones?: number;
}

/** Members looked at before a team may be changed by somebody who is not the store's owner. */
const MEMBERS_MAX = 1000;
/** Of them, in one turn of the loop. */
const JUDGED_AT_ONCE = 100;

/**
 * Throws `forbidden` where somebody may do more than the actor, before the edit or after it.
 *
 * - An account: all its roles, because each of them decides somewhere, and the default role
 *   wherever
 *   no other does.
 * - A role: its permissions. Whoever has the role goes from the ones to the others, and nobody else
 *   is concerned.
 * - A team: the roles of its members in it; and for each application that comes or goes, the role
 *   that each member has there before and after. Without the team that is a grant, or the default
 *   role, and either may be the stronger one.
 */
export async function judge(
  context: ChangeContext,
  actor: AdminActor,
  records: Records,
  edit: Edit,
): Promise<Effect> {
  const judged = await judgeEdit(context, actor, records, edit);
  const { tombstones } = records;
  return tombstones === undefined ? judged : { ...judged, underTombstones: tombstones };
}

async function judgeEdit(
  context: ChangeContext,
  actor: AdminActor,
  records: Records,
  edit: Edit,
): Promise<Effect> {
  if (edit.kind === 'account') return judgeAccount(actor, records, edit);
  if (edit.kind === 'role') {
    for (const role of [edit.before, edit.after])
      if (role !== null) mustCover(actor, role.permissions, `the role ${role.name}`);
    return effect([]);
  }
  return edit.before === null || actor.permissions === 'store-owner'
    ? effect([])
    : judgeTeam(context, actor, records, edit.before, edit.after);
}

function judgeAccount(
  actor: AdminActor,
  records: Records,
  { before, after }: Extract<Edit, { kind: 'account' }>,
): Effect {
  const reliances: Reliance[] = [];
  for (const account of [before, after]) {
    if (account === null) continue;
    const what = `the ${kindWord(account)} ${account.name}`;
    mustCover(actor, records.permissionsOf(rolesOf(account)), what);
    reliances.push(...records.relianceOf(account));
  }
  return effect(reliances);
}

async function judgeTeam(
  context: ChangeContext,
  actor: AdminActor,
  records: Records,
  before: Team,
  after: Team | null,
): Promise<Effect> {
  const { name } = before;
  const { users, members } = await membersOf(context.store, name, MEMBERS_MAX + 1);
  if (users.length > MEMBERS_MAX)
    throw new AdminError(
      'forbidden',
      `the team ${name} has more than ${MEMBERS_MAX} members; change it on the store itself, with --config`,
    );
  const applications = movedApplications(before, after);
  const found = new Set<string>();
  for (const [index, member] of members.entries()) {
    if (index % JUDGED_AT_ONCE === 0) await turn();
    const inTeam = member.teams.find(({ team }) => team === name)!.role;
    if (!found.has(inTeam)) mustCover(actor, records.permissionsOf([inTeam]), `the team ${name}`);
    found.add(inTeam);
    judgeMember(actor, records, member, name, applications);
  }
  await turn();
  return effect(
    [
      ...members.flatMap((member) => records.relianceOf(member)),
      ...users.map(({ id, version }): Reliance => ({ kind: 'account', key: id, version })),
    ],
    [{ target: `team:${name}`, count: users.length }],
  );
}

/**
 * Applications that the team owns before the change or after it, but not both; and those in doubt,
 * where members had no role.
 */
function movedApplications(before: Team, after: Team | null): readonly string[] {
  const kept = new Set(after?.applications ?? []);
  const had = new Set(before.applications);
  return [
    ...new Set([
      ...before.applications.filter((application) => !kept.has(application)),
      ...[...kept].filter((application) => !had.has(application)),
      ...(before.inDoubt ?? []),
    ]),
  ];
}

/** Whether an application comes or goes, the two roles between which it moves are the same. */
function judgeMember(
  actor: AdminActor,
  records: Records,
  member: Account,
  team: string,
  applications: readonly string[],
): void {
  const principal = compilePrincipal(member);
  for (const application of applications) {
    const owned = principal.effectiveRole(application, team);
    const alone = principal.effectiveRole(application, null);
    if (owned === alone) continue;
    // Our own permissions count in the default role only, which stays what it is.
    const patterns = records.permissionsOf([owned, alone]).filter((pattern) => !isOwn(pattern));
    mustCover(
      actor,
      patterns,
      `${member.name}, whose role on ${application} this changes from or to a stronger one,`,
    );
  }
}

function effect(reliesOn: readonly Reliance[], users: Effect['users'] = []): Effect {
  const distinct = new Map(reliesOn.map((one) => [`${one.kind}:${one.key}`, one]));
  const made: Omit<Effect, typeof JUDGED> = { reliesOn: [...distinct.values()], users };
  return made as Effect;
}

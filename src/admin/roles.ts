import type { Role } from '../account/model.ts';
import { ADMINISTRATOR_ROLE, isBuiltInRole, NO_ROLE } from '../account/role.ts';
import type { AdminActor } from './actor.ts';
import { change, type Plan, reading, usersOf } from './change.ts';
import { type ChangeContext, RECEIPT_WAIT, type Receipted } from './context.ts';
import { judge } from './effect.ts';
import { AdminError, invalid } from './error.ts';
import { LEAVE_NONE, mayLeaveNone, someoneRemainsWithout } from './last-administrator.ts';
import { FIELD_LIMITS } from './limits.ts';
import { mustBeAt, type NamedRef } from './named.ts';
import { mustHaveRoom, Records, settled } from './records.ts';
import { type ListedRole, NONE_VIEW, type RoleView, viewRole } from './views.ts';

export interface NewRole {
  readonly name: string;
  readonly permissions: readonly string[];
  readonly description?: string;
}

export interface RoleEdit extends NamedRef {
  readonly description?: string;
  readonly permissions?: readonly string[];
}

export interface RoleAnswer extends Receipted {
  readonly role: RoleView;
  readonly changed: boolean;
}

export interface ShownRole {
  readonly role: RoleView;
  /** Names of accounts, at most 100. */
  readonly usedBy: readonly string[];
  /** How many accounts have the role; null for the built-in one. */
  readonly uses: number | null;
}

/** How many users of a role are named when it is shown. */
const USERS_SHOWN = 100;

export async function listRoles(
  context: ChangeContext,
  _actor: AdminActor,
): Promise<readonly ListedRole[]> {
  return reading(async () => {
    const { roles } = await Records.read(context.store);
    const sorted = [...roles.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    const uses = await context.store.useCounts(sorted.map(({ name }) => `role:${name}`));
    const listed = sorted.map((role, index) => ({ ...viewRole(role), uses: uses[index] ?? 0 }));
    return [{ ...NONE_VIEW, uses: null }, ...listed];
  });
}

/**
 * The role, and the names of the accounts that use it (by default, in a team or by a grant), at
 * most 100.
 */
export async function showRole(
  context: ChangeContext,
  _actor: AdminActor,
  { name }: { readonly name: string },
): Promise<ShownRole> {
  if (name === NO_ROLE) return { role: NONE_VIEW, usedBy: [], uses: null };
  return reading(async () => {
    const role = (await Records.read(context.store)).role(name);
    const [uses = 0] = await context.store.useCounts([`role:${name}`]);
    return {
      role: viewRole(role),
      uses,
      usedBy: await usersOf(context.store, `role:${name}`, USERS_SHOWN),
    };
  });
}

export function createRole(
  context: ChangeContext,
  actor: AdminActor,
  input: NewRole,
): Promise<RoleAnswer> {
  const { name, permissions, description = '' } = input;
  if (isBuiltInRole(name))
    throw invalid([{ field: 'name', message: `${name} is built in; choose another name` }]);
  return changeRole(context, actor, { name }, 'role-created', (before, records, at) => {
    if (before !== null)
      throw new AdminError('name-taken', `there is a role named ${JSON.stringify(name)} already`);
    mustHaveRoom(records.roles.size, FIELD_LIMITS.roles, 'roles');
    const twin = [...records.roles.keys()].find(
      (other) => other.toLowerCase() === name.toLowerCase(),
    );
    if (twin !== undefined)
      throw new AdminError(
        'name-taken',
        `the role ${twin} differs from ${name} in letter case only`,
      );
    return { name, version: 0, description, permissions, createdAt: at, updatedAt: at };
  });
}

/** Replaces what is named and leaves the rest. Takes effect for everybody who has the role. */
export function editRole(
  context: ChangeContext,
  actor: AdminActor,
  input: RoleEdit,
): Promise<RoleAnswer> {
  const { name, permissions, description } = input;
  mustNotBeBuiltIn(name);
  return changeRole(context, actor, input, 'role-changed', (_before, records) => {
    const role = records.role(name);
    if (name === ADMINISTRATOR_ROLE && permissions !== undefined) throw administratorStays();
    return {
      ...role,
      description: description ?? role.description,
      permissions: permissions ?? role.permissions,
    };
  });
}

/** Refused with `in-use` while any account has the role. */
export function deleteRole(
  context: ChangeContext,
  actor: AdminActor,
  input: NamedRef,
): Promise<RoleAnswer> {
  const { name } = input;
  mustNotBeBuiltIn(name);
  return changeRole(context, actor, input, 'role-deleted', (_before, records) => {
    records.role(name);
    if (name === ADMINISTRATOR_ROLE) throw administratorStays();
    return null;
  });
}

function changeRole(
  context: ChangeContext,
  actor: AdminActor,
  { name, waitMs = RECEIPT_WAIT.defaultMs, version, ...how }: NamedRef,
  type: 'role-created' | 'role-changed' | 'role-deleted',
  update: (before: Role | null, records: Records, at: string) => Role | null,
): Promise<RoleAnswer> {
  const leavesNone = mayLeaveNone(actor, how[LEAVE_NONE] === true);
  const plan = async (): Promise<Plan<RoleAnswer>> => {
    const records = await Records.read(context.store);
    const before = records.roles.get(name) ?? null;
    if (before !== null) mustBeAt(version ?? null, before, 'role');
    const at = new Date(context.clock.wallMs()).toISOString();
    const asked = update(before, records, at);
    // What is in doubt is decided by any change: also by one that leaves all as it counts now.
    const updated = asked === null ? null : settled(asked);
    const effect = await judge(context, actor, records, {
      kind: 'role',
      key: name,
      before,
      after: updated,
    });
    const remaining =
      leavesNone || before === null
        ? []
        : await someoneRemainsWithout(context, records, before, updated);
    const same = updated !== null && JSON.stringify(updated) === JSON.stringify(before);
    const after = updated === null ? null : { ...updated, updatedAt: at };
    const shown = (after ?? before) as Role;
    return {
      edit: same ? null : { kind: 'role', key: name, before, after },
      type,
      effect,
      reliesOn: remaining,
      answer: (version) => ({
        role: viewRole(same ? updated : { ...shown, version }),
        changed: !same,
      }),
    };
  };
  return change(context, actor, plan, waitMs);
}

function mustNotBeBuiltIn(name: string): void {
  if (isBuiltInRole(name))
    throw new AdminError('forbidden', `the role ${name} is built in and cannot be changed`);
}

/**
 * Somebody must always be able to be made administrator, or a locked registry could only be mended
 * by hand.
 */
function administratorStays(): AdminError {
  return new AdminError(
    'forbidden',
    'the role administrator cannot be deleted, nor its permissions changed',
  );
}

import type { Role, Team } from '../../account/model.ts';
import { commonPermissions, compilePermissions, exceeds } from '../../account/permission.ts';
import { damaged } from '../codec.ts';
import type { RecordChange } from '../commit.ts';
import { type PolicySnapshot, RegistryUnavailable } from '../port.ts';
import type { PolicyLabel, PolicyTombstone } from '../tombstone.ts';
import { isRevived, type Unreadable } from './tombstone.ts';

export type PolicyChange = Exclude<RecordChange, { readonly kind: 'account' }>;

/** What counts of a role or team: the permissions of the one, the applications of the other. */
export function contentOf(record: Role | Team | null): readonly string[] {
  if (record === null) return [];
  return ('permissions' in record ? record.permissions : record.applications).toSorted();
}

/**
 * The record as it is to be read where a tombstone says more than it. It only takes away, so a
 * change that gave something and was lost costs nothing.
 */
export function underPolicyTombstone<T extends Role | Team>(
  record: T,
  { seen, seq }: Omit<PolicyTombstone, 'policy'>,
): T {
  if (isRevived(record, seq)) return record;
  return ('permissions' in record ? roleUnder(record, seen) : teamUnder(record, seen)) as T;
}

/** Everything that a snapshot holds, as it is to be read under these tombstones. */
export function snapshotUnder<T extends Pick<PolicySnapshot, 'roles' | 'teams'>>(
  snapshot: T,
  tombstoneOf: (label: string) => Omit<PolicyTombstone, 'policy'> | undefined,
): T {
  const under =
    (kind: 'role' | 'team') =>
    <R extends Role | Team>(record: R): R => {
      const tombstone = tombstoneOf(`${kind}:${record.name}`);
      return tombstone === undefined ? record : underPolicyTombstone(record, tombstone);
    };
  return {
    ...snapshot,
    roles: snapshot.roles.map(under('role')),
    teams: snapshot.teams.map(under('team')),
  };
}

function roleUnder(role: Role, seen: PolicyTombstone['seen']): Role {
  const permissions = seen.reduce(commonPermissions, role.permissions);
  const allowed = compilePermissions(permissions);
  const inDoubt = role.permissions.filter((pattern) => !allowed.covers(pattern));
  return inDoubt.length === 0 ? role : { ...role, permissions, inDoubt };
}

/**
 * For a member, an application that comes lowers as well as raises: so wherever the owner is not
 * certain, neither the role in the team counts nor the default one.
 */
function teamUnder(team: Team, seen: PolicyTombstone['seen']): Team {
  const all = [team.applications, ...seen];
  const inDoubt = [...new Set(all.flat())].filter(
    (application) => !all.every((one) => one.includes(application)),
  );
  return inDoubt.length === 0 ? team : { ...team, inDoubt: inDoubt.sort() };
}

/**
 * Whether a store that holds this record (null: none) needs not be told what was seen of it:
 * nothing would be taken away.
 */
export function isHarmless(record: Role | Team | null, seen: readonly string[]): boolean {
  // Without a record it gives nothing, and whoever makes it anew decides what it gives.
  if (record === null) return true;
  if ('permissions' in record)
    return !exceeds(compilePermissions(record.permissions), compilePermissions(seen));
  return contentOf(record).join() === seen.join();
}

/** All tombstones of roles and teams, as one text. Throws `RegistryUnavailable('damaged')`. */
export function policyTombstonesIn(
  text: string,
  unreadable: Unreadable,
): (label: string) => PolicyTombstone | undefined {
  try {
    const known = readPolicyTombstones(text);
    return (label) => known.get(label);
  } catch (fault) {
    if (unreadable === 'damaged' || !(fault instanceof RegistryUnavailable)) throw fault;
    return (label) => (isPolicy(label) ? { policy: label, seen: [[]] } : undefined);
  }
}

function isPolicy(label: string): label is PolicyLabel {
  return /^(role|team):/.test(label);
}

function readPolicyTombstones(text: string): ReadonlyMap<string, PolicyTombstone> {
  try {
    const found = Object.entries(JSON.parse(text) as Record<string, Partial<Stored> | null>);
    return new Map(found.map(([label, one]) => [label, policyTombstone(label, one)]));
  } catch {
    throw damaged('the tombstones of roles and teams');
  }
}

function policyTombstone(label: string, stored: Partial<Stored> | null): PolicyTombstone {
  const { seen, seq } = stored ?? {};
  const isSeen = Array.isArray(seen) && seen.every((one) => typeof one === 'string');
  if (!isPolicy(label) || !isSeen || !['undefined', 'number'].includes(typeof seq))
    throw new TypeError('that is no tombstone');
  return {
    policy: label,
    seen: seen.map((words) => (words === '' ? [] : words.split(' '))),
    ...(seq === undefined ? {} : { seq }),
  };
}

/** What was seen stands in words with a space between them: Lua cannot tell an empty list. */
interface Stored {
  readonly seen: readonly string[];
  readonly seq?: number;
}

/** As scripts take it. */
export function toldPolicy({ policy, seen, seq }: PolicyTombstone) {
  return {
    policy,
    seen: seen.map((words) => words.join(' ')),
    ...(seq === undefined ? {} : { seq }),
  };
}

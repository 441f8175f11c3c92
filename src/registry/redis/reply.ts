import { damaged, RECORD_SCHEMA } from '../codec.ts';
import type { PolicyReader } from '../policy-reader.ts';
import { type PolicySnapshot, RegistryUnavailable } from '../port.ts';
import type { Position } from '../position.ts';
import { policyTombstonesIn, snapshotUnder } from '../revoked/policy-tombstone.ts';
import type { Unreadable } from '../revoked/tombstone.ts';
import { noRegistry, type ServedRegistry } from '../served.ts';

/** What is asked of the hash `meta`, in this order. */
export const META_FIELDS = ['schema', 'epoch', 'seq', 'tip'] as const;

/**
 * Throws `RegistryUnavailable`: `empty` when there is no registry, `damaged` when it is not one
 * that we understand.
 */
export function positionFrom(reply: unknown): Position {
  const [schema, epoch, seq, tip] = reply as (string | null)[];
  if (schema === null && epoch === null && seq === null) throw noRegistry();
  if (schema !== String(RECORD_SCHEMA)) {
    throw new RegistryUnavailable(
      'damaged',
      `the registry is written in schema ${schema}, which this version does not know: start the version that wrote it`,
    );
  }
  const position = { epoch: epoch ?? '', seq: Number(seq ?? Number.NaN), tip: tip ?? '' };
  if (position.epoch === '' || !Number.isSafeInteger(position.seq))
    throw damaged('the position of the registry');
  return position;
}

/**
 * The same, and throws `RegistryUnavailable` (`foreign`) unless it is the registry that was served.
 * `served` null: any is taken.
 */
export function servedPosition(reply: unknown, served: ServedRegistry | null): Position {
  if (served === null) return positionFrom(reply);
  try {
    const position = positionFrom(reply);
    served.assert(position.epoch);
    return position;
  } catch (fault) {
    if (fault instanceof RegistryUnavailable && fault.why === 'empty') served.assert(null);
    throw fault;
  }
}

/**
 * Field of `meta` that says how many accounts, roles, teams and claims there are. Written with
 * every change.
 */
export const COUNTS = 'counts';

/**
 * Throws `RegistryUnavailable` (`damaged`) when there are not as many of a kind as `meta` says: a
 * key that Redis has evicted looks like an empty one.
 *
 * @param counts as HMGET answers them; null in it: written by a version that did not count
 */
export function assertCount(
  counts: unknown,
  kind: 'accounts' | 'roles' | 'teams',
  found: number,
): void {
  const [text] = counts as (string | null)[];
  if (text === null || text === undefined) return;
  const expected = text.split(' ')[['accounts', 'roles', 'teams'].indexOf(kind)];
  if (expected !== String(found))
    throw damaged(`the list of ${kind} (${found} of ${expected} are there)`);
}

/**
 * `roles` and `teams` are HGETALL replies: names and records in turn. `graves`: the number of the
 * tombstones' present state, and those of roles and teams.
 */
export async function snapshotFrom(
  reader: PolicyReader,
  unreadable: Unreadable,
  position: Position,
  roles: unknown,
  teams: unknown,
  graves: unknown,
  counts: unknown,
): Promise<PolicySnapshot> {
  assertCount(counts, 'roles', pairs(roles).length);
  assertCount(counts, 'teams', pairs(teams).length);
  const snapshot = await reader.read(position, pairs(roles), pairs(teams));
  const [, told] = graves as (string | null)[];
  const tombstoneOf = typeof told === 'string' ? policyTombstonesIn(told, unreadable) : null;
  return {
    ...(tombstoneOf === null ? snapshot : snapshotUnder(snapshot, tombstoneOf)),
    tombstones: revisionFrom(graves),
  };
}

/** The number of the tombstones' present state, as HMGET answers it. */
export function revisionFrom(reply: unknown): number {
  const [revision] = reply as (string | null)[];
  return Number(revision ?? 0);
}

/** `[a, 1, b, 2]` as pairs. */
export function pairs(reply: unknown): [string, string][] {
  const words = reply as string[];
  return Array.from({ length: words.length / 2 }, (_, index) => [
    words[2 * index] ?? '',
    words[2 * index + 1] ?? '',
  ]);
}

/** A change by all that names it. */
export function nameOf({ epoch, seq, tip = '' }: Position): string {
  return `${seq} ${epoch} ${tip}`;
}

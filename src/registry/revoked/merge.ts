import type { Account } from '../../account/model.ts';
import type { Commit } from '../commit.ts';
import type { AccountTombstone, PolicyTombstone } from '../tombstone.ts';
import { rightsOf } from './tombstone.ts';

/**
 * Accounts, and roles and teams, that may have a tombstone in a store, and what may have been seen
 * of one. Past it nobody is told any more: whoever has seen a lowering goes on refusing by itself.
 */
export const TOMBSTONES_MAX = { accounts: 100_000, policies: 5_000, seen: 16 } as const;

/**
 * What was told of an account, and now by another instance: digests and deletions add up, the
 * earlier end counts. scripts/registry-assert.lua does the same in Redis.
 */
export function mergedAccount(
  known: AccountTombstone | null,
  told: AccountTombstone,
): AccountTombstone {
  if (known === null) return told;
  const digests = { ...known.digests };
  for (const [digest, fromMs] of Object.entries(told.digests))
    digests[digest] = Math.min(digests[digest] ?? fromMs, fromMs);
  return {
    account: told.account,
    digests,
    deleted: known.deleted || told.deleted,
    inactive: known.inactive || told.inactive,
    ...mergedRights(known.rights, told.rights),
    ...asOf(known.seq, told.seq),
  };
}

/** Who has seen different things cannot say which came last. */
function mergedRights(known?: string, told?: string): { readonly rights?: string } {
  const rights = known === undefined || told === undefined || known === told ? known : '*';
  const both = rights ?? told;
  return both === undefined ? {} : { rights: both };
}

/** Everything is kept that anybody has seen: who reads takes what all of it allows. */
export function mergedPolicy(
  known: PolicyTombstone | null,
  told: PolicyTombstone,
): PolicyTombstone {
  if (known === null) return told;
  const seen = [...known.seen];
  for (const words of told.seen) {
    if (seen.length > TOMBSTONES_MAX.seen) break;
    if (seen.some((one) => one.join(' ') === words.join(' '))) continue;
    // Past the limit as if it had been deleted, which takes everything away.
    seen.push(seen.length < TOMBSTONES_MAX.seen ? words : []);
  }
  return { policy: told.policy, seen, ...asOf(known.seq, told.seq) };
}

/** As of the later change; of an instance that does not say, nobody knows. */
function asOf(known?: number, told?: number): { readonly seq?: number } {
  return known === undefined || told === undefined ? {} : { seq: Math.max(known, told) };
}

/**
 * The tombstone of an account after its record is written; null: there is none any more.
 * `conflict`: the record was computed without knowing of it, and is to be computed again.
 * scripts/registry-commit.lua does the same in Redis.
 */
export function afterWriting(
  record: Account,
  tombstone: AccountTombstone,
  { activates = [], revives = [] }: Pick<Commit, 'activates' | 'revives'>,
): AccountTombstone | null | 'conflict' {
  const { deleted, digests, inactive, rights, seq } = tombstone;
  const isRevived = record.revived !== undefined && seq !== undefined && record.revived >= seq;
  if (isRevived || revives.includes(record.id)) return null;
  if (deleted || (record.token !== null && record.token.digest in digests)) return 'conflict';
  const isHeld = inactive || (rights !== undefined && rights !== rightsOf(record));
  if (!isHeld || record.status !== 'active') return tombstone;
  if (!activates.includes(record.id)) return 'conflict';
  const { rights: _, ...raised } = { ...tombstone, inactive: false };
  return Object.keys(digests).length === 0 ? null : raised;
}

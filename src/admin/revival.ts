import type { Account, Role, Team } from '../account/model.ts';
import { isHarmless } from '../registry/revoked/policy-tombstone.ts';
import { rightsOf } from '../registry/revoked/tombstone.ts';
import type { AccountTombstone, Tombstone } from '../registry/tombstone.ts';
import type { AdminContext } from './context.ts';
import type { Edit } from './edit.ts';

/**
 * What an import would bring back to life: accounts that were deleted or deactivated since the file
 * was written, tokens that were revoked, rights that are others now, of an account or by a role or
 * team. Known are the tombstones and the history of the store, and what the instance or data folder
 * that imports has seen itself.
 */
export type Revived =
  | 'deleted'
  | 'token-revoked'
  | 'deactivated'
  | 'rights-changed'
  | 'permissions-lowered'
  | 'applications-changed';

const REVIVED_WORDS: Readonly<Record<Revived, string>> = {
  deleted: 'was deleted',
  'token-revoked': 'its token was revoked',
  deactivated: 'was deactivated',
  'rights-changed': 'its roles, teams, grants or expiry were changed',
  'permissions-lowered': 'was deleted, or had permissions taken away',
  'applications-changed': 'was deleted, or owns other applications',
};

/** In words, for people. */
export function wordsOf(what: readonly Revived[]): string {
  return what.map((one) => REVIVED_WORDS[one]).join(', ');
}

export interface Revival {
  /** Empty: nothing that is known. */
  readonly what: readonly Revived[];
  /**
   * The latest change of the registry as of which that was known; 0: none or an earlier registry.
   */
  readonly asOf: number;
}

export const NOTHING_REVIVED: Revival = { what: [], asOf: 0 };

/** A record that is to be brought in. */
export type Incoming =
  | { readonly kind: 'account'; readonly record: Account }
  | { readonly kind: 'role'; readonly record: Role }
  | { readonly kind: 'team'; readonly record: Team };

/** For each of these records, none of which is there: in order, what of it would live again. */
export async function revivalsOf(
  { store, known }: AdminContext,
  incoming: readonly Incoming[],
): Promise<readonly Revival[]> {
  const labels = incoming.map(labelOf);
  const told = new Map<string, Tombstone>();
  for (const one of await store.tombstones(labels))
    told.set('policy' in one ? one.policy : one.account, one);
  // An account that is not there, and of which there is a history, had its end.
  const ended = await store.withHistory(labels.filter((_, n) => incoming[n]?.kind === 'account'));
  return incoming.map((one, index) => {
    const label = labels[index]!;
    const all = [told.get(label), known?.(label)].flatMap((tombstone) => tombstone ?? []);
    const found = new Set(all.flatMap((tombstone) => revivedAgainst(one, tombstone)));
    if (one.kind === 'account' && ended.has(label)) found.add('deleted');
    return { what: [...found], asOf: Math.max(0, ...all.map(({ seq = 0 }) => seq)) };
  });
}

/** As the store and instances name what they know. */
function labelOf({ kind, record }: Incoming): string {
  return kind === 'account' ? record.id : `${kind}:${record.name}`;
}

/** Of an edit that makes a record. */
export function incomingOf({ kind, after }: Edit): Incoming {
  return { kind, record: after } as Incoming;
}

function revivedAgainst({ kind, record }: Incoming, tombstone: Tombstone): readonly Revived[] {
  if ('account' in tombstone) return kind === 'account' ? accountRevived(record, tombstone) : [];
  if (tombstone.seen.every((seen) => isHarmless(record as Role | Team, seen))) return [];
  return [kind === 'role' ? 'permissions-lowered' : 'applications-changed'];
}

function accountRevived(account: Account, tombstone: AccountTombstone): readonly Revived[] {
  const { digests, deleted, inactive, rights } = tombstone;
  const tokens = [account.token, account.previous].flatMap((token) => token?.digest ?? []);
  const active = account.status === 'active';
  return [
    ...(deleted ? (['deleted'] as const) : []),
    ...(tokens.some((digest) => digest in digests) ? (['token-revoked'] as const) : []),
    ...(active && inactive ? (['deactivated'] as const) : []),
    ...(active && rights !== undefined && rights !== rightsOf(account)
      ? (['rights-changed'] as const)
      : []),
  ];
}

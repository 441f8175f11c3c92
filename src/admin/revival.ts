import type { Account } from '../account/model.ts';
import type { AccountTombstone } from '../registry/port.ts';
import { rightsOf } from '../registry/tombstone.ts';
import type { AdminContext } from './change.ts';

/**
 * What an import would bring back to life: accounts that were deleted or deactivated since the file
 * was written, tokens that were revoked, rights that are others now. Known are the tombstones and
 * the history of the store, and what the instance or data folder that imports has seen itself.
 */
export type Revived = 'deleted' | 'token-revoked' | 'deactivated' | 'rights-changed';

export const REVIVED_WORDS: Readonly<Record<Revived, string>> = {
  deleted: 'was deleted',
  'token-revoked': 'its token was revoked',
  deactivated: 'was deactivated',
  'rights-changed': 'its roles, teams, grants or expiry were changed',
};

export interface Revival {
  /** Empty: nothing that is known. */
  readonly what: readonly Revived[];
  /**
   * The latest change of the registry as of which that was known; 0: none or an earlier registry.
   */
  readonly asOf: number;
}

/** For each account, in order, what of it would live again. */
export async function revivalsOf(
  { store, known }: AdminContext,
  accounts: readonly Account[],
): Promise<readonly Revival[]> {
  const told = new Map<string, AccountTombstone>();
  for (const one of await store.tombstones(accounts.map(({ id }) => id)))
    if ('account' in one) told.set(one.account, one);
  return Promise.all(
    accounts.map(async (account) => {
      const seen = [told.get(account.id), known?.(account.id)];
      const all = seen.filter((one) => one !== undefined && one !== null && 'account' in one);
      const found = new Set(all.flatMap((tombstone) => revivedAgainst(account, tombstone)));
      if (!found.has('deleted') && (await wasDeleted(store, account.id))) found.add('deleted');
      return { what: [...found], asOf: Math.max(0, ...all.map(({ seq = 0 }) => seq)) };
    }),
  );
}

function revivedAgainst(account: Account, tombstone: AccountTombstone): readonly Revived[] {
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

/** An account that is not there, and of which there is a history, had its end. */
async function wasDeleted(store: AdminContext['store'], account: string): Promise<boolean> {
  const { items } = await store.changes({ account, before: null, limit: 1 });
  return items.length > 0;
}

import type { Account } from '../account/model.ts';
import { compilePermissions, exceeds } from '../account/permission.ts';
import type { Records } from './records.ts';

/** Ends every session of a user, here and on all other instances. */
export function signedOut(account: Account): Pick<Account, 'signOuts'> {
  return { signOuts: (account.signOuts ?? 0) + 1 };
}

/**
 * A change to an account, with all sessions of a user ended where they must not go on: whoever is
 * deactivated, and active again later, signs in anew; so does whoever may do more than before. A
 * session that somebody else has begun in an account while it was weak never has its new rights.
 */
export function endingSessions<T extends Account | null>(
  before: Account,
  after: T,
  records: Records,
): T {
  if (after?.kind !== 'user') return after;
  const isDeactivated = before.status === 'active' && after.status !== 'active';
  if (!isDeactivated && !mayDoMore(before, after, records)) return after;
  return { ...after, ...signedOut(before) };
}

/** By default roles alone, as everything about Sallyport's own permissions. */
function mayDoMore(before: Account, after: Account, records: Records): boolean {
  if (before.role === after.role) return false;
  const [had, has] = [before, after].map(({ role }) =>
    compilePermissions(records.permissionsOf([role])),
  );
  return exceeds(has!, had!);
}

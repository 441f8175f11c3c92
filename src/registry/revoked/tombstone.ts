import { hash } from 'node:crypto';
import {
  type Account,
  isRestricted,
  RETIRED_MAX,
  type Role,
  type Team,
} from '../../account/model.ts';
import { damaged } from '../codec.ts';
import type { AccountTombstone } from '../tombstone.ts';

/**
 * The account as it is to be read where a tombstone says more than its record. Null: it is deleted.
 */
export function underTombstone(
  account: Account,
  { digests, deleted, inactive, rights, seq }: Omit<AccountTombstone, 'account'>,
): Account | null {
  if (isRevived(account, seq)) return account;
  if (deleted) return null;
  let { token, previous = null, retired } = account;
  for (const [digest, fromMs] of Object.entries(digests)) {
    if (token?.digest === digest) {
      previous =
        fromMs > 0
          ? { digest, createdAt: token.createdAt, validUntil: new Date(fromMs).toISOString() }
          : previous;
      token = null;
    }
    if (previous?.digest === digest && fromMs === 0) previous = null;
    if (fromMs === 0 && !retired.includes(digest))
      retired = [digest, ...retired].slice(0, RETIRED_MAX);
  }
  const held = inactive || (rights !== undefined && rights !== rightsOf(account));
  return { ...account, token, previous, retired, status: held ? 'inactive' : account.status };
}

/** Whether the record was brought back by somebody who was told what was known as of `seq`. */
export function isRevived({ revived }: Account | Role | Team, seq: number | undefined): boolean {
  return revived !== undefined && seq !== undefined && revived >= seq;
}

/** Names all that an account is allowed, by roles, in time and from where: 32 hex digits. */
export function rightsOf(account: Account): string {
  const { role, teams, grants, expiresAt, allowedNetworks = null, boundTo = null } = account;
  // What was named before there was a `where` goes on having its name.
  const where = isRestricted(account) ? [allowedNetworks, boundTo] : [];
  const rights = JSON.stringify([role, teams, grants, expiresAt, ...where]);
  return hash('sha256', rights, 'hex').slice(0, 32);
}

/**
 * What a tombstone that cannot be read comes to: a fault, as it may have shut somebody out; or,
 * where administrators change things, that it has. It must not stand in the way of a revocation.
 */
export type Unreadable = 'damaged' | 'shuts-out';

/** As administrators' stores read it. */
export function tombstoneShutsOut(account: string, text: string): AccountTombstone {
  return readTombstone(account, text, 'shuts-out');
}

/** Throws `RegistryUnavailable('damaged')`. */
export function readTombstone(
  account: string,
  text: string,
  unreadable: Unreadable,
): AccountTombstone {
  try {
    const { digests, deleted, inactive, rights, seq } = JSON.parse(
      text,
    ) as Partial<AccountTombstone>;
    if (
      typeof digests === 'object' &&
      digests !== null &&
      typeof deleted === 'boolean' &&
      typeof inactive === 'boolean' &&
      (rights === undefined || typeof rights === 'string') &&
      (seq === undefined || typeof seq === 'number')
    ) {
      return {
        ...{ account, digests, deleted, inactive },
        ...(rights === undefined ? {} : { rights }),
        ...(seq === undefined ? {} : { seq }),
      };
    }
  } catch {
    // Falls through to the one fault that there is.
  }
  if (unreadable === 'shuts-out') return { account, digests: {}, deleted: false, inactive: true };
  throw damaged(`the tombstone of account ${account}`);
}

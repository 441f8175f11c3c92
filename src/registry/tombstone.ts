import type { Account } from '../account/model.ts';
import { damaged } from './codec.ts';
import type { Tombstone } from './port.ts';

/** Digests of retired tokens that an account keeps. */
const RETIRED_KEPT = 8;

/**
 * The account as it is to be read where a tombstone says more than its record. Null: it is deleted.
 */
export function underTombstone(
  account: Account,
  { digests, deleted, inactive }: Omit<Tombstone, 'account'>,
): Account | null {
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
      retired = [digest, ...retired].slice(0, RETIRED_KEPT);
  }
  return { ...account, token, previous, retired, status: inactive ? 'inactive' : account.status };
}

/** Throws `RegistryUnavailable('damaged')`: what cannot be read may have shut somebody out. */
export function readTombstone(account: string, text: string): Tombstone {
  try {
    const { digests, deleted, inactive } = JSON.parse(text) as Partial<Tombstone>;
    if (
      typeof digests === 'object' &&
      typeof deleted === 'boolean' &&
      typeof inactive === 'boolean'
    ) {
      return { account, digests, deleted, inactive };
    }
  } catch {
    // Falls through to the one fault that there is.
  }
  throw damaged(`the tombstone of account ${account}`);
}

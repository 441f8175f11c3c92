import { RETIRED_MAX } from '../account/model.ts';
import type { Principal } from '../account/principal.ts';
import { digestsEqual, NO_DIGEST } from '../account/token.ts';
import type { Clock } from '../clock.ts';

/** How a presented token fares against the account that it names. */
export type Proof =
  | 'proven'
  | 'token-unknown'
  | 'token-revoked'
  | 'token-expired'
  | 'account-inactive';

/**
 * Judges a presented token by its digest. `account` null = there is no account of that id.
 *
 * The digest comes first: whoever cannot show the live token learns nothing about status or expiry.
 * The four failures run the same steps (the clock is read, one comparison each with the live and
 * the previous digest, eight with retired ones), so that time does not tell them apart either.
 */
export function prove(account: Principal | null, digest: string, clock: Clock): Proof {
  const isLive = digestsEqual(digest, account?.liveDigest ?? NO_DIGEST);
  // Who is let in may be let in sooner: they know it by then.
  if (isLive && account?.countsAlways === true) return 'proven';
  const nowMs = clock.wallMs();
  // Compared whether or not there is one, as everything here.
  const isPrevious = digestsEqual(digest, account?.previousDigest ?? NO_DIGEST);
  const live = isLive || (isPrevious && account !== null && nowMs < account.previousUntilMs);
  const standing = account === null ? 'token-unknown' : standingOf(account, nowMs);
  if (live && standing === 'proven') return standing;
  const retired = isRetired(account, digest);
  if (live) return standing;
  return retired || isPrevious ? 'token-revoked' : 'token-unknown';
}

/** Whether the account counts at this moment, its token aside. */
export function standingOf(account: Principal, nowMs: number): Proof {
  if (account.countsAlways) return 'proven';
  // People hold no token and are never let through the proxied APIs; to the caller their account
  // does not exist.
  if (account.account.kind !== 'service') return 'token-unknown';
  if (account.account.status !== 'active') return 'account-inactive';
  return account.expiresAtMs !== null && nowMs >= account.expiresAtMs ? 'token-expired' : 'proven';
}

function isRetired(account: Principal | null, digest: string): boolean {
  const service = account !== null && account.account.kind === 'service';
  let found = false;
  for (let index = 0; index < RETIRED_MAX; index++) {
    const retired = service ? account.account.retired[index] : undefined;
    // No early exit, and a blank takes the place of a digest that is not there.
    if (digestsEqual(digest, retired ?? NO_DIGEST)) found = true;
  }
  return found;
}

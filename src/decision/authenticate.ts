import { RETIRED_MAX } from '../account/model.ts';
import type { Principal } from '../account/principal.ts';
import { digestsEqual, NO_DIGEST } from '../account/token.ts';
import type { Clock } from '../clock.ts';
import type { ClientCertificate } from '../http/request-head.ts';
import { whyNotFrom } from './origin.ts';

/** How an account stands, whoever shows its token. */
export type Standing = Exclude<Proof, 'address-refused' | 'token-unbound'>;

/** How a presented token fares against the account that it names. */
export type Proof =
  | 'proven'
  | 'token-unknown'
  | 'token-revoked'
  | 'token-expired'
  | 'account-inactive'
  | 'address-refused'
  | 'token-unbound';

/**
 * Judges a presented token by its digest. `account` null = there is no account of that id.
 *
 * The digest comes first: whoever cannot show the live token learns nothing about status, expiry or
 * from where it counts. The failures run the same steps (the clock is read, one comparison each
 * with the live and the previous digest, eight with retired ones), so that time does not tell them
 * apart either.
 *
 * @param address the client's; default: none, which is in no network
 * @param certificate that the client has shown; default: none
 */
export function prove(
  account: Principal | null,
  digest: string,
  clock: Clock,
  address = '',
  certificate: ClientCertificate | null = null,
): Proof {
  const isLive = digestsEqual(digest, account?.liveDigest ?? NO_DIGEST);
  // Who is let in may be let in sooner: they know it by then.
  if (isLive && account?.countsAlways === true) return 'proven';
  const nowMs = clock.wallMs();
  // Compared whether or not there is one, as everything here.
  const isPrevious = digestsEqual(digest, account?.previousDigest ?? NO_DIGEST);
  const live = isLive || (isPrevious && account !== null && nowMs < account.previousUntilMs);
  const standing =
    account === null ? 'token-unknown' : standingFrom(account, address, certificate, nowMs);
  if (live && standing === 'proven') return standing;
  const retired = isRetired(account, digest);
  if (live) return standing;
  return retired || isPrevious ? 'token-revoked' : 'token-unknown';
}

/** Whether the account counts at this moment and from there, its token aside. */
export function standingFrom(
  account: Principal,
  address: string,
  certificate: ClientCertificate | null,
  nowMs: number,
): Proof {
  const standing = standingOf(account, nowMs);
  if (standing !== 'proven') return standing;
  return whyNotFrom(account.account, address, certificate, nowMs) ?? 'proven';
}

/** Whether the account counts at this moment, its token and from where it calls aside. */
export function standingOf(account: Principal, nowMs: number): Standing {
  if (account.countsAlways) return 'proven';
  // People hold no token and are never let through the proxied APIs; to the caller their account
  // does not exist.
  if (account.account.kind !== 'service') return 'token-unknown';
  // Its tokens never count.
  if (account.account.honey === true) return 'token-revoked';
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

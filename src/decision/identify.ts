import type { Account } from '../account/model.ts';
import type { Principal } from '../account/principal.ts';
import { tokenDigest, tokenId } from '../account/token.ts';
import type { Clock } from '../clock.ts';
import type { ClientCertificate } from '../http/request-head.ts';
import type { GuessThrottle } from '../limits/guess-throttle.ts';
import type { RateStanding } from '../limits/rate-limit.ts';
import type { RefusalReason } from '../refusal.ts';
import type { Lookup, RegistryView } from '../registry/replica/port.ts';
import { prove } from './authenticate.ts';

/** Who calls, as far as that was found out. */
export interface Identity {
  /** Whoever has shown a token that matches; null: nobody has. */
  account: Principal | null;
  /** Whom a token named that has not matched. */
  claimedAccountId: string | null;
  /** Of a token that has matched, live or retired. */
  tokenId: string | null;
  /** The bait whose token was shown; nobody has proved to be it. Null: none was. */
  honey: Account | null;
  /** How a client stands that guesses; null: it does not. */
  rate: RateStanding | null;
}

export interface IdentifyServices {
  readonly view: RegistryView;
  readonly clock: Clock;
  /** What stands between a decision and the registry's look-ups. */
  readonly lookups: Pick<GuessThrottle, 'lookup' | 'guessing'>;
}

/**
 * Asks for the account that a token names: a claim, until the digest has matched. Cached, the
 * answer is there at once; else it may have to wait behind those of other clients.
 */
export function lookUp(
  { view, lookups }: IdentifyServices,
  identity: Identity,
  accountId: string,
  clientAddress: string,
): Lookup | Promise<Lookup> {
  identity.claimedAccountId = accountId;
  const lookup = lookups.lookup(accountId, clientAddress);
  if (!(lookup instanceof Promise)) return lookup;
  // Time has passed: the lease may have run out meanwhile.
  return lookup.then((late) => (view.current ? late : UNAVAILABLE));
}

const UNAVAILABLE: Lookup = { found: 'unavailable' };

/**
 * The digest decides, then status and expiry, then from where it comes. Absent, unknown, retired,
 * expired, inactive, from elsewhere: one path for all. Nothing waits, so what is judged is one
 * state of the registry.
 *
 * @param certificate that the client has shown on its own connection
 * @returns why not; null: the account has shown its token, and stands in `identity`
 */
export function identify(
  { view, clock, lookups }: IdentifyServices,
  identity: Identity,
  token: string,
  lookup: Lookup,
  clientAddress: string,
  certificate: ClientCertificate | null,
): RefusalReason | null {
  if (lookup.found === 'unavailable') return view.unavailableReason;
  const account = lookup.found === 'account' ? lookup.account : null;
  const digest = tokenDigest(token);
  const proof = prove(account, digest, clock, clientAddress, certificate);
  if (account !== null && proof !== 'token-unknown') {
    identity.tokenId = tokenId(digest);
    if (proof !== 'token-revoked') {
      identity.account = account;
      identity.claimedAccountId = null;
      if (proof === 'proven') return null;
    } else if (account.account.honey === true) identity.honey = account.account;
  }
  // A client that guesses is told so, and nothing else, whatever is wrong with its token: only
  // after it was found to be wrong.
  identity.rate = lookups.guessing(clientAddress);
  if (identity.rate !== null) return 'guessing-throttled';
  return proof === 'proven' ? 'token-unknown' : proof;
}

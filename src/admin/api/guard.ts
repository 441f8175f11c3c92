import type { OwnPermission, PermissionSet } from '../../account/permission.ts';
import type { Principal } from '../../account/principal.ts';
import { tokenDigest, tokenId } from '../../account/token.ts';
import type { Clock } from '../../clock.ts';
import { prove } from '../../decision/authenticate.ts';
import { readCredential } from '../../decision/credential.ts';
import type { GuessThrottle } from '../../limits/guess-throttle.ts';
import type { RefusalReason } from '../../refusal.ts';
import type { RegistryView } from '../../registry/replica/port.ts';
import type { Caller } from './operation.ts';
import { type Known, NOBODY } from './recorder.ts';

export interface GuardOptions {
  readonly view: RegistryView & { permissionsOf(role: string): PermissionSet };
  readonly lookups: Pick<GuessThrottle, 'lookup' | 'guessing'>;
  readonly clock: Clock;
}

export type Admission =
  | { readonly admitted: true; readonly caller: Caller; readonly known: Known }
  | {
      readonly admitted: false;
      readonly reason: RefusalReason;
      readonly known: Known;
      readonly retryAfterSeconds?: number;
    };

/**
 * Who may ask the API: service accounts by their token, judged by the functions that let calls
 * through the gate, and their default role by Sallyport's own permissions. The order is the gate's:
 * what we know (lease), who it is, what it may.
 */
export class ApiGuard {
  readonly #options: GuardOptions;

  constructor(options: GuardOptions) {
    this.#options = options;
  }

  /** @param needs null: a valid token is enough */
  async admit(
    authorization: string | null,
    address: string,
    needs: OwnPermission | null,
  ): Promise<Admission> {
    const { view, lookups } = this.#options;
    if (!view.current) return refused(view.unavailableReason, NOBODY);
    const credential = readCredential(authorization, null);
    if (credential.presented === 'nothing') return refused('token-missing', NOBODY);
    if (credential.presented === 'malformed') return refused('token-malformed', NOBODY);
    const lookup = await lookups.lookup(credential.accountId, address);
    // Time may have passed: the lease may have run out while we waited.
    const claimed: Known = { ...NOBODY, claimedAccountId: credential.accountId };
    if (lookup.found === 'unavailable' || !view.current)
      return refused(view.unavailableReason, claimed);
    const principal = lookup.found === 'account' ? lookup.account : null;
    const digest = tokenDigest(credential.token);
    const proof = prove(principal, digest, this.#options.clock);
    if (principal === null || proof === 'token-unknown')
      return this.#refuseToken('token-unknown', claimed, address);
    if (proof === 'token-revoked')
      return this.#refuseToken(proof, { ...claimed, tokenId: tokenId(digest) }, address);
    const caller = this.#callerOf(principal, credential.token);
    const known: Known = { actor: caller.actor, claimedAccountId: null, tokenId: tokenId(digest) };
    if (proof !== 'proven') return this.#refuseToken(proof, known, address);
    if (needs !== null && !view.roleAllows(principal.account.role, needs))
      return refused('permission-denied', known);
    return { admitted: true, caller, known };
  }

  /**
   * Whether a request that was let in would be let in still. Synchronous: what is not at hand is
   * not known, and then the answer is no.
   */
  stands({ principal, token }: Caller, needs: OwnPermission | null): boolean {
    const { view, clock } = this.#options;
    const lookup = view.current ? view.cached(principal.account.id) : null;
    if (lookup === null || lookup.found !== 'account') return false;
    if (prove(lookup.account, tokenDigest(token), clock) !== 'proven') return false;
    return needs === null || view.roleAllows(lookup.account.account.role, needs);
  }

  #callerOf(principal: Principal, token: string): Caller {
    const { id, name, kind, role } = principal.account;
    const permissions = this.#options.view.permissionsOf(role);
    return { principal, token, actor: { id, name, kind, via: 'admin-api', permissions } };
  }

  /** A client that guesses is told so, whatever is wrong with its token. */
  #refuseToken(reason: RefusalReason, known: Known, address: string): Admission {
    const rate = this.#options.lookups.guessing(address);
    if (rate === null) return refused(reason, known);
    return {
      admitted: false,
      reason: 'guessing-throttled',
      known,
      retryAfterSeconds: rate.retryAfterSeconds,
    };
  }
}

function refused(reason: RefusalReason, known: Known): Admission {
  return { admitted: false, reason, known };
}

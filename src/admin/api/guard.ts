import type { OwnPermission, PermissionSet } from '../../account/permission.ts';
import type { Principal } from '../../account/principal.ts';
import { tokenDigest } from '../../account/token.ts';
import type { Clock } from '../../clock.ts';
import { prove } from '../../decision/authenticate.ts';
import { readCredential } from '../../decision/credential.ts';
import { type Identity, identify, lookUp } from '../../decision/identify.ts';
import type { Origin } from '../../decision/origin.ts';
import type { GuessThrottle } from '../../limits/guess-throttle.ts';
import type { RefusalReason } from '../../refusal.ts';
import type { RegistryView } from '../../registry/replica/port.ts';
import { lackWords } from '../actor.ts';
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
      /** For the caller, who is known by then. */
      readonly detail?: string;
      readonly retryAfterSeconds?: number;
    };

const NOBODY_FOUND: Readonly<Identity> = {
  account: null,
  claimedAccountId: null,
  tokenId: null,
  honey: null,
  rate: null,
};

type Denied = Extract<Admission, { admitted: false }>;

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
    origin: Origin,
    needs: OwnPermission | null,
  ): Promise<Admission> {
    const { view } = this.#options;
    if (!view.current) return refused(view.unavailableReason, NOBODY);
    const credential = readCredential(authorization, null);
    if (credential.presented === 'nothing') return refused('token-missing', NOBODY);
    if (credential.presented === 'malformed') return refused('token-malformed', NOBODY);
    const { address, certificate } = origin;
    const found: Identity = { ...NOBODY_FOUND };
    const lookup = await lookUp(this.#options, found, credential.accountId, address);
    const unproven = view.current
      ? identify(this.#options, found, credential.token, lookup, address, certificate)
      : view.unavailableReason;
    const { account: principal, claimedAccountId, tokenId, honey, rate } = found;
    const caller = principal === null ? null : this.#callerOf(principal, credential.token, origin);
    const known: Known = { actor: caller?.actor ?? null, claimedAccountId, tokenId, honey };
    if (unproven !== null || caller === null) {
      const reason = unproven ?? 'token-unknown';
      return rate === null
        ? refused(reason, known)
        : { ...refused(reason, known), retryAfterSeconds: rate.retryAfterSeconds };
    }
    if (needs !== null && !view.roleAllows(caller.principal.account.role, needs))
      return { ...refused('permission-denied', known), detail: lackWords(caller.actor, needs) };
    return { admitted: true, caller, known };
  }

  /**
   * Whether a request that was let in would be let in still. Synchronous: what is not at hand is
   * not known, and then the answer is no.
   */
  stands({ principal, token, origin }: Caller, needs: OwnPermission | null): boolean {
    const { view, clock } = this.#options;
    const lookup = view.current ? view.cached(principal.account.id) : null;
    if (lookup === null || lookup.found !== 'account') return false;
    const { address, certificate } = origin;
    const proof = prove(lookup.account, tokenDigest(token), clock, address, certificate);
    if (proof !== 'proven') return false;
    return needs === null || view.roleAllows(lookup.account.account.role, needs);
  }

  #callerOf(principal: Principal, token: string, origin: Origin): Caller {
    const { id, name, kind, role } = principal.account;
    const permissions = this.#options.view.permissionsOf(role);
    return { principal, token, origin, actor: { id, name, kind, via: 'admin-api', permissions } };
  }
}

function refused(reason: RefusalReason, known: Known): Denied {
  return { admitted: false, reason, known };
}

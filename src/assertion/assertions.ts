import { randomUUID } from 'node:crypto';
import type { Principal } from '../account/principal.ts';
import type { Clock } from '../clock.ts';
import { ownText, Recent } from '../http/recent.ts';
import type { AssertionKeys } from './keeper.ts';
import { signed } from './key.ts';

/** What an upstream is told. */
export interface Assertion {
  /** Claim `jti`: stands in the record. */
  readonly id: string;
  /** The JWT. */
  readonly text: string;
  /** Wall clock, in ms: when it was signed, and from when on another one is given out. */
  readonly signedMs: number;
  readonly renewMs: number;
}

/** What an upstream wants to be told. */
export interface AssertionWish {
  /** Claim `aud`. */
  readonly audience: string;
  readonly lifetimeMs: number;
  /** Null: it counts for any request. */
  readonly bind: {
    /** How requests reach the upstream. */
    readonly scheme: 'http' | 'https';
  } | null;
}

/** Who calls, as it was decided: decision/verdict.ts's `Permit` will do. */
export interface Caller {
  readonly account: Principal;
  readonly role: string | null;
  readonly application: string | null;
  readonly demand: { readonly applications: readonly string[] | null } | null;
}

/** The request that an assertion is for. */
export interface Bound {
  readonly htm: string;
  /** Without query. */
  readonly htu: string;
}

export interface AssertionOptions {
  readonly keys: Pick<AssertionKeys, 'signer'>;
  /** Claim `iss`. */
  readonly issuer: string;
  readonly clock: Pick<Clock, 'wallMs'>;
  /** By the name of the upstream. */
  readonly wishes: ReadonlyMap<string, AssertionWish>;
  /** Of each upstream twice as many are kept at most, of less than 1 KiB as a rule. */
  readonly generation?: number;
}

/**
 * An assertion that is given out again, to the same caller as long as nothing of it has changed.
 */
interface Kept extends Assertion {
  readonly account: Principal;
  readonly role: string | null;
  readonly applications: string;
}

const GENERATION = 4096;

/**
 * Tells upstreams who calls, in a form that they can prove. One is given out for half its life to
 * the same account, role and application, so most calls read a text; what is bound to its request
 * is signed for it. Any change of the account makes another `Principal`, and with it another
 * assertion.
 */
export class Assertions {
  readonly #options: AssertionOptions;
  readonly #kept: ReadonlyMap<string, Recent<Kept>>;

  constructor(options: AssertionOptions) {
    this.#options = options;
    const { wishes, generation = GENERATION } = options;
    this.#kept = new Map([...wishes.keys()].map((name) => [name, new Recent(generation)]));
  }

  /** Undefined: the upstream wants none. */
  wishOf(upstream: string): AssertionWish | undefined {
    return this.#options.wishes.get(upstream);
  }

  /** Of an upstream that wants one without a request. Null: there is no key to sign it with. */
  of(upstream: string, caller: Caller): Assertion | null {
    const kept = this.#kept.get(upstream)!;
    const { account, role, application } = caller;
    const { id } = account.account;
    const key = application === null ? id : `${id} ${application}`;
    const applications = caller.demand?.applications?.join() ?? '';
    const found = kept.get(key);
    const nowMs = this.#options.clock.wallMs();
    if (
      found !== undefined &&
      found.account === account &&
      found.role === role &&
      found.applications === applications &&
      isFresh(found, nowMs)
    )
      return found;
    const made = this.#sign(upstream, caller, nowMs, null);
    if (made === null) return null;
    const next = { ...made, text: ownText(made.text), account, role, applications };
    kept.set(ownText(key), next);
    return next;
  }

  /** Of an upstream that wants one for each request. Null: there is no key to sign it with. */
  bound(upstream: string, caller: Caller, request: Bound): Assertion | null {
    return this.#sign(upstream, caller, this.#options.clock.wallMs(), request);
  }

  /** Whether it may be given out. */
  isFresh(assertion: Assertion): boolean {
    return isFresh(assertion, this.#options.clock.wallMs());
  }

  #sign(upstream: string, caller: Caller, nowMs: number, request: Bound | null): Assertion | null {
    const { keys, issuer, wishes } = this.#options;
    const { audience, lifetimeMs } = wishes.get(upstream)!;
    const key = keys.signer;
    if (key === null) return null;
    const { account, expiresAtMs } = caller.account;
    const id = randomUUID();
    const untilMs = Math.min(nowMs + lifetimeMs, expiresAtMs ?? Number.POSITIVE_INFINITY);
    const signedAt = Math.floor(nowMs / 1000);
    const claims = {
      iss: issuer,
      aud: audience,
      sub: account.id,
      name: account.name,
      role: caller.role,
      teams: account.teams.map(({ team }) => team),
      ...(caller.application === null ? {} : { application: caller.application }),
      ...(caller.demand?.applications == null ? {} : { applications: caller.demand.applications }),
      ...request,
      iat: signedAt,
      // Of the two Envoy looks at this one alone.
      nbf: signedAt,
      exp: Math.floor(untilMs / 1000),
      jti: id,
    };
    const renewMs = nowMs + (untilMs - nowMs) / 2;
    return { id, text: signed(key, claims), signedMs: nowMs, renewMs };
  }
}

/** Not from the future either: then the clock was set back, and nobody knows how old it is. */
function isFresh({ signedMs, renewMs }: Assertion, nowMs: number): boolean {
  return nowMs >= signedMs && nowMs < renewMs;
}

import type { PolicyView } from '../../account/policy.ts';
import type { Principal } from '../../account/principal.ts';

/** The answer to "who is this?", from the cache or from the store. */
export type Lookup =
  | { readonly found: 'account'; readonly account: Principal }
  | { readonly found: 'absent' }
  /** Nobody knows now: 503, never 401. */
  | { readonly found: 'unavailable' };

/**
 * What the decision sees of the registry: accounts one by one, and the questions about roles and
 * teams (`PolicyView`, which account/policy.ts answers from their records).
 */
export interface RegistryView extends PolicyView {
  /**
   * Whether the lease allows an answer at this moment (monotonic clock). When false, everything is
   * 503.
   */
  readonly current: boolean;
  /** The reason for which nothing is known, where nothing is: of a refusal with 503. */
  readonly unavailableReason: 'registry-unavailable' | 'registry-foreign';
  /**
   * The answer that is at hand: the account or its absence is cached, or nothing can be known.
   * Null: the store would have to be asked.
   */
  cached(accountId: string): Lookup | null;
  /** Synchronous when `cached` has an answer. Never rejects. */
  lookup(accountId: string): Lookup | Promise<Lookup>;
}

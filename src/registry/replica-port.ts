import type { Principal } from '../account/principal.ts';

/** The answer to "who is this?", from the cache or from the store. */
export type Lookup =
  | { readonly found: 'account'; readonly account: Principal }
  | { readonly found: 'absent' }
  /** Nobody knows now: 503, never 401. */
  | { readonly found: 'unavailable' };

/** What the decision sees of the registry. */
export interface RegistryView {
  /** Whether the lease allows an answer at this moment (monotonic clock). When false, everything is 503. */
  readonly current: boolean;
  /** Synchronous when the account (or its absence) is cached. Never rejects. */
  lookup(accountId: string): Lookup | Promise<Lookup>;
  /** Permissions of a role as one compiled question; false for a role that does not exist. */
  roleAllows(role: string, permission: string): boolean;
  /** The team that owns an application, or null. */
  ownerOf(application: string): string | null;
}

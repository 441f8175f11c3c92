/**
 * Which routes the gates have in force, told to whoever stands apart from them: a console without
 * routes of its own, a command line with the store alone. Each instance tells it every few seconds,
 * and what it does not repeat is forgotten. It is shown, and never decided by: whoever can write
 * the store could write anything here.
 */

/** What one instance says of itself. Times are its own wall clock, in ms since 1970. */
export interface PublishedBy {
  readonly instance: string;
  /** How many routes it has. */
  readonly routes: number;
  /**
   * Digest of the routes: who has the same ones has the same digest. Null: they are more than is
   * published.
   */
  readonly table: string | null;
  /** Since when they are in force there. */
  readonly sinceMs: number;
  /** When it said so last. */
  readonly toldMs: number;
}

export interface PublishedReader {
  /**
   * Of each instance that is running and has said so lately, in the order of their names; what
   * cannot be read is left out. Throws `StoreUnavailable`.
   */
  list(): Promise<readonly PublishedBy[]>;
  /** The text of the routes with this digest, as `routesFrom` reads it; null: it is not there. */
  text(table: string): Promise<string | null>;
}

export interface PublishedStore extends PublishedReader {
  /**
   * Replaces what the instance has said before. `text` goes with `table`. Throws
   * `StoreUnavailable`.
   */
  publish(by: PublishedBy, text: string | null): Promise<void>;
  /** Nothing is known of the instance any more. */
  withdraw(instance: string): Promise<void>;
}

/** So often an instance says which routes it has. */
export const TOLD_EVERY_MS = 15_000;
/** So long it is believed: an instance that was killed is not shown for longer than that. */
export const KEPT_MS = 60_000;
/** Instances that are looked at; of more than these, others are left out. */
export const INSTANCES_MAX = 1_000;

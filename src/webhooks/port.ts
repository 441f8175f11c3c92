import type { Secret } from '../config/secret.ts';

/** A receiver of events, as it is configured. */
export interface Hook {
  readonly name: string;
  readonly url: string;
  /** Types of events. */
  readonly events: ReadonlySet<string>;
  /** One, or two while it rotates: the keys of HMAC-SHA-256. */
  readonly keys: readonly Secret[];
  /** PEM; null: the CAs of Node. */
  readonly ca: string | null;
  /** Where the receiver may be; null: at any public address. */
  readonly networks: readonly string[] | null;
}

/** Up to where a log has been read: positions of the logs' own. */
export interface Place {
  /** Of administrative changes. */
  readonly changes: string;
  readonly notices: string;
}

/**
 * What all instances share about webhooks: who delivers, and how far each hook has come. Throws
 * `StoreUnavailable`.
 */
export interface WebhookStore {
  /**
   * Takes the lease, or renews it, for so long; false: another instance has it. With it come the
   * words that are kept, since the one before may have written since.
   */
  lead(instance: string, forMs: number): Promise<boolean>;
  /** Gives the lease back, where this instance has it. */
  yield(instance: string): Promise<void>;
  /** What is kept under a name (`hook:NAME`, `warned:account`); null: nothing is. */
  word(name: string): Promise<string | null>;
  keep(name: string, word: string): Promise<void>;
  close(): Promise<void>;
}

/** An event of one of the two logs, and the place after it there. */
export interface LoggedEvent {
  readonly log: keyof Place;
  readonly at: string;
  /** One line of JSON, as it is recorded. */
  readonly event: string;
}

/** What is recorded and may be told. Throws `AuditUnavailable` and `RegistryUnavailable`. */
export interface EventSource {
  /** The end of both logs: what comes now is after it. */
  end(): Promise<Place>;
  /** Some of the next events of each log, in the order of their times; none: that was all. */
  after(place: Place): Promise<readonly LoggedEvent[]>;
}

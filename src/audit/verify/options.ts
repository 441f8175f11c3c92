import type { TrimAnchor } from './anchors.ts';
import type { Finding } from './finding.ts';
import type { SignedHead, Trust } from './keys.ts';

/** What is known beside the events themselves. */
export interface KnownBeside {
  /** Registered in the store: key id -> public key. */
  readonly keys: ReadonlyMap<string, string>;
  readonly heads: readonly SignedHead[];
  readonly anchors: readonly TrimAnchor[];
}

export interface VerifierOptions {
  readonly beside: KnownBeside;
  /** Kept apart from the store; null: there is none. */
  readonly trust: Trust | null;
  /**
   * Whether all instances are in what is read. Not of a spool or of a part of the log: then what
   * is missing as a whole is no finding.
   */
  readonly whole: boolean;
  /**
   * Of a spool: what the store has accepted at once was never in it, so numbers that are not there
   * are no finding.
   */
  readonly sparse: boolean;
  /**
   * The record is followed, and never ends. What the store has lost and is sent again comes twice
   * then, and losses are told when they are declared.
   */
  readonly goesOn: boolean;
  /** Now, in ms since 1970. */
  readonly nowMs: () => number;
  readonly found: (finding: Finding) => void;
}

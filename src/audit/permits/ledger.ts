import type { EventBatch } from '../batch.ts';
import type { LeftPermit } from './notes.ts';

/** What an instance left open, or the first of it. */
export interface LeftOpen {
  readonly permits: readonly LeftPermit[];
  /** These are all. */
  readonly all: boolean;
  /** As of when, in the store's own words. */
  readonly asOf: string;
}

/** Outcomes that were written for an instance that is gone. */
export interface WrittenOutcomes {
  /** Who gave the permits. */
  readonly decidedBy: string;
  /** Who wrote them: the `instance` of their lines. */
  readonly by: string;
  readonly count: number;
  /** SHA-256 of their lines, each with its line feed, as base64url. */
  readonly digest: string;
  /** Which of the steps of one close it was, from 0 on. */
  readonly step: number;
}

/** Closed in one step of the store, which nothing else can be done beside. */
export const CLOSED_AT_ONCE = 1000;

/**
 * What the store knows of instances and of their permits without an outcome, so that these can be
 * closed when the instance that gave them ends without a word. Which permits are open an instance
 * notes with its events (`PermitNotes`).
 */
export interface PermitLedger {
  /**
   * This instance lives, for so long at least.
   *
   * @returns whether the store knew of it; if not, it knows none of its permits either
   */
  alive(instance: string, forMs: number): Promise<boolean>;
  /** Instances that are not known to live, and have not said goodbye. */
  silent(): Promise<readonly string[]>;
  /** Null: somebody has closed it all meanwhile. */
  left(instance: string): Promise<LeftOpen | null>;
  /**
   * Records outcomes of what was left open and notes them as ended, and that somebody has to vouch
   * for them, all in one step. Does nothing when anything has happened to that instance since
   * `left`.
   *
   * @param outcomes one of each, in their order
   * @param written null: there are none
   * @returns whether it was done
   */
  close(
    instance: string,
    left: LeftOpen,
    outcomes: EventBatch,
    written: WrittenOutcomes | null,
  ): Promise<boolean>;
  /** Outcomes for which this instance has to vouch, in the order in which they were written. */
  unvouched(voucher: string): Promise<readonly WrittenOutcomes[]>;
  /** Another one has to vouch for them from now on. */
  takeOver(written: WrittenOutcomes, voucher: string): Promise<void>;
  /** That somebody vouches for them is on record. */
  vouched(written: WrittenOutcomes): Promise<void>;
  /** The instance has said goodbye: nothing is open. */
  forget(instance: string): Promise<void>;
}

import type { AdminActor } from './actor.ts';
import type { FollowObserver } from './follow-audit.ts';
import type { Ended, Progress, Running, RunState } from './one-run.ts';
import type { AuditVerification, AuditVerifyInput } from './verify-audit.ts';

/** Work that reads the whole record. Who only begins it, or asks for it, loads none of it. */
export interface AuditRuns {
  readonly verification: AuditVerifications;
  readonly reindexing: AuditReindexing;
}

export type RunningVerification = Running;
export type EndedVerification = Ended<AuditVerification>;
export type VerificationState = RunState<AuditVerification>;

/** Of the whole record, or of a part of it. */
export type VerificationInput = Pick<AuditVerifyInput, 'trust' | 'part'>;

/**
 * Reading the whole record and judging it by its chain: one at a time, because each reads all that
 * the store has. All throw `forbidden`; what begins one throws `conflict` while another is under
 * way, and `invalid` for a trust file that is none.
 */
export interface AuditVerifications {
  /**
   * Begins one, and waits for its result.
   *
   * @param progress told how many events were read, and about how many there are
   * @param signal nobody waits any more: it is given up
   */
  run(
    actor: AdminActor,
    input: VerificationInput,
    progress?: Progress,
    signal?: AbortSignal,
  ): Promise<AuditVerification>;
  /** Begins one in the background. */
  start(actor: AdminActor, input: VerificationInput): Promise<VerificationState>;
  state(actor: AdminActor): Promise<VerificationState>;
  /**
   * Verifies what there is, and what comes, until the signal says stop; beside one that is under
   * way.
   */
  follow(
    actor: AdminActor,
    input: Pick<VerificationInput, 'trust'>,
    observer: FollowObserver,
    signal: AbortSignal,
  ): Promise<void>;
}

export interface AuditReindexInput {
  /** Whose activity log is made anew: by name or by id; null = everybody's. */
  readonly account:
    | { readonly name: string; readonly id?: never }
    | { readonly id: string; readonly name?: never }
    | null;
}

/** What was made anew. */
export interface AuditReindexed {
  /** False: the store has no such logs, for it reads the record itself. */
  readonly needed: boolean;
  /** Whose log. */
  readonly accounts: number;
  /** Events of theirs that the record holds. */
  readonly events: number;
}

export type ReindexState = RunState<AuditReindexed>;

/**
 * Making activity logs anew from the record: one at a time. All throw `forbidden`; what begins one
 * throws `conflict` while another is under way, and `not-found` for an account that is none.
 */
export interface AuditReindexing {
  /**
   * Begins one, and waits for its result.
   *
   * @param progress told how many events were read, and about how many there are
   */
  run(actor: AdminActor, input: AuditReindexInput, progress?: Progress): Promise<AuditReindexed>;
  /** Begins one in the background. */
  start(actor: AdminActor, input: AuditReindexInput): Promise<ReindexState>;
  state(actor: AdminActor): Promise<ReindexState>;
}

import type { AuditScan } from '../audit/port.ts';
import type { Clock } from '../clock.ts';
import type { RegistryStore } from '../registry/port.ts';
import { type AdminActor, mustHave } from './actor.ts';
import { type FollowObserver, followAudit } from './follow-audit.ts';
import { type Ended, OneRun, type Progress, type Running, type RunState } from './one-run.ts';
import {
  type AuditVerification,
  type AuditVerifyInput,
  readTrust,
  verifyAudit,
} from './verify-audit.ts';
import { withChanges } from './verify-changes.ts';

export type RunningVerification = Running;
export type EndedVerification = Ended<AuditVerification>;
export type VerificationState = RunState<AuditVerification>;

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
    input: AuditVerifyInput,
    progress?: Progress,
    signal?: AbortSignal,
  ): Promise<AuditVerification>;
  /** Begins one in the background. */
  start(actor: AdminActor, input: AuditVerifyInput): Promise<VerificationState>;
  state(actor: AdminActor): Promise<VerificationState>;
  /**
   * Verifies what there is, and what comes, until the signal says stop; beside one that is under
   * way.
   */
  follow(
    actor: AdminActor,
    input: Pick<AuditVerifyInput, 'trust'>,
    observer: FollowObserver,
    signal: AbortSignal,
  ): Promise<void>;
}

export interface VerificationOptions {
  readonly record: AuditScan;
  readonly store: Pick<RegistryStore, 'changes'>;
  readonly clock: Clock;
  /** Ends what is under way. */
  readonly ending?: AbortSignal | undefined;
  /** Told what nobody waits for: a fault of ours. */
  readonly onFault?: ((fault: unknown) => void) | undefined;
}

export function createVerifications(options: VerificationOptions): AuditVerifications {
  return new Verifications(options);
}

class Verifications implements AuditVerifications {
  readonly #options: VerificationOptions;
  readonly #one: OneRun<AuditVerification>;

  constructor(options: VerificationOptions) {
    this.#options = options;
    this.#one = new OneRun('a verification', options);
  }

  async run(
    actor: AdminActor,
    input: AuditVerifyInput,
    progress: Progress = () => {},
    signal?: AbortSignal,
  ): Promise<AuditVerification> {
    return this.#begin(actor, input, progress, signal);
  }

  async start(actor: AdminActor, input: AuditVerifyInput): Promise<VerificationState> {
    return this.#one.start(this.#begin(actor, input, () => {}));
  }

  async state(actor: AdminActor): Promise<VerificationState> {
    mustHave(actor, 'sallyport:activity:read');
    return this.#one.state;
  }

  async follow(
    actor: AdminActor,
    { trust }: Pick<AuditVerifyInput, 'trust'>,
    observer: FollowObserver,
    signal: AbortSignal,
  ): Promise<void> {
    mustHave(actor, 'sallyport:activity:read');
    const { record, clock, ending } = this.#options;
    const stop = ending === undefined ? signal : AbortSignal.any([signal, ending]);
    await followAudit(record, readTrust(trust ?? null), observer, clock, stop);
  }

  /** Throws at once what keeps it from beginning. */
  #begin(
    actor: AdminActor,
    { trust, part }: AuditVerifyInput,
    progress: Progress,
    signal?: AbortSignal,
  ): Promise<AuditVerification> {
    mustHave(actor, 'sallyport:activity:read');
    const input = { trust: readTrust(trust ?? null), part: part === true };
    const { ending, record, store } = this.#options;
    const ends = [ending, signal].filter((one) => one !== undefined);
    const work = async (told: Progress) =>
      withChanges(await verifyAudit(record, input, told, ends), store);
    return this.#one.begin(actor, work, progress);
  }
}

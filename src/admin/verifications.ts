import type { AuditScan } from '../audit/port.ts';
import type { Clock } from '../clock.ts';
import type { RegistryStore } from '../registry/port.ts';
import { type AdminActor, mustHave } from './actor.ts';
import { AdminError } from './error.ts';
import {
  type AuditVerification,
  type AuditVerifyInput,
  readTrust,
  verifyAudit,
} from './verify-audit.ts';
import { withChanges } from './verify-changes.ts';

/** A verification that is under way. */
export interface RunningVerification {
  /** Of this process, from 1 on. */
  readonly number: number;
  /** ISO 8601, UTC. */
  readonly startedAt: string;
  /** Name of who asked for it. */
  readonly by: string;
  /** Read so far, and about how many there are. */
  readonly events: number;
  readonly of: number;
}

/** One that has ended: with a result, or with the fault that kept it from one. */
export interface EndedVerification {
  readonly number: number;
  readonly startedAt: string;
  readonly endedAt: string;
  readonly by: string;
  readonly fault: string | null;
  readonly result: AuditVerification | null;
}

/** What this process knows: it forgets with its end. */
export interface VerificationState {
  readonly running: RunningVerification | null;
  readonly last: EndedVerification | null;
}

export type Progress = (done: number, of: number) => void;

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
  #number = 0;
  #running: RunningVerification | null = null;
  #last: EndedVerification | null = null;

  constructor(options: VerificationOptions) {
    this.#options = options;
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
    const { onFault } = this.#options;
    this.#begin(actor, input, () => {}).catch((fault: unknown) => {
      if (!(fault instanceof AdminError)) onFault?.(fault);
    });
    return this.#state;
  }

  async state(actor: AdminActor): Promise<VerificationState> {
    mustHave(actor, 'sallyport:activity:read');
    return this.#state;
  }

  get #state(): VerificationState {
    return { running: this.#running, last: this.#last };
  }

  /** Throws at once what keeps it from beginning. */
  #begin(
    actor: AdminActor,
    { trust, part }: AuditVerifyInput,
    progress: Progress,
    signal?: AbortSignal,
  ): Promise<AuditVerification> {
    mustHave(actor, 'sallyport:activity:read');
    if (this.#running !== null) throw underWay(this.#running);
    const input = { trust: readTrust(trust ?? null), part: part === true };
    const startedAt = this.#now;
    this.#number += 1;
    const about = { number: this.#number, startedAt, by: actor.name };
    this.#running = { ...about, events: 0, of: 0 };
    const told: Progress = (events, of) => {
      this.#running = { ...about, events, of };
      progress(events, of);
    };
    const ends = [this.#options.ending, signal].filter((one) => one !== undefined);
    const { record, store } = this.#options;
    const work = verifyAudit(record, input, told, ends);
    return this.#carryOut(
      about,
      work.then((result) => withChanges(result, store)),
    );
  }

  async #carryOut(
    about: Pick<EndedVerification, 'number' | 'startedAt' | 'by'>,
    work: Promise<AuditVerification>,
  ): Promise<AuditVerification> {
    try {
      const result = await work;
      this.#last = { ...about, endedAt: this.#now, fault: null, result };
      return result;
    } catch (error) {
      const fault = error instanceof AdminError ? error.message : 'a fault of the gate itself';
      this.#last = { ...about, endedAt: this.#now, fault, result: null };
      throw error;
    } finally {
      this.#running = null;
    }
  }

  get #now(): string {
    return new Date(this.#options.clock.wallMs()).toISOString();
  }
}

function underWay({ startedAt, by, events, of }: RunningVerification): AdminError {
  const how = `${events} of about ${of} events are read`;
  const message = `a verification is under way (${how}; ${by} began it at ${startedAt}): wait for its end`;
  return new AdminError('conflict', message);
}

import type { AuditScan } from '../audit/port.ts';
import type { Clock } from '../clock.ts';
import type { RegistryStore } from '../registry/port.ts';
import { type AdminActor, mustHave } from './actor.ts';
import type { AuditVerifications, VerificationInput, VerificationState } from './audit-runs.ts';
import { type FollowObserver, followAudit } from './follow-audit.ts';
import { OneRun, type Progress } from './one-run.ts';
import { type AuditVerification, readTrust, verifyAudit } from './verify-audit.ts';
import { withChanges } from './verify-changes.ts';

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
    input: VerificationInput,
    progress: Progress = () => {},
    signal?: AbortSignal,
  ): Promise<AuditVerification> {
    return this.#begin(actor, input, progress, signal);
  }

  async start(actor: AdminActor, input: VerificationInput): Promise<VerificationState> {
    return this.#one.start(this.#begin(actor, input, () => {}));
  }

  async state(actor: AdminActor): Promise<VerificationState> {
    mustHave(actor, 'sallyport:activity:read');
    return this.#one.state;
  }

  async follow(
    actor: AdminActor,
    { trust }: Pick<VerificationInput, 'trust'>,
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
    { trust, part }: VerificationInput,
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

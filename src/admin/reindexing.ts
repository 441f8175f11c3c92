import { type AuditReader, AuditUnavailable } from '../audit/port.ts';
import type { Clock } from '../clock.ts';
import type { RegistryStore } from '../registry/port.ts';
import { type AccountRef, resolveAccountId } from './accounts.ts';
import { type AdminActor, mustHave } from './actor.ts';
import { reading } from './change.ts';
import { AdminError } from './error.ts';
import { OneRun, type Progress, type RunState } from './one-run.ts';

export interface AuditReindexInput {
  /** Whose activity log is made anew; null = everybody's. */
  readonly account: AccountRef | null;
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

export interface ReindexingOptions {
  readonly store: RegistryStore;
  readonly audit: AuditReader;
  readonly clock: Clock;
  /** Told what nobody waits for: a fault of ours. */
  readonly onFault?: ((fault: unknown) => void) | undefined;
}

export function createReindexing(options: ReindexingOptions): AuditReindexing {
  const one = new OneRun<AuditReindexed>('a rebuild of activity logs', options);
  const may = (actor: AdminActor) => mustHave(actor, 'sallyport:registry:write');
  const idOf = async ({ account }: AuditReindexInput) =>
    account === null ? null : reading(() => resolveAccountId(options.store, account));
  return {
    async run(actor, input, progress) {
      may(actor);
      const account = await idOf(input);
      return one.begin(actor, (told) => reindex(options.audit, account, told), progress);
    },
    async start(actor, input) {
      may(actor);
      const account = await idOf(input);
      return one.start(one.begin(actor, (told) => reindex(options.audit, account, told)));
    },
    async state(actor) {
      may(actor);
      return one.state;
    },
  };
}

async function reindex(
  audit: AuditReader,
  account: string | null,
  progress: Progress,
): Promise<AuditReindexed> {
  if (audit.reindex === undefined) return { needed: false, accounts: 0, events: 0 };
  try {
    return { needed: true, ...(await audit.reindex({ account, progress })) };
  } catch (error) {
    if (!(error instanceof AuditUnavailable)) throw error;
    const message = `activity logs cannot be rebuilt: ${error.message}`;
    throw new AdminError('unavailable', message, { cause: error });
  }
}

import { type AuditReader, AuditUnavailable } from '../audit/port.ts';
import type { Clock } from '../clock.ts';
import type { RegistryStore } from '../registry/port.ts';
import { resolveAccountId } from './accounts.ts';
import { type AdminActor, mustHave } from './actor.ts';
import type { AuditReindexed, AuditReindexInput, AuditReindexing } from './audit-runs.ts';
import { reading } from './change.ts';
import { AdminError } from './error.ts';
import { OneRun, type Progress } from './one-run.ts';

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

import { readEvent } from '../audit/event/read.ts';
import { type AuditScan, AuditUnavailable } from '../audit/port.ts';
import type { AdminActor } from './actor.ts';
import { reading } from './change.ts';
import { type AdminContext, type Nothing, recordOf } from './context.ts';

/** An instance that may answer from its cache. */
export interface InstanceView {
  /** Its name and a random part: another process is another instance. */
  readonly instance: string;
  readonly version: string;
  readonly leaseMs: number;
  /** Until its lease ends on the store's clock, if it is not renewed. */
  readonly leaseRemainingMs: number;
  /** The last change that it has acknowledged; null: none that this registry knows of. */
  readonly appliedSeq: number | null;
  /** Changes made since that one; null where that cannot be told. */
  readonly lag: number | null;
  /** Id of the key that signs its part of the record; null: it has signed nothing yet. */
  readonly auditKey: string | null;
}

export interface InstancesView {
  /** The number of the registry's last change. */
  readonly seq: number;
  readonly items: readonly InstanceView[];
}

/** Who is there to hear of a change. An instance that was killed stays until it is forgotten. */
export async function listInstances(
  context: AdminContext,
  _actor: AdminActor,
  _input: Nothing,
): Promise<InstancesView> {
  const { position, items } = await reading(() => context.store.instances());
  const keys = await signingKeys(recordOf(context).record);
  return {
    seq: position.seq,
    items: items.map(({ instance, version, leaseMs, leaseRemainingMs, applied }) => ({
      instance,
      version,
      leaseMs,
      leaseRemainingMs,
      appliedSeq: applied?.seq ?? null,
      lag: applied === null ? null : Math.max(0, position.seq - applied.seq),
      auditKey: keys.get(instance) ?? null,
    })),
  };
}

/** Who has signed with which key. Where the record cannot be read, leases can still be shown. */
async function signingKeys(record: AuditScan): Promise<ReadonlyMap<string, string>> {
  try {
    return new Map((await record.heads()).flatMap((line) => signerIn(line) ?? []));
  } catch (fault) {
    if (fault instanceof AuditUnavailable) return new Map();
    throw fault;
  }
}

function signerIn(line: string): [readonly [instance: string, key: string]] | null {
  const event = readEvent(line);
  const isHead = event.type === 'chain-head' || event.type === 'instance-ended';
  return isHead ? [[event.instance, event.key]] : null;
}

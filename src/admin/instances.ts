import { type AdminActor, mustHave } from './actor.ts';
import { reading } from './change.ts';
import type { AdminContext } from './context.ts';

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
}

export interface InstancesView {
  /** The number of the registry's last change. */
  readonly seq: number;
  readonly items: readonly InstanceView[];
}

/** Who is there to hear of a change. An instance that was killed stays until it is forgotten. */
export async function listInstances(
  context: AdminContext,
  actor: AdminActor,
): Promise<InstancesView> {
  mustHave(actor, 'sallyport:instances:read');
  const { position, items } = await reading(() => context.store.instances());
  return {
    seq: position.seq,
    items: items.map(({ instance, version, leaseMs, leaseRemainingMs, applied }) => ({
      instance,
      version,
      leaseMs,
      leaseRemainingMs,
      appliedSeq: applied?.seq ?? null,
      lag: applied === null ? null : Math.max(0, position.seq - applied.seq),
    })),
  };
}

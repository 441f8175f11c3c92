import type { InstanceProgress } from '../members.ts';
import { leaseTtlMs } from '../redis/members.ts';

interface Sighting {
  readonly renewal: string | null;
  /** Monotonic clock: when the answer that first showed this renewal had come. */
  readonly sinceMs: number;
}

/** What was seen of one member, and when on the monotonic clock of who looked. */
export interface Look {
  readonly progress: Pick<InstanceProgress, 'instance' | 'renewal'>;
  readonly leaseMs: number;
  readonly askedMs: number;
  readonly answeredMs: number;
}

/**
 * Finds the members whose lease is surely over, by nobody's clock but that of who looks: a member
 * that was at the same renewal a whole lease ago has not renewed since. A wall clock that is set,
 * the store's above all, changes nothing.
 */
export class SilentMembers {
  readonly #seen = new Map<string, Sighting>();

  /**
   * Whether the member's lease is over.
   *
   * @param marginMs how long two stores could renew leases at once
   */
  isSilent({ progress, leaseMs, askedMs, answeredMs }: Look, marginMs: number): boolean {
    const { instance, renewal } = progress;
    const seen = this.#seen.get(instance);
    if (seen === undefined || seen.renewal !== renewal) {
      this.#seen.set(instance, { renewal, sinceMs: answeredMs });
      return false;
    }
    return askedMs - seen.sinceMs >= leaseTtlMs(leaseMs) + marginMs;
  }

  /** Keeps only what was seen of these. */
  keep(instances: ReadonlySet<string>): void {
    for (const instance of this.#seen.keys())
      if (!instances.has(instance)) this.#seen.delete(instance);
  }
}

import { NEWEST_RECORD_SCHEMA } from '../codec.ts';
import type { InstanceProgress, InstanceStatus } from '../members.ts';
import type { LeaseRequest } from '../port.ts';
import type { Position } from '../position.ts';

/**
 * Who serves the registry of a file. The process that asks is the one that owns the store: holding
 * the lock is the proof, and being here is the membership.
 */
export class EmbeddedMembers {
  readonly #members = new Map<string, LeaseRequest>();
  readonly #applied = new Map<string, Position>();
  /** Counts renewals, so that each can be told from the one before. */
  readonly #renewals = new Map<string, number>();

  renew(request: LeaseRequest): void {
    this.#members.set(request.instance, request);
    this.#renewals.set(request.instance, (this.#renewals.get(request.instance) ?? 0) + 1);
  }

  release(instance: string): void {
    this.#members.delete(instance);
    this.#applied.delete(instance);
    this.#renewals.delete(instance);
  }

  forget(instance: string, renewal: string | null): boolean {
    if (this.#renewalOf(instance) !== renewal) return false;
    this.release(instance);
    return true;
  }

  acknowledge(instance: string, applied: Position): void {
    this.#applied.set(instance, applied);
  }

  progress(instances: readonly string[]): readonly InstanceProgress[] {
    return instances.map((instance) => ({
      instance,
      registered: this.#members.has(instance),
      renewal: this.#renewalOf(instance),
      applied: this.#applied.get(instance) ?? null,
    }));
  }

  get items(): readonly InstanceStatus[] {
    return [...this.#members.values()].map(({ instance, leaseMs, version = '' }) => ({
      instance,
      leaseMs,
      version,
      schema: NEWEST_RECORD_SCHEMA,
      leaseRemainingMs: leaseMs,
      registered: true,
      renewal: this.#renewalOf(instance),
      applied: this.#applied.get(instance) ?? null,
    }));
  }

  /** For whom a change has to wait. */
  get waitedFor(): readonly Pick<LeaseRequest, 'instance' | 'leaseMs'>[] {
    return [...this.#members.values()].map(({ instance, leaseMs }) => ({ instance, leaseMs }));
  }

  #renewalOf(instance: string): string | null {
    return this.#renewals.get(instance)?.toString() ?? null;
  }
}

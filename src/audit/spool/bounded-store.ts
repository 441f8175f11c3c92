import type { EventBatch } from '../batch.ts';
import { type AuditLog, AuditUnavailable } from '../port.ts';

/** The store, which has so long for one step and no longer. */
export class BoundedStore {
  readonly #store: AuditLog;
  readonly #deadlineMs: number;
  /** Of batches that were given up: something might still read them. */
  readonly #held = new WeakSet<Buffer>();

  constructor(store: AuditLog, deadlineMs: number) {
    this.#store = store;
    this.#deadlineMs = deadlineMs;
  }

  /** How long the number of an instance that is gone is remembered, in ms; null: without end. */
  get remembersMs(): number | null {
    return this.#store.remembersMs ?? null;
  }

  /**
   * As the store does it; `AuditUnavailable` when that takes too long: then the connection is cut,
   * so that nothing waits behind what hangs, and the store may or may not have the events.
   */
  append(batch: EventBatch): Promise<void> {
    return this.#within(this.#store.append(batch), () => this.#held.add(batch.lines));
  }

  /**
   * The number of the last event that is held of an instance; 0 = none. Throws as `append` does.
   */
  async held(instance: string): Promise<number> {
    return this.#store.held === undefined ? 0 : this.#within(this.#store.held(instance));
  }

  /** Nobody closes its permits for so long. Throws as `append` does. */
  async alive(instance: string, forMs: number): Promise<void> {
    const { permits } = this.#store;
    if (permits !== undefined) await this.#within(permits.alive(instance, forMs));
  }

  /** Something may still read the bytes of a batch that was given up. */
  holds(batch: EventBatch): boolean {
    return this.#held.has(batch.lines);
  }

  #within<T>(step: Promise<T>, givenUp = () => {}): Promise<T> {
    return new Promise((resolve, reject) => {
      let isOpen = true;
      const giveUp = () => {
        if (!isOpen) return;
        isOpen = false;
        givenUp();
        this.#store.cut?.();
        reject(new AuditUnavailable(`no answer from the store within ${this.#deadlineMs} ms`));
      };
      // After a pause of the process the answer may lie in the socket: it is read first.
      const timer = setTimeout(() => setImmediate(giveUp), this.#deadlineMs);
      const settle = (end: () => void) => {
        clearTimeout(timer);
        if (isOpen) end();
        isOpen = false;
      };
      step.then(
        (value) => settle(() => resolve(value)),
        (fault: unknown) => settle(() => reject(fault)),
      );
    });
  }
}

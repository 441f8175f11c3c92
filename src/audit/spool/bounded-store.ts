import type { EventBatch } from '../batch.ts';
import { type AuditLog, AuditUnavailable } from '../port.ts';

/** The store, which has so long for one append and no longer. */
export class BoundedStore {
  readonly #store: AuditLog;
  readonly #deadlineMs: number;
  /** Of batches that were given up: something might still read them. */
  readonly #held = new WeakSet<Buffer>();

  constructor(store: AuditLog, deadlineMs: number) {
    this.#store = store;
    this.#deadlineMs = deadlineMs;
  }

  /**
   * As the store does it; `AuditUnavailable` when that takes too long: then the connection is cut,
   * so that nothing waits behind what hangs, and the store may or may not have the events.
   */
  append(batch: EventBatch): Promise<void> {
    return new Promise((resolve, reject) => {
      let isOpen = true;
      const giveUp = () => {
        if (!isOpen) return;
        isOpen = false;
        this.#held.add(batch.lines);
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
      this.#store.append(batch).then(
        () => settle(resolve),
        (fault: unknown) => settle(() => reject(fault)),
      );
    });
  }

  /** Something may still read the bytes of a batch that was given up. */
  holds(batch: EventBatch): boolean {
    return this.#held.has(batch.lines);
  }
}

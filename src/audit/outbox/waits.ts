import type { Clock } from '../../clock.ts';
import type { AcceptanceWaiter } from '../port.ts';
import type { Pending } from './options.ts';

/**
 * The deadlines of all waiters. All have the same patience, so they expire in the order in which
 * they came: one timer serves them all.
 */
export interface Waits {
  add(entry: Pending): void;
  /** Tells everyone who still waits that it was in vain. */
  close(): void;
}

/** Finished entries at the front are dropped from the list in lumps of this many. */
const COMPACT_AFTER = 1024;

export function createWaits(clock: Clock, refuse: (waiter: AcceptanceWaiter) => void): Waits {
  let entries: Pending[] = [];
  let head = 0;
  let timer: NodeJS.Timeout | null = null;
  let look: NodeJS.Immediate | null = null;
  let open = true;

  function compact(): void {
    if (head === entries.length) entries.length = 0;
    else if (head < COMPACT_AFTER) return;
    else entries = entries.slice(head);
    head = 0;
  }

  function expire(uptoMs: number): void {
    for (; head < entries.length; head++) {
      const entry = entries[head] as Pending;
      if (entry.waiter === null) continue;
      if (entry.deadlineMs > uptoMs) break;
      const { waiter } = entry;
      entry.waiter = null;
      refuse(waiter);
    }
    compact();
  }

  function arm(): void {
    const first = entries[head];
    if (first === undefined || !open || timer !== null) return;
    timer = setTimeout(
      () => {
        timer = null;
        const uptoMs = clock.monotonicMs();
        // After a pause of the process the answer may lie in the socket, and timers come first in a
        // turn of the loop: what has come is read before anybody waits in vain.
        look = setImmediate(() => {
          look = null;
          expire(uptoMs);
          arm();
        });
      },
      Math.max(1, first.deadlineMs - clock.monotonicMs()),
    );
    // Whoever waits holds a socket, and that keeps the process alive; the timer alone shall not.
    timer.unref();
  }

  return {
    add(entry) {
      // Entries that were accepted in time leave when the next one comes, not only when the timer
      // fires.
      while (head < entries.length && entries[head]?.waiter === null) head++;
      compact();
      entries.push(entry);
      if (look === null) arm();
    },
    close() {
      open = false;
      if (timer !== null) clearTimeout(timer);
      if (look !== null) clearImmediate(look);
      timer = null;
      look = null;
      expire(Number.POSITIVE_INFINITY);
    },
  };
}

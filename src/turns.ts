/**
 * Long work gives way to calls: it is done in slices, and before each it waits for its turn.
 *
 * However many such works are under way, one slice runs in one turn of the event loop, and the
 * slices take their turns in the order in which they asked: twenty lists that are made at once hold
 * up a call by one slice, not by twenty. `setImmediate` alone would run all of them in the same
 * turn.
 */
const waiting: (() => void)[] = [];
let isScheduled = false;

/** Resolves in a turn of its own. What follows it should take a few milliseconds at most. */
export function turn(): Promise<void> {
  return new Promise((resolve) => {
    waiting.push(resolve);
    schedule();
  });
}

function schedule(): void {
  if (isScheduled) return;
  isScheduled = true;
  setImmediate(() => {
    isScheduled = false;
    waiting.shift()?.();
    if (waiting.length > 0) schedule();
  });
}

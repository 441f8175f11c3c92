/** How often a timer looks whether this process still comes to its turn. */
const EVERY_MS = 10;
/**
 * A timer that was late by so much was kept waiting by the machine, not by what this process does.
 */
const LATE_MS = 100;
const TRIES = 5;

/**
 * What is about fractions of a second cannot be shown while the machine has no time for this
 * process: an attempt that fails although it did is a failure, any other is made again. Whatever
 * fails each time has failed, too.
 */
export async function undisturbed<T>(attempt: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    let [dueMs, latestMs] = [performance.now() + EVERY_MS, 0];
    const look = () => {
      latestMs = Math.max(latestMs, performance.now() - dueMs);
      dueMs = performance.now() + EVERY_MS;
    };
    const timer = setInterval(look, EVERY_MS);
    try {
      return await attempt();
    } catch (fault) {
      look();
      if (latestMs < LATE_MS || tries === TRIES) throw fault;
    } finally {
      clearInterval(timer);
    }
  }
}

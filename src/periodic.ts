/**
 * Work in the background that is done every so often, and a last time at the end: what has gathered
 * is written out.
 *
 * One run at a time: who asks while one is under way waits for that one. Does not keep the process
 * alive.
 */
export class Periodic {
  readonly #run: () => Promise<void>;
  readonly #timer: NodeJS.Timeout;
  #running: Promise<void> | null = null;

  /**
   * @param run has to deal with its own faults: what it throws reaches whoever asked, and nobody
   * asks when the timer does
   */
  constructor(run: () => Promise<void>, intervalMs: number) {
    this.#run = run;
    this.#timer = setInterval(() => void this.now(), intervalMs);
    this.#timer.unref();
  }

  now(): Promise<void> {
    this.#running ??= this.#run().finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  /** A last run, which sees everything that is there now. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#running;
    await this.now();
  }
}

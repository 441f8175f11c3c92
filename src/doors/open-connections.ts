import type { DoorConnection } from './connection.ts';

/** As long as a call may wait for its record, and its client for the last word. */
const LAST_WORDS_MS = 1000;

/** The connections of one listener that owe nothing but requests, and how they end together. */
export class OpenConnections {
  readonly #all = new Set<DoorConnection>();
  #whenEmpty: (() => void) | null = null;

  get size(): number {
    return this.#all.size;
  }

  add(connection: DoorConnection): void {
    this.#all.add(connection);
  }

  /** It is another one's from now on, or has gone. */
  delete(connection: DoorConnection): void {
    this.#all.delete(connection);
    if (this.#all.size === 0) this.#whenEmpty?.();
  }

  /** Looks at each: for whoever asks now and then. */
  counts(): { idle: number; active: number } {
    let active = 0;
    for (const { busy } of this.#all) if (busy) active += 1;
    return { idle: this.#all.size - active, active };
  }

  announceEnd(): void {
    for (const connection of this.#all) connection.announceEnd();
  }

  /**
   * Closes what is idle, and lets the rest finish. None may be added from now on.
   *
   * @param deadlineMs how long the rest may take; then it is cut off: with 503 `draining` where no
   * answer has begun, which may take a second more
   * @returns how many connections had to be cut off
   */
  async drain(deadlineMs: number): Promise<number> {
    for (const connection of [...this.#all]) connection.drain();
    if (this.#all.size > 0) await this.#emptied(deadlineMs);
    const left = [...this.#all];
    const cut = left.filter((connection) => connection.busy).length;
    for (const connection of left) connection.cutOff();
    if (this.#all.size > 0) await this.#emptied(LAST_WORDS_MS);
    for (const connection of [...this.#all]) connection.destroy();
    return cut;
  }

  #emptied(deadlineMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, deadlineMs);
      this.#whenEmpty = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

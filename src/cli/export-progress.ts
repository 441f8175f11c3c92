const WIDTH = 24;
/** How often it is drawn anew, in milliseconds. */
const EVERY_MS = 100;

/** One line on standard error that is drawn over and over; nothing where that is no terminal. */
export class Progress {
  #drawnMs = 0;
  #length = 0;

  /** @param share of the work, 0 to 1; null where it is not known */
  show(share: number | null, words: string): void {
    if (process.stderr.isTTY !== true) return;
    const nowMs = Date.now();
    if (nowMs - this.#drawnMs < EVERY_MS) return;
    this.#drawnMs = nowMs;
    this.#draw(share === null ? words : `${barOf(share)} ${words}`);
  }

  /** Leaves an empty line. */
  clear(): void {
    if (this.#length > 0) this.#draw('');
  }

  #draw(text: string): void {
    const end = text === '' ? '\r' : '';
    process.stderr.write(`\r${text.padEnd(this.#length)}${end}`);
    this.#length = text.length;
  }
}

export function barOf(share: number): string {
  const within = Math.min(1, Math.max(0, share));
  const full = Math.floor(within * WIDTH);
  return `[${'#'.repeat(full)}${'.'.repeat(WIDTH - full)}] ${String(Math.floor(within * 100)).padStart(3)} %`;
}

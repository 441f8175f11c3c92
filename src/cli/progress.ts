import { drawStatus, showStatus } from './screen/status.ts';

const WIDTH = 24;
const EVERY_MS = 100;
const TURNS = ['|', '/', '-', '\\'] as const;

/**
 * How far something has come, on the status line of a terminal: a bar where the whole is known,
 * something that turns where it is not. Always to be ended.
 */
export class Progress {
  readonly #end: () => void;
  #words: string;
  #share: number | null = null;
  #drawnMs = 0;

  constructor(words: string) {
    this.#words = words;
    this.#end = showStatus(() =>
      this.#share === null ? `${turning()} ${this.#words}` : `${barOf(this.#share)} ${this.#words}`,
    );
  }

  /** @param share of the work, 0 to 1; null where it is not known */
  show(share: number | null, words: string): void {
    this.#share = share;
    this.#words = words;
    const nowMs = performance.now();
    if (nowMs - this.#drawnMs < EVERY_MS) return;
    this.#drawnMs = nowMs;
    drawStatus();
  }

  end(): void {
    this.#end();
  }
}

export interface ProgressBar {
  readonly at: (done: number, of: number) => void;
  end(): void;
}

/** So many of so many. `of` 0: how many there are is not known. */
export function progressBar(what: string): ProgressBar {
  const progress = new Progress(what);
  return {
    at: (done, of) => progress.show(of === 0 ? null : done / of, `${done} ${what}`),
    end: () => progress.end(),
  };
}

/** Does it, and shows meanwhile that something is being done. */
export async function turningFor<T>(words: string, work: () => Promise<T>): Promise<T> {
  const progress = new Progress(words);
  try {
    return await work();
  } finally {
    progress.end();
  }
}

function turning(): string {
  return TURNS[Math.floor(performance.now() / EVERY_MS) % TURNS.length]!;
}

export function barOf(share: number): string {
  const within = Math.min(1, Math.max(0, share));
  const full = Math.floor(within * WIDTH);
  return `[${'#'.repeat(full)}${'.'.repeat(WIDTH - full)}] ${String(Math.floor(within * 100)).padStart(3)} %`;
}

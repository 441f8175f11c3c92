import type { TokenUse } from '../account/model.ts';
import { Periodic } from '../periodic.ts';

/** Where last uses are written to, in the background. */
export interface UseStore {
  recordUses(uses: readonly TokenUse[]): Promise<void>;
}

export const USE_LIMITS = {
  /**
   * Tokens whose last use may wait to be written. Past it new ones are not noted until the next
   * write.
   */
  waiting: 20_000,
  intervalMs: 10_000,
  /** Written at once, so that no single command grows past what a store takes well. */
  batch: 500,
} as const;

interface NotedUse extends TokenUse {
  timeMs: number;
  address: string;
}

/**
 * When and from where each token was last let in. A call costs one entry in a map; every ten
 * seconds the map is written out, one entry per token however many calls there were. Best effort:
 * what a crash or an outage loses is at most the last interval's.
 */
export class LastUses {
  readonly #store: UseStore;
  readonly #onFault: (fault: unknown) => void;
  readonly #writing: Periodic;
  #waiting = new Map<string, NotedUse>();
  #isFaulty = false;

  /** @param onFault told once, until it is possible again */
  constructor(store: UseStore, onFault: (fault: unknown) => void) {
    this.#store = store;
    this.#onFault = onFault;
    this.#writing = new Periodic(() => this.#write(), USE_LIMITS.intervalMs);
  }

  note(account: string, token: string, timeMs: number, address: string): void {
    const noted = this.#waiting.get(token);
    if (noted !== undefined) {
      noted.timeMs = timeMs;
      noted.address = address;
    } else if (this.#waiting.size < USE_LIMITS.waiting) {
      this.#waiting.set(token, { account, token, timeMs, address });
    }
  }

  /** Writes out what has gathered. Never rejects. */
  flush(): Promise<void> {
    return this.#writing.now();
  }

  close(): Promise<void> {
    return this.#writing.close();
  }

  async #write(): Promise<void> {
    const uses = [...this.#waiting.values()];
    this.#waiting = new Map();
    try {
      for (let from = 0; from < uses.length; from += USE_LIMITS.batch)
        await this.#store.recordUses(uses.slice(from, from + USE_LIMITS.batch));
      if (uses.length > 0) this.#isFaulty = false;
    } catch (fault) {
      if (!this.#isFaulty) this.#onFault(fault);
      this.#isFaulty = true;
    }
  }
}

/** Codes of system calls that failed because this process or machine has nothing left to give. */
const EXHAUSTED: ReadonlySet<string> = new Set(['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM']);

/** The fault is ours: it says nothing about whom we wanted to reach. */
export function isOwnExhaustion(code: string): boolean {
  return EXHAUSTED.has(code);
}

/** Holds descriptors, some of which it may do without. */
export interface DescriptorHolder {
  /** Gives one back now, by `give`. @returns false when it needs all that it has */
  spare(): boolean;
}

/**
 * How many descriptors connections to all upstreams together may take, so that clients, the store
 * and the operations port keep theirs.
 */
export class DescriptorBudget {
  readonly #total: () => number;
  readonly #refused: () => void;
  readonly #holders = new Set<DescriptorHolder>();
  #taken = 0;

  /**
   * @param total asked each time: a reload may have changed it
   * @param refused told each time that there was none left. Must not throw
   */
  constructor(total: () => number, refused: () => void) {
    this.#total = total;
    this.#refused = refused;
  }

  /** Whoever joins is asked to spare one when there is none left. */
  join(holder: DescriptorHolder): void {
    this.#holders.add(holder);
  }

  leave(holder: DescriptorHolder): void {
    this.#holders.delete(holder);
  }

  /** @returns false when there is none left, and none to spare; else `give` follows */
  take(): boolean {
    if (this.#taken >= this.#total() && !this.#spared()) {
      this.#refused();
      return false;
    }
    this.#taken += 1;
    return true;
  }

  get taken(): number {
    return this.#taken;
  }

  #spared(): boolean {
    for (const holder of this.#holders) if (holder.spare()) return true;
    return false;
  }

  give(): void {
    this.#taken -= 1;
  }
}

/** Parts of the connections to an upstream, above 0 and at most 1. */
export interface Shares {
  /** What all public routes together may use at the same time. */
  readonly publicShare: number;
  /** What any one account may use. */
  readonly accountShare: number;
}

/** Account ids are never empty. */
const PUBLIC = '';

/**
 * Keeps anyone from taking all connections to an upstream: strangers have one share together, and
 * every account has one of its own.
 */
export class UpstreamShares {
  #shares: Shares;
  #connections: () => number;
  readonly #taken = new Map<string, number>();

  /**
   * @param connections how many can be used now: fewer while addresses of the upstream fail. Asked
   *   at each exchange beside another one
   */
  constructor(shares: Shares, connections: () => number) {
    this.#shares = shares;
    this.#connections = connections;
  }

  /** No exchange is under way. */
  get isEmpty(): boolean {
    return this.#taken.size === 0;
  }

  /** From now on these count; what is taken stays taken. As for the constructor. */
  change(shares: Shares, connections: () => number): void {
    this.#shares = shares;
    this.#connections = connections;
  }

  /**
   * Every `true` is followed by one `give` for the same.
   *
   * @param account id; null = a public route
   * @returns false when the share is used up
   */
  take(account: string | null): boolean {
    const key = account ?? PUBLIC;
    const taken = this.#taken.get(key) ?? 0;
    if (!this.#holds(taken + 1, account)) return false;
    this.#taken.set(key, taken + 1);
    return true;
  }

  /**
   * Whether what is taken is within the share as it is now. Fewer connections may be usable than
   * when it was taken: an exchange that goes to another address takes one of those.
   */
  isWithin(account: string | null): boolean {
    return this.#holds(this.#taken.get(account ?? PUBLIC) ?? 0, account);
  }

  /** However small the share, one exchange goes. */
  #holds(taken: number, account: string | null): boolean {
    if (taken <= 1) return true;
    const share = account === null ? this.#shares.publicShare : this.#shares.accountShare;
    return taken <= share * this.#connections();
  }

  /** The exchange is over. */
  give(account: string | null): void {
    const key = account ?? PUBLIC;
    const taken = this.#taken.get(key) ?? 0;
    if (taken > 1) this.#taken.set(key, taken - 1);
    else this.#taken.delete(key);
  }
}

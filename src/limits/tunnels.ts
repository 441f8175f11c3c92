/** How many tunnels there are, and how many each account has. One for all calls of a process. */
export class TunnelPlaces {
  readonly #perAccount: () => number;
  readonly #taken = new Map<string, number>();
  #open = 0;

  /** @param perAccount tunnels of one account at most; asked at each one: a reload may change it */
  constructor(perAccount: () => number) {
    this.#perAccount = perAccount;
  }

  /** Those whose upstream has yet to agree included. */
  get open(): number {
    return this.#open;
  }

  /**
   * Every `true` is followed by one `give` for the same.
   *
   * @param account id
   * @returns false when it has as many as it may
   */
  take(account: string): boolean {
    const taken = this.#taken.get(account) ?? 0;
    if (taken >= this.#perAccount()) return false;
    this.#taken.set(account, taken + 1);
    this.#open += 1;
    return true;
  }

  give(account: string): void {
    const taken = this.#taken.get(account) ?? 0;
    if (taken > 1) this.#taken.set(account, taken - 1);
    else this.#taken.delete(account);
    this.#open -= 1;
  }
}

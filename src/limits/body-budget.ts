/**
 * The memory that bodies take which must be here as a whole before anything is decided, of all
 * callers together. One account has a share of it at most, so that a caller who sends such bodies
 * slowly keeps nobody else out.
 */
export class BodyBudget {
  readonly #totalBytes: number;
  readonly #accountShare: () => number;
  readonly #byAccount = new Map<string, number>();
  #takenBytes = 0;

  /** @param accountShare above 0 and at most 1; asked each time: a reload may have changed it */
  constructor(totalBytes: number, accountShare: () => number) {
    this.#totalBytes = totalBytes;
    this.#accountShare = accountShare;
  }

  get takenBytes(): number {
    return this.#takenBytes;
  }

  /**
   * Every `true` is followed by one `give` of as much.
   *
   * @returns false when there is no room, or the account's share is used up
   */
  take(account: string, bytes: number): boolean {
    const own = (this.#byAccount.get(account) ?? 0) + bytes;
    if (this.#takenBytes + bytes > this.#totalBytes) return false;
    if (own > this.#totalBytes * this.#accountShare()) return false;
    this.#takenBytes += bytes;
    this.#byAccount.set(account, own);
    return true;
  }

  give(account: string, bytes: number): void {
    const left = (this.#byAccount.get(account) ?? 0) - bytes;
    this.#takenBytes -= bytes;
    if (left > 0) this.#byAccount.set(account, left);
    else this.#byAccount.delete(account);
  }
}

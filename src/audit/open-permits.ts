/** A permit whose outcome is still to come. */
export interface OpenPermit {
  /** Where it stands in the list, which is the only one to set it; -1 = not there. */
  place: number;
  /** The store knows of it. The list's own. */
  listed: boolean;
  /** Number of its decision. */
  readonly seq: number;
  /** What an outcome says beside how it ended, as JSON (`permitText`). */
  describe(): string;
}

/** What has changed since the store was told last. */
export interface PermitChanges {
  /** The store is to forget what it knew of this instance. */
  readonly anew: boolean;
  readonly opened: readonly { readonly seq: number; readonly text: string }[];
  /** Numbers of the decisions of those that it knew and that have ended. */
  readonly ended: readonly number[];
}

/** Told to the store at a time. With more than that to tell, the next telling goes on from there. */
const TOLD_AT_ONCE = 1000;

/**
 * The permits of this instance without an outcome, so that the store can be told now and then which
 * they are. A call pays for one entry and one removal. What begins and ends between two tellings is
 * never told.
 */
export class OpenPermits {
  readonly #open: OpenPermit[] = [];
  #ended: number[] = [];
  #anew = true;

  get size(): number {
    return this.#open.length;
  }

  add(permit: OpenPermit): void {
    permit.place = this.#open.push(permit) - 1;
  }

  /** The last one takes its place. One that is not there is left alone. */
  remove(permit: OpenPermit): void {
    const { place } = permit;
    if (place === -1) return;
    permit.place = -1;
    if (permit.listed) this.#ended.push(permit.seq);
    const last = this.#open.pop()!;
    if (last === permit) return;
    this.#open[place] = last;
    last.place = place;
  }

  /**
   * Counts as told from now on.
   *
   * @returns the changes, and whether they are all there are
   */
  take(): { readonly changes: PermitChanges; readonly complete: boolean } {
    const anew = this.#anew;
    this.#anew = false;
    const opened: { seq: number; text: string }[] = [];
    let complete = true;
    for (const permit of this.#open) {
      if (permit.listed && !anew) continue;
      complete = opened.length < TOLD_AT_ONCE;
      permit.listed = complete;
      if (complete) opened.push({ seq: permit.seq, text: permit.describe() });
    }
    const ended = anew ? [] : this.#ended;
    this.#ended = [];
    return { changes: { anew, opened, ended }, complete };
  }

  /** What was told last may not have arrived: next time all is told. */
  forgetTold(): void {
    this.#anew = true;
  }
}

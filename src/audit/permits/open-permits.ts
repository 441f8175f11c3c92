import { ended, kindNoted, opened, type PermitNotes } from './notes.ts';

/** A permit whose outcome is still to come. */
export interface OpenPermit {
  /** Where it stands in the list, which is the only one to set it; -1 = not there. */
  place: number;
  /** The request id. */
  readonly id: string;
  readonly traceId: string | null;
  /** The same for two permits only if they describe themselves in the same words. */
  kind(): string;
  /** What an outcome says beside its ids and how it ended (`permitText`). */
  describe(): string;
}

/** Notes are written anew once they are twice as long as what is open, and at least so long. */
const ANEW_AFTER = 256 * 1024;
/** So many are noted. Those that are opened while more are open are not closed by anybody else. */
const NOTED_AT_MOST = 100_000;

/**
 * The permits of this instance without an outcome, and what each batch of events notes of them, so
 * that another instance can close them when this one ends without a word. A call pays for two short
 * lines; what many calls have in common is noted once.
 */
export class OpenPermits {
  readonly #open: OpenPermit[] = [];
  readonly #kinds = new Map<string, number>();
  #notes: PermitNotes = { anew: true, text: '' };
  #anew = true;
  /** Characters noted since the notes were written anew, and how many those were. */
  #since = 0;
  #whole = 0;

  get size(): number {
    return this.#open.length;
  }

  /** After its decision was recorded, before anything else is. */
  add(permit: OpenPermit): void {
    permit.place = this.#open.push(permit) - 1;
    if (permit.place < NOTED_AT_MOST) this.#note(this.#opening(permit));
  }

  /** After its outcome was recorded. One that is not there is left alone. */
  remove(permit: OpenPermit): void {
    const { place } = permit;
    if (place === -1) return;
    permit.place = -1;
    this.#note(ended(permit.id));
    const last = this.#open.pop()!;
    if (last === permit) return;
    this.#open[place] = last;
    last.place = place;
  }

  /**
   * A batch begins: what is noted from now on belongs to it. Notes that are written anew say what is
   * open as of its beginning.
   */
  begin(): PermitNotes {
    const due = this.#anew || this.#since >= Math.max(ANEW_AFTER, 2 * this.#whole);
    this.#notes = { anew: due, text: '' };
    if (!due) return this.#notes;
    this.#anew = false;
    this.#kinds.clear();
    for (const permit of this.#open.slice(0, NOTED_AT_MOST))
      this.#notes.text += this.#opening(permit);
    this.#whole = this.#notes.text.length;
    this.#since = 0;
    return this.#notes;
  }

  /** The store may have lost what was noted: the next batch notes all of it. */
  noteAnew(): void {
    this.#anew = true;
  }

  #note(text: string): void {
    this.#notes.text += text;
    this.#since += text.length;
  }

  #opening(permit: OpenPermit): string {
    const kind = permit.kind();
    const known = this.#kinds.get(kind);
    if (known !== undefined) return opened(permit.id, known, permit.traceId);
    const number = this.#kinds.size;
    this.#kinds.set(kind, number);
    return kindNoted(number, permit.describe()) + opened(permit.id, number, permit.traceId);
  }
}

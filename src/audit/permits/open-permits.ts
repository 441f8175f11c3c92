import type { AccountFacts, RouteFacts } from '../event/call-facts.ts';
import { accountJson, routeJson } from '../event/call-json.ts';
import { ended, opened, type PermitNotes, partNoted } from './notes.ts';

/** A permit whose outcome is still to come. */
export interface OpenPermit {
  /** Where it stands in the list, which is the only one to set it; -1 = not there. */
  place: number;
  /** The batch in which it was given; the list's own likewise. */
  batch: number;
  /** The request id. */
  readonly id: string;
  readonly traceId: string | null;
  /** Whom it is for and where it leads. Objects that many permits share are described once. */
  readonly caller: AccountFacts | null;
  readonly route: RouteFacts | null;
  readonly application: string | null;
  /** All that its outcome has to say, where these three do not say it (`permitText`); else null. */
  describe(): string | null;
}

/** Notes are written anew once they are twice as long as what is open, and at least so long. */
const ANEW_AFTER = 256 * 1024;
/** So many are noted. Those that are opened while more are open are not closed by anybody else. */
const NOTED_AT_MOST = 100_000;

/**
 * The permits of this instance without an outcome, and what each batch of events notes of them, so
 * that another instance can close them when this one ends without a word.
 *
 * What is noted holds as of the end of a batch, so it is put together when nothing is added to it
 * any more: a permit that was given and has ended in one batch costs no word. What many calls have
 * in common is noted once.
 */
export class OpenPermits {
  readonly #open: OpenPermit[] = [];
  /**
   * Given since the last batch, the ended ones among them, and the ids of others that have ended.
   */
  #given: OpenPermit[] = [];
  #ended: string[] = [];
  #batch = 0;
  /** What permits have in common, by the object that they share. */
  readonly #parts = new Map<object, number>();
  #partsNoted = 0;
  /** Of the batch that is being sealed. */
  #text = '';
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
    permit.batch = this.#batch;
    this.#given.push(permit);
  }

  /** After its outcome was recorded. One that is not there is left alone. */
  remove(permit: OpenPermit): void {
    const { place } = permit;
    if (place === -1) return;
    permit.place = -1;
    if (permit.batch !== this.#batch) this.#ended.push(permit.id);
    const last = this.#open.pop()!;
    if (last === permit) return;
    this.#open[place] = last;
    last.place = place;
  }

  /** A batch has ended: what it notes. What happens from now on belongs to the next one. */
  seal(): PermitNotes {
    const anew = this.#anew || this.#since >= Math.max(ANEW_AFTER, 2 * this.#whole);
    this.#text = '';
    if (anew) this.#noteAll();
    else this.#noteNews();
    const text = this.#text;
    this.#anew = false;
    this.#since = anew ? 0 : this.#since + text.length;
    if (anew) this.#whole = text.length;
    this.#given = [];
    this.#ended = [];
    this.#batch += 1;
    return { anew, text };
  }

  /** The store may have lost what was noted: the next batch notes all of it. */
  noteAnew(): void {
    this.#anew = true;
  }

  #noteAll(): void {
    this.#parts.clear();
    this.#partsNoted = 0;
    for (const permit of this.#open.slice(0, NOTED_AT_MOST)) this.#note(permit);
  }

  #noteNews(): void {
    for (const permit of this.#given)
      if (permit.place !== -1 && permit.place < NOTED_AT_MOST) this.#note(permit);
    this.#text += ended(this.#ended);
  }

  #note(permit: OpenPermit): void {
    const { id, traceId, caller, route, application } = permit;
    const own = permit.describe();
    // Parts are noted in front of the first permit that has them.
    if (own !== null) {
      const part = this.#notePart(own);
      this.#text += opened(id, `${part}`, traceId, null);
      return;
    }
    const who = caller === null ? '' : `${this.#partOf(caller, callerPart)}`;
    const where = route === null ? '' : `${this.#partOf(route, routePart)}`;
    const parts = who === '' || where === '' ? who + where : `${who},${where}`;
    this.#text += opened(id, parts, traceId, application);
  }

  #partOf<Shared extends object>(shared: Shared, describe: (shared: Shared) => string): number {
    const known = this.#parts.get(shared);
    if (known !== undefined) return known;
    const number = this.#notePart(describe(shared));
    this.#parts.set(shared, number);
    return number;
  }

  #notePart(json: string): number {
    const number = this.#partsNoted;
    this.#partsNoted += 1;
    this.#text += partNoted(number, json);
    return number;
  }
}

function callerPart(caller: AccountFacts): string {
  return `{${accountJson(caller)}}`;
}

function routePart(route: RouteFacts): string {
  return `{${routeJson(route, null).slice(1)}}`;
}

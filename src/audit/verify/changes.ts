import { timeOf } from '../event/read.ts';
import type { Finding, FindingKind } from './finding.ts';
import { MissingNumbers } from './missing.ts';

/** Which event of the history of changes one is: number of the change, and which of its events. */
export interface NumberedChange {
  readonly number: number;
  readonly part: number;
  readonly of: number;
}

/** What the history of administrative changes proves of itself. */
export interface ChangesSummary {
  readonly events: number;
  /** The oldest number that is there; null: none is. */
  readonly first: number | null;
  /** Of the last change that the registry has made. */
  readonly newest: number;
  /** Events that an earlier version recorded, without a number. */
  readonly unnumbered: number;
}

/**
 * Looks at the numbers of administrative changes, newest first. They are no chain: a number that is
 * not there is found, a text that was changed is not, and the oldest may have been taken away by
 * retention.
 */
export class ChangesCheck {
  readonly #found: (finding: Finding) => void;
  readonly #newest: number;
  readonly #missing = new MissingNumbers();
  /** The oldest one so far. */
  #last: NumberedChange | null = null;
  #events = 0;
  #unnumbered = 0;
  #unnumberedSince = 0;

  /** @param newest the number of the last change, as of the first page */
  constructor(newest: number, found: (finding: Finding) => void) {
    this.#newest = newest;
    this.#found = found;
  }

  add(event: string, place: NumberedChange | null): void {
    this.#events += 1;
    if (place === null) {
      this.#unnumbered += 1;
      this.#unnumberedSince += 1;
    } else if (this.#last !== null && !isOlder(place, this.#last)) this.#outOfPlace(event, place);
    else this.#older(event, place);
  }

  end(): ChangesSummary {
    for (const { first, last, time } of this.#missing.all()) {
      const kind = last === this.#newest ? 'truncated' : 'missing';
      const after = time === null ? '' : `, after ${time}`;
      const are = first === last ? `change ${first} is` : `changes ${first} to ${last} are`;
      this.#say(kind, first, last, time, `${are} missing in the history of the registry${after}`);
    }
    const first = this.#last?.number ?? null;
    return { events: this.#events, first, newest: this.#newest, unnumbered: this.#unnumbered };
  }

  #older(event: string, place: NumberedChange): void {
    const { number, part, of } = place;
    const last = this.#last;
    const isWithin = last !== null && last.part > 1;
    const due = last === null ? this.#newest : isWithin ? last.number : last.number - 1;
    const isDue = number === due && part === (isWithin ? last.part - 1 : of);
    const first = part === of ? Math.min(number + 1, due) : number;
    // A version that does not number them may have made the changes in between.
    if (!isDue && this.#unnumberedSince < due - first + 1)
      this.#missing.add({ first, last: due, time: timeIn(event) });
    this.#last = place;
    this.#unnumberedSince = 0;
  }

  #outOfPlace(event: string, { number }: NumberedChange): void {
    const isMoved = this.#missing.take(number, number).length > 0;
    const how = isMoved ? 'does not stand in its place' : 'stands there a second time';
    const what = `change ${number} ${how} in the history of the registry`;
    this.#say(isMoved ? 'reordered' : 'duplicated', number, number, timeIn(event), what);
  }

  #say(kind: FindingKind, first: number, last: number, time: string | null, message: string) {
    this.#found({ kind, instance: null, firstSeq: first, lastSeq: last, time, message });
  }
}

function isOlder(one: NumberedChange, other: NumberedChange): boolean {
  return one.number < other.number || (one.number === other.number && one.part < other.part);
}

function timeIn(event: string): string | null {
  const time = timeOf(event);
  return time === '' ? null : time;
}

import { BUCKETS, type UsageCounts, type UsageRow, type UsageTable } from './table.ts';

/** Of a watched one: refused, bytes in both directions, and the buckets of its durations. */
const BESIDE = 3;
const CELLS = BESIDE + BUCKETS;

/**
 * The busiest of one stretch of time by space-saving (Metwally, Agrawal, El Abbadi, 2005): so many
 * are watched, and whoever is new takes the place, and the count, of one that had the fewest.
 * Memory and the time of a call are bounded however many come: a place is looked for among those
 * that are watched.
 *
 * Of N calls and K places: whoever made more than N/K of them is watched at the end, and what
 * anybody was taken over with, which is what its own figures may lack, is N/K at most.
 */
export class UsageSketch {
  readonly #size: number;
  readonly #copies: boolean;
  readonly #places = new Map<string, number>();
  readonly #ids: string[] = [];
  readonly #names: string[] = [];
  /** By which the fewest are found: calls, and what was taken over. */
  readonly #counts: Float64Array;
  readonly #taken: Float64Array;
  readonly #cells: Float64Array;
  /** Of those that had to give way. */
  readonly #gone = new Float64Array(CELLS);
  #goneCalls = 0;
  /** No count is lower, once all places are taken. */
  #least = 1;
  /** Where the search for the fewest goes on. */
  #at = 0;
  /** Calls in all. */
  calls = 0;

  /** @param copies names are cut out of what came with a call */
  constructor(size: number, copies = false) {
    this.#size = size;
    this.#copies = copies;
    this.#counts = new Float64Array(size);
    this.#taken = new Float64Array(size);
    this.#cells = new Float64Array(size * CELLS);
  }

  /** @param bucket which of the durations' buckets */
  count(
    id: string,
    name: string,
    refused: boolean,
    requestBytes: number,
    responseBytes: number,
    bucket: number,
  ): void {
    this.calls += 1;
    const place = this.#places.get(id) ?? this.#newPlace(id, name);
    const cells = this.#cells;
    const first = place * CELLS;
    this.#counts[place] = (this.#counts[place] as number) + 1;
    if (refused) cells[first] = (cells[first] as number) + 1;
    cells[first + 1] = (cells[first + 1] as number) + requestBytes;
    cells[first + 2] = (cells[first + 2] as number) + responseBytes;
    const cell = first + BESIDE + bucket;
    cells[cell] = (cells[cell] as number) + 1;
  }

  /** What was counted so far, in no order. */
  table(): UsageTable {
    const isFull = this.#ids.length === this.#size;
    return {
      rows: this.#ids.map((_, place) => this.#row(place)),
      other: countsOf(this.#gone, 0, this.#goneCalls),
      least: isFull ? Math.min(...this.#counts) : 0,
    };
  }

  #newPlace(id: string, name: string): number {
    const place = this.#ids.length < this.#size ? this.#ids.length : this.#vacated();
    const own = this.#copies ? ownText(id) : id;
    this.#ids[place] = own;
    this.#names[place] = name === id ? own : name;
    this.#places.set(own, place);
    return place;
  }

  #vacated(): number {
    const place = this.#fewest();
    const cells = this.#cells;
    const gone = this.#gone;
    const first = place * CELLS;
    for (let cell = 0; cell < CELLS; cell += 1) {
      gone[cell] = (gone[cell] as number) + (cells[first + cell] as number);
      cells[first + cell] = 0;
    }
    const count = this.#counts[place] as number;
    this.#goneCalls += count - (this.#taken[place] as number);
    this.#taken[place] = count;
    this.#places.delete(this.#ids[place] as string);
    return place;
  }

  /** Counts only grow: one as low as the lowest was lies ahead, or all of them are higher now. */
  #fewest(): number {
    const counts = this.#counts;
    let fewest = this.#at;
    for (let tries = 0; tries < this.#size; tries += 1) {
      const place = this.#at;
      this.#at = place + 1 === this.#size ? 0 : place + 1;
      const count = counts[place] as number;
      if (count <= this.#least) return place;
      if (count < (counts[fewest] as number)) fewest = place;
    }
    this.#least = counts[fewest] as number;
    return fewest;
  }

  #row(place: number): UsageRow {
    const missed = this.#taken[place] as number;
    return {
      id: this.#ids[place] as string,
      name: this.#names[place] as string,
      missed,
      ...countsOf(this.#cells, place * CELLS, (this.#counts[place] as number) - missed),
    };
  }
}

function countsOf(cells: Float64Array, first: number, calls: number): UsageCounts {
  return {
    calls,
    refused: cells[first] as number,
    requestBytes: cells[first + 1] as number,
    responseBytes: cells[first + 2] as number,
    durations: [...cells.subarray(first + BESIDE, first + CELLS)],
  };
}

/** What was cut out of a longer text keeps that alive: this one keeps a letter more than itself. */
function ownText(text: string): string {
  return ` ${text}`.slice(1);
}

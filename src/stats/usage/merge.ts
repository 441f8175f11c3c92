import { type UsageRow, UsageSum, type UsageTable } from './table.ts';

class Row extends UsageSum {
  name: string;
  missed: number;
  /** The last table that it was in, by number. */
  table = 0;

  constructor(name: string, missed: number) {
    super();
    this.name = name;
    this.missed = missed;
  }
}

/**
 * Tables added up. Who is in one of them and not in another may have had some calls there all the
 * same, so what the other says of those that it does not name goes into `missed`.
 *
 * Of more than `kept` the busiest stay; the rest becomes a part of `other`. Twice as many are held
 * meanwhile.
 */
export class UsageMerger {
  readonly #kept: number;
  readonly #rows = new Map<string, Row>();
  #other = new UsageSum();
  #tables = 0;
  /** Of whoever is in none of the tables so far, or was dropped. */
  #least = 0;

  constructor(kept: number) {
    this.#kept = kept;
  }

  add({ rows, other, least }: UsageTable): void {
    this.#tables += 1;
    for (const given of rows) {
      const { id } = given;
      let row = this.#rows.get(id);
      if (row === undefined) {
        row = new Row(given.name, this.#least);
        this.#rows.set(id, row);
      }
      row.add(given);
      row.name = given.name;
      row.missed += given.missed;
      row.table = this.#tables;
    }
    if (least > 0)
      for (const row of this.#rows.values()) if (row.table !== this.#tables) row.missed += least;
    this.#least += least;
    this.#other.add(other);
    if (this.#rows.size > 2 * this.#kept) this.#drop();
  }

  table(): UsageTable {
    this.#drop();
    const rows = [...this.#rows].map(([id, row]) => rowOf(id, row));
    return { rows, other: this.#other, least: this.#least };
  }

  #drop(): void {
    const dropped = [...this.#rows]
      .sort(([, one], [, other]) => other.calls - one.calls)
      .slice(this.#kept);
    for (const [id, row] of dropped) {
      this.#rows.delete(id);
      this.#other.add(row);
      this.#least = Math.max(this.#least, row.calls + row.missed);
    }
  }
}

function rowOf(id: string, row: Row): UsageRow {
  const { name, missed, calls, refused, requestBytes, responseBytes, durations } = row;
  return { id, name, missed, calls, refused, requestBytes, responseBytes, durations };
}

export function merged(tables: Iterable<UsageTable>, kept: number): UsageTable {
  const merger = new UsageMerger(kept);
  for (const table of tables) merger.add(table);
  return merger.table();
}

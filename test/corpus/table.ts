/** Counts per line, printed once at the end: one line per source, never one percentage for all. */
export class Table {
  readonly #columns: readonly string[];
  readonly #lines = new Map<string, number[]>();
  readonly #keys: number;

  /** @param keys what a line is about; @param counts what is counted of it */
  constructor(keys: readonly string[], counts: readonly string[]) {
    this.#columns = [...keys, ...counts];
    this.#keys = keys.length;
  }

  /**
   * Adds one row to the line of these keys. Per count: true or false where it applies, null where
   * it does not.
   */
  add(keys: readonly string[], counts: readonly (boolean | null)[]): void {
    const key = keys.join('\t');
    const line = this.#lines.get(key) ?? Array.from({ length: counts.length * 2 }, () => 0);
    counts.forEach((count, index) => {
      if (count === null) return;
      line[index * 2]! += count ? 1 : 0;
      line[index * 2 + 1]! += 1;
    });
    this.#lines.set(key, line);
  }

  print(title: string): void {
    if (this.#lines.size === 0) return;
    const rows = [...this.#lines].map(([key, line]) => [
      ...key.split('\t'),
      ...this.#columns
        .slice(this.#keys)
        .map((_, index) => `${line[index * 2]}/${line[index * 2 + 1]}`),
    ]);
    const all = [this.#columns, ...rows];
    const widths = this.#columns.map((_, column) =>
      Math.max(...all.map((row) => row[column]!.length)),
    );
    const text = all.map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trimEnd(),
    );
    console.log(`\n${title}\n${text.join('\n')}\n`);
  }
}

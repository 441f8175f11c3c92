import type { Command } from 'commander';
import type { CsvList } from '../admin/csv-list.ts';
import { watched, withWatch } from './looking.ts';
import { type CommonOptions, limited, withLimit, withNames, withTable } from './options.ts';
import { type Purpose, type Reached, withReach } from './reach.ts';
import { note, sayCsv, sayJson, sayWide, table } from './terminal.ts';

/** What people are shown of a list that is told whole, in each form. */
export interface List<Key extends string, Item> {
  /** Where the items are in what is told as JSON. */
  readonly key: Key;
  /** All columns: of `csv` and `wide`. */
  readonly columns: CsvList<Item>;
  /** By what an item is named elsewhere on the command line. */
  readonly name: (item: Item) => string;
  readonly headings: readonly string[];
  readonly row: (item: Item) => readonly string[];
  /** Said where there is nothing. */
  readonly none: string;
}

type Told<Key extends string, Item> = Readonly<Record<Key, readonly Item[]>>;

/** The forms of a list. */
export function withForms<Key extends string, Item>(
  command: Command,
  { key, name }: List<Key, Item>,
): Command {
  return withNames(withTable(command), (told: Told<Key, Item>) => told[key].map(name));
}

/** A command that lists what is asked for, once or over and over. */
export function asList<Key extends string, Item>(
  command: Command,
  list: List<Key, Item>,
  ask: (reached: Reached) => Promise<Told<Key, Item>>,
  purpose: Purpose = false,
): Command {
  return withWatch(withLimit(withForms(command, list))).action(
    watched((options: CommonOptions) =>
      withReach(options, purpose, async (reached) => sayList(options, list, await ask(reached))),
    ),
  );
}

export function sayList<Key extends string, Item>(
  options: CommonOptions,
  { key, columns, headings, row, none }: List<Key, Item>,
  told: Told<Key, Item>,
): void {
  const items = limited(told[key], options.limit);
  if (options.csv === true) sayCsv(columns, items);
  else if (options.json === true) sayJson({ ...told, [key]: items });
  else if (items.length === 0) note(none);
  else if (options.output?.kind === 'wide') sayWide(columns, items);
  else table(headings, items.map(row));
}

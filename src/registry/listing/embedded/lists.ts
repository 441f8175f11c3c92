import type { RegistryFile } from '../../embedded/file.ts';
import { BLOCK } from '../data.ts';
import {
  LISTING_VERSION,
  type ListingEntry,
  type ListingRow,
  placesOf,
  TIMES,
  type Time,
} from '../entry.ts';
import { KeptTexts } from './texts.ts';

/** Accounts in one block of texts. */
const TEXT_BLOCK = 1024;

const TIME_BYTES = 6;

export interface ListState {
  /** Where the lists stand; -1: there are none in a form that we know. */
  readonly seq: number;
  /** Until which account they have been made; null: they are whole. */
  readonly from: string | null;
  readonly numbers: number;
  readonly made: number;
}

/**
 * The lists of accounts in SQLite, as scripts/listing.lua keeps them in Redis. Everything here is
 * called inside a transaction, and what changes accounts inside `together`.
 */
export class EmbeddedLists {
  readonly #file: RegistryFile;
  /** To be searched. */
  readonly texts: KeptTexts;
  /** Blocks that the present transaction has read, and which of them it has changed. */
  readonly #blocks = new Map<string, Buffer>();
  readonly #changed = new Set<string>();
  /** Texts that it has changed. */
  readonly #newTexts = new Map<string, string>();
  /** By how many accounts it has made each list longer or shorter. */
  readonly #grown = new Map<string, number>();
  /** The number of the next account that is new and gets no free one; null: not looked yet. */
  #next: number | null = null;

  constructor(file: RegistryFile) {
    this.#file = file;
    this.texts = new KeptTexts(file);
  }

  state(): ListState {
    const row = this.#file.get('SELECT version, seq, made_from, numbers, made FROM list_state');
    return {
      seq: row?.version === LISTING_VERSION ? Number(row.seq) : -1,
      from: row?.made_from == null ? null : String(row.made_from),
      numbers: Number(row?.numbers ?? 0),
      made: Number(row?.made ?? 0),
    };
  }

  begin(seq: number): void {
    this.texts.clear();
    for (const table of TABLES) this.#file.run(`DELETE FROM ${table}`);
    this.#file.run("INSERT INTO list_state VALUES (1, ?, ?, '', 0, 0)", LISTING_VERSION, seq);
  }

  /** `from` null: that was all. */
  goOn(from: string | null, made: number): void {
    this.#file.run('UPDATE list_state SET made_from = ?, made = made + ?', from, made);
  }

  moveTo(seq: number): void {
    this.#file.run('UPDATE list_state SET seq = ?', seq);
  }

  /** What is changed in `work` is written at its end. Called inside a transaction, once. */
  together(work: () => void): void {
    try {
      work();
      this.#write();
    } finally {
      this.#blocks.clear();
      this.#newTexts.clear();
      this.#changed.clear();
      this.#grown.clear();
      this.#next = null;
    }
  }

  /** `entry` null takes the account out of the lists. `used`: the last use of its live token. */
  list(id: string, entry: ListingEntry | null, used = 0): void {
    const known = this.#file.get('SELECT number, row FROM list_row WHERE id = ?', id);
    if (known === undefined && entry === null) return;
    const number = known === undefined ? this.#newNumber() : Number(known.number);
    const old = known === undefined ? null : (JSON.parse(String(known.row)) as ListingRow);
    const row = entry === null ? null : (JSON.parse(entry.row) as ListingRow);
    this.#place(number, old, row);
    for (const [index, time] of TIMES.entries())
      if (time !== 'used') this.#setTime(time, number, entry?.times[index] ?? 0);
    const same = old !== null && row !== null && old[2] === row[2];
    this.#setTime('used', number, same ? Math.max(used, this.#time('used', number)) : used);
    this.#setText('n', number, row?.[1].split(' ')[0] ?? '');
    this.#setText('d', number, entry?.description ?? '');
    if (entry === null) {
      this.#file.run('DELETE FROM list_row WHERE number = ?', number);
      this.#file.run('INSERT INTO list_free VALUES (?)', number);
    } else
      this.#file.run('INSERT OR REPLACE INTO list_row VALUES (?, ?, ?)', number, id, entry.row);
  }

  /** Notes that a token was let in, if it is the live one of an account that is listed. */
  use(id: string, token: string, timeMs: number): void {
    const known = this.#file.get('SELECT number, row FROM list_row WHERE id = ?', id);
    if (known === undefined) return;
    const [, , live] = JSON.parse(String(known.row)) as ListingRow;
    const number = Number(known.number);
    if (live === token && timeMs > this.#time('used', number))
      this.#setTime('used', number, timeMs);
  }

  /** One that was given back, while there are any, or the next. */
  #newNumber(): number {
    const sql = 'SELECT number FROM list_free LIMIT 1';
    const free = this.#next === null ? this.#file.get(sql)?.number : undefined;
    if (free !== undefined) {
      this.#file.run('DELETE FROM list_free WHERE number = ?', free);
      return Number(free);
    }
    const number = this.#next ?? this.state().numbers;
    this.#next = number + 1;
    return number;
  }

  #place(number: number, old: ListingRow | null, row: ListingRow | null): void {
    const [was, is] = [placesOf(old), placesOf(row)];
    for (const [list, key] of was.lists) {
      if (is.lists.get(list) === key) continue;
      this.#file.run('DELETE FROM list_name WHERE list = ? AND key = ?', list, key);
      this.#grown.set(list, (this.#grown.get(list) ?? 0) - 1);
    }
    for (const [list, key] of is.lists) {
      if (was.lists.get(list) === key) continue;
      this.#file.run('INSERT INTO list_name VALUES (?, ?, ?)', list, key, number);
      this.#grown.set(list, (this.#grown.get(list) ?? 0) + 1);
    }
    for (const mark of was.marks) if (!is.marks.has(mark)) this.#setMark(mark, number, false);
    for (const mark of is.marks) if (!was.marks.has(mark)) this.#setMark(mark, number, true);
  }

  #setMark(mark: string, number: number, on: boolean): void {
    const bits = this.#block(blockName(mark, number), BLOCK / 8);
    const slot = number % BLOCK;
    const byte = bits[slot >> 3] ?? 0;
    bits[slot >> 3] = on ? byte | (1 << (slot & 7)) : byte & ~(1 << (slot & 7));
    this.#changed.add(blockName(mark, number));
  }

  #time(time: Time, number: number): number {
    const times = this.#block(blockName(time, number), BLOCK * TIME_BYTES);
    return times.readUIntBE((number % BLOCK) * TIME_BYTES, TIME_BYTES);
  }

  #setTime(time: Time, number: number, value: number): void {
    if (this.#time(time, number) === value) return;
    const times = this.#block(blockName(time, number), BLOCK * TIME_BYTES);
    times.writeUIntBE(value, (number % BLOCK) * TIME_BYTES, TIME_BYTES);
    this.#changed.add(blockName(time, number));
  }

  #block(name: string, size: number): Buffer {
    let block = this.#blocks.get(name);
    if (block === undefined) {
      const bytes = this.#file.get('SELECT bytes FROM list_block WHERE name = ?', name)?.bytes;
      block = bytes instanceof Uint8Array ? Buffer.from(bytes) : Buffer.alloc(size);
      this.#blocks.set(name, block);
    }
    return block;
  }

  #setText(kind: 'n' | 'd', number: number, text: string): void {
    const name = `${kind}:${Math.floor(number / TEXT_BLOCK)}`;
    const lines = this.#linesOf(name);
    const line = `\n${textPlace(number)}`;
    const from = lines.indexOf(line);
    if (from === -1 && text === '') return;
    const to = from === -1 ? -1 : lines.indexOf('\n', from + 1);
    const rest = from === -1 ? lines : lines.slice(0, from) + (to === -1 ? '' : lines.slice(to));
    const now = text === '' ? rest : rest + line + text;
    if (now === lines) return;
    this.#newTexts.set(name, now);
  }

  #linesOf(name: string): string {
    const known = this.#newTexts.get(name);
    if (known !== undefined) return known;
    const row = this.#file.get('SELECT lines FROM list_text WHERE name = ?', name);
    return String(row?.lines ?? '');
  }

  #write(): void {
    if (this.#next !== null) this.#file.run('UPDATE list_state SET numbers = ?', this.#next);
    const grow =
      'INSERT INTO list_count VALUES (?, ?) ON CONFLICT DO UPDATE SET count = count + excluded.count';
    for (const [list, by] of this.#grown) if (by !== 0) this.#file.run(grow, list, by);
    for (const name of this.#changed)
      this.#file.run(
        'INSERT OR REPLACE INTO list_block VALUES (?, ?)',
        name,
        this.#blocks.get(name) ?? null,
      );
    for (const [name, lines] of this.#newTexts) {
      this.texts.forget(name);
      if (lines === '') this.#file.run('DELETE FROM list_text WHERE name = ?', name);
      else this.#file.run('INSERT OR REPLACE INTO list_text VALUES (?, ?)', name, lines);
    }
  }
}

const TABLES = [
  'list_state',
  'list_row',
  'list_free',
  'list_name',
  'list_count',
  'list_block',
  'list_text',
] as const;

function blockName(what: string, number: number): string {
  return `${what}:${Math.floor(number / BLOCK)}`;
}

/** In control characters, which no text holds and nobody searches for. */
function textPlace(number: number): string {
  const slot = number % TEXT_BLOCK;
  return String.fromCharCode(16 + (slot >> 8), 16 + ((slot >> 4) & 15), 16 + (slot & 15));
}

/** Letters at the beginning of a line. */
export const TEXT_PLACE = 3;

import type { Account, TokenUse } from '../../../account/model.ts';
import { tokenId } from '../../../account/token.ts';
import { turn } from '../../../turns.ts';
import { decodeAccount } from '../../codec.ts';
import type { RegistryFile } from '../../embedded/file.ts';
import { RegistryUnavailable } from '../../port.ts';
import {
  BLOCK,
  type Blocks,
  type ListingData,
  type Place,
  type Search,
  type SearchedBlocks,
  type Walk,
} from '../data.ts';
import { damagedEntry, entryOf, type Time } from '../entry.ts';
import type { EmbeddedLists } from './lists.ts';
import { TextSearch } from './search.ts';

/** Accounts that are taken into the lists in one transaction: a few milliseconds. */
const SLICE = 100;
/** Blocks of marks and times that are read in one turn of the loop. */
const BLOCKS_AT_ONCE = 8;
const BLOCK_SQL = 'SELECT bytes FROM list_block WHERE name = ?';
/** How long somebody who wants a list waits while it is being made. */
const WAIT_MS = 5_000;
/** Greater than whatever follows a list's name. */
const PAST_ALL = '\uffff';

/** What the lists ask of the registry itself. */
interface Records {
  /** The account as it counts; null: it is known to be deleted. */
  against(account: Account): Account | null;
  uses(account: string): Promise<readonly TokenUse[]>;
}

/**
 * Lists as `EmbeddedLists` keeps them. SQLite answers at once, so each slice gives way to others.
 */
export class EmbeddedListing implements ListingData {
  readonly #file: RegistryFile;
  readonly #lists: EmbeddedLists;
  readonly #records: Records;

  constructor(file: RegistryFile, lists: EmbeddedLists, records: Records) {
    this.#file = file;
    this.#lists = lists;
    this.#records = records;
  }

  async current(): Promise<{ readonly numbers: number; readonly revision: string }> {
    const endMs = performance.now() + WAIT_MS;
    for (;;) {
      const { seq } = this.#file.read(() => this.#file.position());
      const state = this.#file.read(() => this.#lists.state());
      if (state.seq === seq && state.from === null)
        return { numbers: state.numbers, revision: String(seq) };
      if (performance.now() > endMs)
        throw new RegistryUnavailable(
          'refused',
          `the lists of accounts are being made (${state.made} so far); try again in a moment`,
        );
      this.#goOn();
      await turn();
    }
  }

  /** In the background: makes them where they are not whole. */
  async tend(goesOn: () => boolean): Promise<void> {
    while (goesOn() && this.#goOn()) await turn();
  }

  /** One slice. False: there was nothing to do. */
  #goOn(): boolean {
    return this.#file.write(() => {
      const { seq } = this.#file.position();
      const state = this.#lists.state();
      if (state.seq === seq && state.from === null) return false;
      if (state.seq === seq) this.#build(state.from ?? '');
      else this.#lists.begin(seq);
      return true;
    });
  }

  #build(from: string): void {
    const rows = this.#file.accountsAfter(from, SLICE);
    this.#lists.together(() => {
      for (const [id, text] of rows) this.#take(id, text);
    });
    const last = rows.length < SLICE ? null : (rows.at(-1)?.[0] ?? null);
    this.#lists.goOn(last, rows.length);
  }

  #take(id: string, text: string): void {
    const account = readable(id, text);
    if (account === null) {
      this.#lists.list(id, damagedEntry(id));
      return;
    }
    const token = account.token === null ? '' : tokenId(account.token.digest);
    const sql = 'SELECT time_ms FROM last_use WHERE account = ? AND token = ?';
    const used = Number(this.#file.get(sql, id, token)?.time_ms ?? 0);
    this.#lists.list(id, entryOf(account), used);
  }

  async count(list: string): Promise<number> {
    return this.#file.read(() =>
      Number(this.#file.get('SELECT count FROM list_count WHERE list = ?', list)?.count ?? 0),
    );
  }

  async walk(list: string, { from, descending, limit }: Walk): Promise<readonly Place[]> {
    await turn();
    const rows = this.#file.read(() =>
      descending
        ? this.#file.all(
            'SELECT key, number FROM list_name WHERE list = ? AND key < ? ORDER BY key DESC LIMIT ?',
            list,
            from ?? PAST_ALL,
            limit,
          )
        : this.#file.all(
            'SELECT key, number FROM list_name WHERE list = ? AND key > ? ORDER BY key LIMIT ?',
            list,
            from ?? '',
            limit,
          ),
    );
    return rows.map(({ key, number }) => ({ key: String(key), number: Number(number) }));
  }

  async blocks(
    first: number,
    last: number,
    marks: readonly string[],
    times: readonly Time[],
  ): Promise<Blocks> {
    const names = [...marks, ...times];
    const rows: (Uint8Array | null)[][] = names.map(() => []);
    for (let block = first; block <= last; block += 1) {
      if ((block - first) % BLOCKS_AT_ONCE === 0) await turn();
      this.#file.read(() => {
        for (const [index, name] of names.entries()) {
          const bytes = this.#file.get(BLOCK_SQL, `${name}:${block}`)?.bytes;
          rows[index]?.push(bytes instanceof Uint8Array ? bytes : null);
        }
      });
    }
    return { marks: rows.slice(0, marks.length), times: rows.slice(marks.length) };
  }

  async search({ first, last, needle, isPrefix }: Search): Promise<SearchedBlocks> {
    await turn();
    const search = new TextSearch(needle, isPrefix);
    return this.#file.read(() =>
      Array.from({ length: last - first + 1 }, (_, n) => this.#searchBlock(first + n, search)),
    );
  }

  #searchBlock(block: number, search: TextSearch): Uint8Array {
    const bits = new Uint8Array(BLOCK / 8);
    search.mark(this.#lists.texts.get(`n:${block}`), bits);
    if (!search.isPrefix) search.mark(this.#lists.texts.get(`d:${block}`), bits);
    return bits;
  }

  async numberOf(id: string): Promise<number | null> {
    const row = this.#file.read(() =>
      this.#file.get('SELECT number FROM list_row WHERE id = ?', id),
    );
    return row === undefined ? null : Number(row.number);
  }

  async rows(numbers: readonly number[]): Promise<readonly (string | null)[]> {
    await turn();
    return this.#file.read(() =>
      numbers.map((number) => {
        const row = this.#file.get('SELECT row FROM list_row WHERE number = ?', number)?.row;
        return row === undefined ? null : String(row);
      }),
    );
  }

  async accounts(ids: readonly string[]): Promise<readonly (Account | 'damaged' | null)[]> {
    return this.#file.read(() =>
      ids.map((id) => {
        const text = this.#file.record('account', id);
        if (text === null) return null;
        const account = readable(id, text);
        return account === null ? 'damaged' : this.#records.against(account);
      }),
    );
  }

  uses(account: string): Promise<readonly TokenUse[]> {
    return this.#records.uses(account);
  }
}

function readable(id: string, text: string): Account | null {
  try {
    return decodeAccount(id, text);
  } catch (fault) {
    if (!(fault instanceof RegistryUnavailable)) throw fault;
    return null;
  }
}

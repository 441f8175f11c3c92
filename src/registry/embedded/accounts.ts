import type { Account, TokenUse } from '../../account/model.ts';
import { turn } from '../../turns.ts';
import { decodeAccount, decodePage } from '../codec.ts';
import { EmbeddedListing } from '../listing/embedded/data.ts';
import type { EmbeddedLists } from '../listing/embedded/lists.ts';
import { listAccounts } from '../listing/list.ts';
import type { ListPage, ListQuery } from '../listing/query.ts';
import type { AccountPage, AccountsQuery } from '../port.ts';
import type { Position } from '../position.ts';
import type { RegistryFile } from './file.ts';
import type { EmbeddedTombstones } from './tombstones.ts';

/** Counts read in one turn of the loop. */
const COUNTS_AT_ONCE = 200;

/** What administration asks of accounts: by name, many at once, listed, and who uses what. */
export class EmbeddedAccounts {
  readonly #file: RegistryFile;
  readonly #tombstones: EmbeddedTombstones;
  readonly #lists: EmbeddedLists;
  readonly #listing: EmbeddedListing;

  constructor(file: RegistryFile, tombstones: EmbeddedTombstones, lists: EmbeddedLists) {
    this.#file = file;
    this.#tombstones = tombstones;
    this.#lists = lists;
    this.#listing = new EmbeddedListing(file, lists, {
      against: (account) => tombstones.against(account),
      uses: (account) => this.uses(account),
    });
  }

  async account(id: string): Promise<Position & { readonly account: Account | null }> {
    return this.#file.read(() => {
      const text = this.#file.record('account', id);
      const account = text === null ? null : this.#read(id, text);
      return { ...this.#file.position(), account };
    });
  }

  async accountByName(name: string): Promise<Account | null> {
    return this.#file.read(() => {
      this.#file.position();
      const owner = this.#file.ownerOf(`name:${name}`);
      if (owner === null) return null;
      const id = owner.replace(/^account:/, '');
      const text = this.#file.record('account', id);
      if (text === null)
        throw this.#file.damaged(`the account name ${JSON.stringify(name)} belongs to no account`);
      return this.#read(id, text);
    });
  }

  async accountsById(
    ids: readonly string[],
  ): Promise<{ readonly seq: number; readonly accounts: readonly (Account | null)[] }> {
    return this.#file.read(() => {
      const { seq } = this.#file.position();
      const texts = ids.map((id) => [id, this.#file.record('account', id)] as const);
      const accounts = texts.map(([id, text]) => (text === null ? null : this.#read(id, text)));
      return { seq, accounts };
    });
  }

  async withHistory(ids: readonly string[]): Promise<ReadonlySet<string>> {
    return this.#file.read(() => {
      this.#file.position();
      const sql = 'SELECT 1 FROM account_change WHERE account = ? LIMIT 1';
      return new Set(ids.filter((id) => this.#file.get(sql, id) !== undefined));
    });
  }

  async accounts({ cursor, limit }: AccountsQuery): Promise<AccountPage> {
    return this.#file.read(() => {
      this.#file.position();
      const rows = this.#file.accountsAfter(cursor ?? '', limit);
      const page = decodePage(rows, (id, text) => this.#read(id, text));
      return { ...page, next: rows.length < limit ? null : (rows.at(-1)?.[0] ?? null) };
    });
  }

  list(query: ListQuery): Promise<ListPage> {
    return listAccounts(this.#listing, query);
  }

  tendLists(goesOn: () => boolean): Promise<void> {
    return this.#listing.tend(goesOn);
  }

  async useCounts(targets: readonly string[]): Promise<readonly number[]> {
    // Kept with the lists: counting the references of a role that everybody has would hold up
    // calls.
    await this.#listing.current();
    const counts: number[] = [];
    for (const [index, target] of targets.entries()) {
      if (index > 0 && index % COUNTS_AT_ONCE === 0) await turn();
      const mark = target.replace(/^(role|team):/, (kind) => `${kind[0]}:`);
      const [services, users] = [`s ${mark}`, `u ${mark}`];
      counts.push((await this.#listing.count(services)) + (await this.#listing.count(users)));
    }
    return counts;
  }

  async referencesTo(target: string, limit: number): Promise<readonly string[]> {
    const sql = 'SELECT user FROM reference WHERE target = ? ORDER BY user LIMIT ?';
    return this.#file.read(() => {
      this.#file.position();
      return this.#file.all(sql, target, limit).map((row) => String(row.user));
    });
  }

  async recordUses(uses: readonly TokenUse[]): Promise<void> {
    this.#file.write(() => {
      for (const { account, token, timeMs, address } of uses)
        this.#file.run(
          'INSERT INTO last_use VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET time_ms = excluded.time_ms, address = excluded.address WHERE excluded.time_ms >= time_ms',
          account,
          token,
          Math.trunc(timeMs),
          address,
        );
      this.#lists.together(() => {
        for (const { account, token, timeMs } of uses)
          this.#lists.use(account, token, Math.trunc(timeMs));
      });
    });
  }

  async uses(account: string): Promise<readonly TokenUse[]> {
    const rows = this.#file.read(() =>
      this.#file.all('SELECT token, time_ms, address FROM last_use WHERE account = ?', account),
    );
    return rows.map((row) => ({
      account,
      token: String(row.token),
      timeMs: Number(row.time_ms),
      address: String(row.address),
    }));
  }

  /** As it counts: its record, and what was told of it. Null: it is known to be deleted. */
  #read(id: string, text: string): Account | null {
    return this.#tombstones.against(decodeAccount(id, text));
  }
}

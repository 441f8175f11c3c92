import type { RegistryFile } from './file.ts';
import {
  type Counted,
  countedAs,
  decodeTotals,
  digestWith,
  digestWithout,
  encodeTotals,
  positionSum,
  sumOf,
  type Totals,
} from './seal.ts';

/**
 * The rows that one change writes, each with its checksum, and what they add up to afterwards. To
 * be used inside one transaction, which ends with `moveTo`.
 */
export class SealedRows {
  readonly #file: RegistryFile;
  readonly #totals: { -readonly [Name in keyof Totals]: Totals[Name] };

  constructor(file: RegistryFile, totals: string) {
    this.#file = file;
    this.#totals = { ...decodeTotals(totals) };
  }

  put(kind: string, key: string, text: string): void {
    const sum = sumOf('record', kind, key, text);
    const values = [kind, key, text, sum] as const;
    if (this.#inserts('INSERT OR IGNORE INTO record VALUES (?, ?, ?, ?)', values)) {
      if (kind === 'account') this.#know(`account:${key}`);
      this.#counts(countedAs('record', kind), null, sum);
      return;
    }
    const before = this.#sum('SELECT sum FROM record WHERE kind = ? AND key = ?', kind, key);
    this.#file.run('REPLACE INTO record VALUES (?, ?, ?, ?)', ...values);
    this.#counts(countedAs('record', kind), before, sum);
  }

  drop(kind: string, key: string): void {
    const sql = 'DELETE FROM record WHERE kind = ? AND key = ? RETURNING sum';
    const before = this.#sum(sql, kind, key);
    if (before !== null && kind === 'account') this.#forget(`account:${key}`);
    this.#counts(countedAs('record', kind), before, null);
  }

  take(claim: string, owner: string): void {
    const sum = sumOf('claim', claim, owner);
    const values = [claim, owner, sum] as const;
    if (this.#inserts('INSERT OR IGNORE INTO claim VALUES (?, ?, ?)', values)) {
      this.#know(claim);
      this.#counts('claims', null, sum);
      return;
    }
    const before = this.#sum('SELECT sum FROM claim WHERE claim = ?', claim);
    this.#file.run('REPLACE INTO claim VALUES (?, ?, ?)', ...values);
    this.#counts('claims', before, sum);
  }

  release(claim: string): void {
    const before = this.#sum('DELETE FROM claim WHERE claim = ? RETURNING sum', claim);
    if (before !== null) this.#forget(claim);
    this.#counts('claims', before, null);
  }

  refer(target: string, user: string): void {
    const sum = sumOf('reference', target, user);
    const sql = 'INSERT OR IGNORE INTO reference VALUES (?, ?, ?)';
    if (this.#inserts(sql, [target, user, sum])) this.#counts('uses', null, sum);
  }

  unrefer(target: string, user: string): void {
    const sql = 'DELETE FROM reference WHERE target = ? AND user = ? RETURNING sum';
    this.#counts('uses', this.#sum(sql, target, user), null);
  }

  moveTo(epoch: string, seq: number): void {
    const totals = encodeTotals(this.#totals);
    this.#file.run(
      'INSERT OR REPLACE INTO position VALUES (1, ?, ?, ?, ?)',
      epoch,
      seq,
      totals,
      positionSum(epoch, seq, totals),
    );
  }

  /** False: there is such a row already. */
  #inserts(sql: string, values: readonly (string | number)[]): boolean {
    return this.#file.run(sql, ...values).changes === 1;
  }

  #sum(sql: string, ...values: string[]): number | null {
    const sum = this.#file.get(sql, ...values)?.sum;
    return sum === undefined ? null : Number(sum);
  }

  #counts(what: Counted, before: number | null, after: number | null): void {
    const totals = this.#totals;
    if (before !== null) {
      totals[what] -= 1;
      totals.digest = digestWithout(totals.digest, before);
    }
    if (after !== null) {
      totals[what] += 1;
      totals.digest = digestWith(totals.digest, after);
    }
  }

  #know(key: string): void {
    this.#file.run('INSERT OR IGNORE INTO known VALUES (?)', key);
  }

  #forget(key: string): void {
    this.#file.run('DELETE FROM known WHERE key = ?', key);
  }
}

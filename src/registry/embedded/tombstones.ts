import type { Account } from '../../account/model.ts';
import type { Commit } from '../commit.ts';
import { RegistryUnavailable } from '../port.ts';
import { afterWriting, mergedAccount, mergedPolicy, TOMBSTONES_MAX } from '../revoked/merge.ts';
import { underTombstone } from '../revoked/tombstone.ts';
import type { AccountTombstone, PolicyTombstone, Tombstone } from '../tombstone.ts';
import { Conflict } from './conflict.ts';
import type { RegistryFile } from './file.ts';
import { digestWith, digestWithout, sumOf, tombstoneStateSum } from './seal.ts';

/** How many rows there are, their digest, and the number of their present state. */
interface State {
  readonly revision: number;
  readonly rows: number;
  readonly digest: number;
}

/**
 * What instances have told of lost changes, in the file: a registry that was brought back from an
 * earlier copy, or made anew beside a data folder that has seen another one, is weighed by it. Each
 * row has a checksum, as all of them have a count and a digest (seal.ts). To be called inside
 * `read` or `write` of the file.
 */
export class EmbeddedTombstones {
  readonly #file: RegistryFile;

  constructor(file: RegistryFile) {
    this.#file = file;
  }

  /** Another number after each change of them; 0: nobody has told of anything. */
  get revision(): number {
    return this.#state().revision;
  }

  /** @param label id of an account, `role:NAME` or `team:NAME` */
  of(label: string): Tombstone | null {
    const row = this.#file.get('SELECT text, sum FROM tombstone WHERE label = ?', label);
    if (row === undefined) return null;
    if (sumOf('tombstone', label, String(row.text)) !== row.sum)
      throw this.#file.damaged(`the tombstone of ${label} does not fit its checksum`);
    return JSON.parse(String(row.text)) as Tombstone;
  }

  /** Of all roles and teams, by label. */
  ofPolicies(): ReadonlyMap<string, PolicyTombstone> {
    if (this.#state().rows === 0) return new Map();
    const labels = this.#file.all(`SELECT label FROM tombstone WHERE ${IS_POLICY}`);
    return new Map(
      labels.map(({ label }) => [String(label), this.of(String(label)) as PolicyTombstone]),
    );
  }

  /** Null: it is known to be deleted. */
  against(account: Account): Account | null {
    const tombstone = this.of(account.id) as AccountTombstone | null;
    return tombstone === null ? account : underTombstone(account, tombstone);
  }

  /** Merged with what was told before. False: not all of it found room. */
  tell(told: readonly Tombstone[]): boolean {
    const kinds = [told.filter((one) => !('policy' in one)), told.filter((one) => 'policy' in one)];
    const [accounts = [], policies = []] = kinds;
    return [
      this.#tellAll(accounts, ACCOUNTS, TOMBSTONES_MAX.accounts),
      this.#tellAll(policies, POLICIES, TOMBSTONES_MAX.policies),
    ].every(Boolean);
  }

  #tellAll(told: readonly Tombstone[], counted: string, most: number): boolean {
    if (told.length === 0) return true;
    let room = most - Number(this.#file.get(counted)?.n);
    const fits = told.filter((one) => {
      const label = labelOf(one);
      const known = this.of(label);
      if (known === null && room <= 0) return false;
      if (known === null) room -= 1;
      this.#put(label, merged(known, one));
      return true;
    });
    return fits.length === told.length;
  }

  /**
   * Weighs a change against what is known, and takes away what it settles. Throws `Conflict` where
   * it was computed without knowing.
   */
  settle(commit: Commit): void {
    const { changes, underTombstones } = commit;
    const { revision, rows } = this.#state();
    const [first] = changes;
    if (underTombstones !== undefined && underTombstones !== revision)
      throw conflict(first === undefined ? 'tombstones' : `${first.kind}:${first.key}`);
    if (rows === 0) return;
    for (const { kind, key, record } of changes) {
      const label = kind === 'account' ? key : `${kind}:${key}`;
      const known = record === null && kind === 'account' ? null : this.of(label);
      if (known === null) continue;
      const after =
        kind === 'account'
          ? afterWriting(record as Account, known as AccountTombstone, commit)
          : underTombstones === undefined
            ? 'conflict'
            : null;
      if (after === 'conflict') throw conflict(`${kind}:${key}`);
      this.#put(label, after);
    }
  }

  /** For a new registry. */
  clear(): void {
    this.#file.run('DELETE FROM tombstone');
    this.#file.run('DELETE FROM tombstone_state');
  }

  #put(label: string, tombstone: Tombstone | null): void {
    const text = tombstone === null ? null : JSON.stringify(tombstone);
    const row = this.#file.get('SELECT text, sum FROM tombstone WHERE label = ?', label);
    if (text === (row?.text ?? null)) return;
    const state = { ...this.#state() };
    state.revision += 1;
    if (row !== undefined) {
      this.#file.run('DELETE FROM tombstone WHERE label = ?', label);
      state.rows -= 1;
      state.digest = digestWithout(state.digest, Number(row.sum));
    }
    if (text !== null) {
      const sum = sumOf('tombstone', label, text);
      this.#file.run('INSERT INTO tombstone VALUES (?, ?, ?)', label, text, sum);
      state.rows += 1;
      state.digest = digestWith(state.digest, sum);
    }
    const { revision, rows, digest } = state;
    this.#file.run(
      'INSERT OR REPLACE INTO tombstone_state VALUES (1, ?, ?, ?, ?)',
      ...[revision, rows, digest, tombstoneStateSum(revision, rows, digest)],
    );
  }

  #state(): State {
    const row = this.#file.get('SELECT revision, rows, digest, sum FROM tombstone_state');
    if (row === undefined) return { revision: 0, rows: 0, digest: 0 };
    const { revision, rows, digest } = row as unknown as State;
    if (tombstoneStateSum(revision, rows, digest) !== row.sum)
      throw this.#file.damaged('the state of its tombstones does not fit its checksum');
    return { revision, rows, digest };
  }
}

/** No id of an account has a colon. */
const IS_POLICY = "label LIKE '%:%'";
const POLICIES = `SELECT count(*) AS n FROM tombstone WHERE ${IS_POLICY}`;
const ACCOUNTS = `SELECT count(*) AS n FROM tombstone WHERE NOT ${IS_POLICY}`;

function merged(known: Tombstone | null, told: Tombstone): Tombstone {
  return 'policy' in told
    ? mergedPolicy(known as PolicyTombstone | null, told)
    : mergedAccount(known as AccountTombstone | null, told);
}

function labelOf(tombstone: Tombstone): string {
  return 'policy' in tombstone ? tombstone.policy : tombstone.account;
}

function conflict(key: string): Conflict {
  return new Conflict({ committed: false, conflict: 'version', key });
}

/** What `assert` says where there is none left. */
export function noRoomForTombstones(): RegistryUnavailable {
  return new RegistryUnavailable('refused', 'there is no room for more tombstones');
}

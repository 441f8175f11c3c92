import { existsSync, renameSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { StoreUnavailable } from '../../store/fault.ts';
import { guarded, type Migration, openDatabase, transact } from '../../store/sqlite.ts';
import { HOUR_MINUTES, KEPT_MINUTES } from '../times.ts';
import {
  type HourState,
  KEPT_HOURS,
  type UsageStore,
  type UsageText,
  type UsageTexts,
  type Written,
} from './port.ts';
import { SUBJECTS, type Subject } from './table.ts';

const MIGRATIONS: readonly Migration[] = [
  'CREATE TABLE minute (subject TEXT NOT NULL, minute INTEGER NOT NULL, instance TEXT NOT NULL, usage TEXT NOT NULL, PRIMARY KEY (subject, minute, instance)) STRICT, WITHOUT ROWID;' +
    'CREATE TABLE hour (subject TEXT NOT NULL, hour INTEGER NOT NULL, made_from INTEGER NOT NULL, usage TEXT NOT NULL, PRIMARY KEY (subject, hour)) STRICT, WITHOUT ROWID;',
];

/**
 * How often something was written of an hour, and how often when the hour was made. No step of the
 * schema: an earlier version goes on with the file, and looks past it.
 */
const REVISIONS =
  'CREATE TABLE IF NOT EXISTS revision (hour INTEGER PRIMARY KEY, written INTEGER NOT NULL, made INTEGER) STRICT;';

/**
 * A file that is damaged, or of a later version, is put aside and another is begun: no gate has to
 * wait for what hangs on it. Throws `StoreInUse`, or `StoreUnavailable` for what is
 * wrong with the folder.
 */
export function openUsage(path: string, onDamaged: (fault: unknown) => void): EmbeddedUsage {
  try {
    return new EmbeddedUsage(path);
  } catch (fault) {
    if (!(fault instanceof StoreUnavailable) || fault.why !== 'damaged') throw fault;
    onDamaged(fault);
  }
  for (const part of ['', '-wal', '-shm'])
    if (existsSync(path + part)) renameSync(path + part, `${path}.damaged${part}`);
  return new EmbeddedUsage(path);
}

/** In a file of its own, which can be thrown away, and for which no call waits. */
export class EmbeddedUsage implements UsageStore {
  readonly #path: string;
  readonly #database: DatabaseSync;

  /** Throws `StoreInUse`, or `StoreUnavailable`. */
  constructor(path: string) {
    this.#path = path;
    this.#database = openDatabase(path, MIGRATIONS);
    // A power cut may cost the last minutes; the calls beside which this is written must not wait
    // for it.
    try {
      guarded(path, () => this.#database.exec(`PRAGMA synchronous=OFF; ${REVISIONS}`));
    } catch (fault) {
      this.#database.close();
      throw fault;
    }
  }

  async writeMinute(minute: number, instance: string, texts: UsageTexts): Promise<void> {
    transact(this.#database, this.#path, () => {
      const database = this.#database;
      const old = database.prepare('DELETE FROM minute WHERE subject = ? AND minute < ?');
      const add = database.prepare(
        'INSERT OR REPLACE INTO minute (subject, minute, instance, usage) VALUES (?, ?, ?, ?)',
      );
      for (const subject of SUBJECTS) {
        old.run(subject, minute - KEPT_MINUTES - HOUR_MINUTES);
        add.run(subject, minute, instance, texts[subject]);
      }
      const hour = Math.floor(minute / HOUR_MINUTES);
      database
        .prepare('DELETE FROM revision WHERE hour < ?')
        .run(hour - 2 - KEPT_MINUTES / HOUR_MINUTES);
      database
        .prepare(
          'INSERT INTO revision (hour, written) VALUES (?, 1) ON CONFLICT DO UPDATE SET written = written + 1',
        )
        .run(hour);
    });
  }

  async writeHour(hour: number, texts: UsageTexts, { minutes, revision }: Written): Promise<void> {
    transact(this.#database, this.#path, () => {
      const database = this.#database;
      const old = database.prepare('DELETE FROM hour WHERE subject = ? AND hour < ?');
      const add = database.prepare(
        'INSERT OR REPLACE INTO hour (subject, hour, made_from, usage) VALUES (?, ?, ?, ?)',
      );
      for (const subject of SUBJECTS) {
        old.run(subject, hour - KEPT_HOURS);
        add.run(subject, hour, minutes, texts[subject]);
      }
      const made = revision === null ? null : Number(revision);
      database.prepare('UPDATE revision SET made = ? WHERE hour = ?').run(made, hour);
    });
  }

  /** One instance writes here: there is nothing to put together. */
  async writeShared(): Promise<void> {}

  async minutes(of: Subject, hour: number): Promise<readonly UsageText[]> {
    const first = hour * HOUR_MINUTES;
    return this.#texts(
      'SELECT minute AS at, usage FROM minute WHERE subject = ? AND minute BETWEEN ? AND ?',
      [of, first, first + HOUR_MINUTES - 1],
    );
  }

  async hours(of: Subject, first: number, last: number): Promise<readonly UsageText[]> {
    return this.#texts(
      'SELECT hour AS at, usage FROM hour WHERE subject = ? AND hour BETWEEN ? AND ?',
      [of, first, last],
    );
  }

  /** All subjects are written in one step: what is told of one holds for each. */
  async hourStates(first: number, last: number): Promise<readonly HourState[]> {
    const states: HourState[] = [];
    guarded(this.#path, () => {
      const minutes = this.#database.prepare(
        "SELECT count(*) AS n FROM minute WHERE subject = 'route' AND minute BETWEEN ? AND ?",
      );
      const made = this.#database.prepare(
        "SELECT made_from FROM hour WHERE subject = 'route' AND hour = ?",
      );
      const revisions = this.#database.prepare('SELECT written, made FROM revision WHERE hour = ?');
      for (let hour = first; hour <= last; hour += 1) {
        const from = hour * HOUR_MINUTES;
        const [row, revision] = [made.get(hour), revisions.get(hour)];
        const written = {
          minutes: Number(minutes.get(from, from + HOUR_MINUTES - 1)?.n ?? 0),
          revision: wordIn(revision?.written),
        };
        states.push({
          hour,
          written,
          made:
            row === undefined
              ? null
              : { minutes: Number(row.made_from), revision: wordIn(revision?.made) },
        });
      }
    });
    return states;
  }

  async close(): Promise<void> {
    this.#database.close();
  }

  #texts(query: string, words: readonly (string | number)[]): readonly UsageText[] {
    const rows = guarded(this.#path, () => this.#database.prepare(query).all(...words));
    return rows.map(({ at, usage }) => ({ at: Number(at), text: String(usage) }));
  }
}

function wordIn(value: unknown): string | null {
  return value == null ? null : String(value);
}

import type { DatabaseSync } from 'node:sqlite';
import type { Clock } from '../clock.ts';
import { type Migration, openDatabase, transact } from '../store/sqlite.ts';
import type { TryCharged, TryCount, TryStore } from './tries-port.ts';

const MIGRATIONS: readonly Migration[] = [
  'CREATE TABLE level (key TEXT PRIMARY KEY, until_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID; CREATE INDEX level_until ON level (until_ms);',
];

/** Counts in a file of their own: it may be thrown away, and whoever guesses then begins anew. */
export class EmbeddedTries implements TryStore {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #database: DatabaseSync;

  /** Throws `StoreInUse`, or `StoreUnavailable`. */
  constructor(path: string, clock: Clock) {
    this.#path = path;
    this.#clock = clock;
    this.#database = openDatabase(path, MIGRATIONS);
    // Survives the process, which is what somebody who guesses could wait for; a power cut may cost
    // the last moments.
    this.#database.exec('PRAGMA synchronous=NORMAL');
  }

  async charge(counts: readonly TryCount[]): Promise<TryCharged> {
    const nowMs = Math.floor(this.#clock.wallMs());
    return transact(this.#database, this.#path, () => {
      const levels = counts.map((count) => this.#levelMs(count, nowMs));
      const over = (tries: number) =>
        Math.max(
          0,
          ...counts.map(({ costMs, mostMs }, at) => levels[at]! + tries * costMs - mostMs),
        );
      const waitMs = over(1);
      if (waitMs > 0) return { waitMs, nextWaitMs: waitMs };
      for (const [at, { key, costMs }] of counts.entries())
        this.#set(key, levels[at]! + costMs, nowMs);
      return { waitMs: 0, nextWaitMs: over(2) };
    });
  }

  async giveBack(counts: readonly TryCount[]): Promise<void> {
    const nowMs = Math.floor(this.#clock.wallMs());
    transact(this.#database, this.#path, () => {
      for (const count of counts)
        this.#set(count.key, this.#levelMs(count, nowMs) - count.costMs, nowMs);
    });
  }

  async close(): Promise<void> {
    this.#database.close();
  }

  /**
   * Never above the most, so that a clock that was set back keeps nobody waiting for longer than
   * one try.
   */
  #levelMs({ key, mostMs }: TryCount, nowMs: number): number {
    const row = this.#database.prepare('SELECT until_ms FROM level WHERE key = ?').get(key);
    return Math.min(mostMs, Math.max(0, Number(row?.until_ms ?? 0) - nowMs));
  }

  #set(key: string, levelMs: number, nowMs: number): void {
    this.#database.prepare('DELETE FROM level WHERE key = ? OR until_ms <= ?').run(key, nowMs);
    if (levelMs > 0)
      this.#database
        .prepare('INSERT INTO level (key, until_ms) VALUES (?, ?)')
        .run(key, nowMs + levelMs);
  }
}

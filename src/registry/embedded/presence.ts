import { type Stats, statSync } from 'node:fs';

/**
 * Whether a database's files are still those that were opened, and as their owner left them. A file
 * that was removed or replaced goes on being written by whoever has it open, and everything that it
 * takes is lost; what somebody else has written into it is not what was verified.
 */
export class FilePresence {
  readonly #opened: readonly Watched[];
  #noted: readonly Watched[];

  constructor(path: string) {
    this.#opened = [path, `${path}-wal`].map((file) => ({ path: file, stats: statsOf(file) }));
    this.#noted = this.#opened;
  }

  /** What happened to which of the files; null: they are there. */
  lost(): string | null {
    for (const { path, stats } of this.#opened) {
      if (stats === undefined) continue;
      const now = statsOf(path);
      if (now?.ino === stats.ino && now.dev === stats.dev) continue;
      return `${path} was ${now === undefined ? 'removed' : 'replaced'} while it was in use`;
    }
    return null;
  }

  /** Nobody has changed the files since they were last noted. */
  get untouched(): boolean {
    for (const { path, stats } of this.#noted) {
      const now = statsOf(path);
      if (now?.mtimeMs !== stats?.mtimeMs || now?.size !== stats?.size) return false;
      if (now?.ino !== stats?.ino || now?.dev !== stats?.dev) return false;
    }
    return true;
  }

  /** To be called after everything that their owner writes. */
  note(): void {
    this.#noted = this.#noted.map(({ path }) => ({ path, stats: statsOf(path) }));
  }
}

interface Watched {
  readonly path: string;
  readonly stats: Stats | undefined;
}

function statsOf(path: string): Stats | undefined {
  return statSync(path, STAT_OPTIONS);
}

const STAT_OPTIONS = { throwIfNoEntry: false } as const;

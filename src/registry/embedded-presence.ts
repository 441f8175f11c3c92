import { type BigIntStats, statSync } from 'node:fs';

/**
 * Whether a database's files are still those that were opened, and as their owner left them. A file
 * that was removed or replaced goes on being written by whoever has it open, and everything that it
 * takes is lost; what somebody else has written into it is not what was verified.
 */
export class FilePresence {
  readonly #files: readonly { readonly path: string; readonly identity: string | null }[];
  #written: string;

  constructor(path: string) {
    this.#files = [path, `${path}-wal`].map((file) => ({
      path: file,
      identity: identityOf(statsOf(file)),
    }));
    this.#written = this.#look();
  }

  /** What happened to which of the files; null: they are there. */
  lost(): string | null {
    for (const { path, identity } of this.#files) {
      if (identity === null) continue;
      const now = identityOf(statsOf(path));
      if (now !== identity)
        return `${path} was ${now === null ? 'removed' : 'replaced'} while it was in use`;
    }
    return null;
  }

  /** Nobody has changed the files since they were last noted. */
  get untouched(): boolean {
    return this.#look() === this.#written;
  }

  /** To be called after everything that their owner writes. */
  note(): void {
    this.#written = this.#look();
  }

  #look(): string {
    const [main, log] = this.#files.map(({ path }) => statsOf(path));
    return `${identityOf(main)} ${stateOf(main)} ${identityOf(log)} ${stateOf(log)}`;
  }
}

function statsOf(path: string): BigIntStats | undefined {
  return statSync(path, { bigint: true, throwIfNoEntry: false });
}

function identityOf(stats: BigIntStats | undefined): string | null {
  return stats === undefined ? null : `${stats.dev} ${stats.ino}`;
}

function stateOf(stats: BigIntStats | undefined): string {
  return `${stats?.size} ${stats?.mtimeNs}`;
}

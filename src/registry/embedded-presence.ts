import { type BigIntStats, statSync } from 'node:fs';

/**
 * Whether a database's files are still those that were opened. A file that was removed or replaced
 * goes on being written by whoever has it open, and everything that it takes is lost.
 */
export class FilePresence {
  readonly #files: readonly { readonly path: string; readonly identity: string | null }[];

  constructor(path: string) {
    this.#files = [path, `${path}-wal`].map((file) => ({ path: file, identity: identityOf(file) }));
  }

  /** What happened to which of the files; null: they are there. */
  lost(): string | null {
    for (const { path, identity } of this.#files) {
      if (identity === null) continue;
      const now = identityOf(path);
      if (now !== identity)
        return `${path} was ${now === null ? 'removed' : 'replaced'} while it was in use`;
    }
    return null;
  }
}

function identityOf(path: string): string | null {
  const stats: BigIntStats | undefined = statSync(path, { bigint: true, throwIfNoEntry: false });
  return stats === undefined ? null : `${stats.dev} ${stats.ino}`;
}

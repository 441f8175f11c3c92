import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Clock } from '../../clock.ts';
import { AuditUnavailable } from '../port.ts';

/** A file of the spool is there and cannot be read now. */
export class SegmentUnreadable extends AuditUnavailable {
  override readonly name = 'SegmentUnreadable';
  readonly path: string;
  /** What the system said. */
  readonly code: string;

  constructor(path: string, code: string) {
    super(`${path} cannot be read (${code})`);
    this.path = path;
    this.code = code;
  }
}

/** Faults of this process and not of a file: they pass. */
const PASSING: ReadonlySet<string> = new Set(['EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN', 'EINTR']);

/** What a fault at reading a file says of that file. */
export function readFault(path: string, fault: unknown): unknown {
  const { code } = fault as NodeJS.ErrnoException;
  return code === undefined || PASSING.has(code) ? fault : new SegmentUnreadable(path, code);
}

/** What happened; for the log. Must not throw. */
export interface UnreadableObserver {
  /** Told once of each file, until it can be read. */
  unreadable(path: string, code: string): void;
  readable(path: string): void;
  /** What can be read of it is in the store, and it is at `to` now. */
  setAside(path: string, to: string): void;
}

export interface UnreadableOptions {
  /** Where files go that cannot be read. Made when it is needed. */
  readonly folder: string;
  readonly clock: Clock;
  readonly observer: UnreadableObserver;
  /** How long a file is tried before others go past it, in ms. */
  readonly patienceMs?: number;
}

const PATIENCE_MS = 60_000;
/** Of the files that were set aside the newest stay. */
const FILES_KEPT = 64;

/**
 * Files of the spool that cannot be read. What was written after one waits a minute for it: most
 * such faults pass, and events that come too late could only stand out of their order. Then the
 * spool goes on with what can be read of it, and once that is in the store the file is moved away
 * for whoever can get more out of it.
 */
export class UnreadableFiles {
  readonly #options: UnreadableOptions;
  /** Path -> since when, and why. */
  readonly #files = new Map<string, { readonly sinceMs: number; readonly code: string }>();
  #setAside = 0;

  constructor(options: UnreadableOptions) {
    this.#options = options;
    void this.#count();
  }

  /** For readiness; null: all can be read, and nothing was set aside. */
  get problem(): string | null {
    const [first] = this.#files;
    if (first !== undefined)
      return `a file of the spool cannot be read: ${first[0]} (${first[1].code})`;
    return this.#setAside === 0
      ? null
      : `the spool has had files that could not be read: ${this.#setAside} in ${this.#options.folder}`;
  }

  /** Those that are waited for, and those that were set aside. */
  get count(): number {
    return this.#files.size + this.#setAside;
  }

  /** @returns whether it has been tried for long enough */
  failed({ path, code }: SegmentUnreadable): boolean {
    const { clock, observer, patienceMs = PATIENCE_MS } = this.#options;
    const nowMs = clock.monotonicMs();
    const known = this.#files.get(path);
    if (known === undefined) {
      this.#files.set(path, { sinceMs: nowMs, code });
      observer.unreadable(path, code);
    }
    return nowMs - (known?.sinceMs ?? nowMs) >= patienceMs;
  }

  wasRead(path: string): void {
    if (this.#files.size > 0 && this.#files.delete(path)) this.#options.observer.readable(path);
  }

  /** Moves a file away. Throws what the file system says. */
  async setAside(path: string): Promise<void> {
    const { folder, observer } = this.#options;
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const to = join(folder, `${basename(dirname(path))}-${basename(path)}`);
    await rename(path, to);
    this.#files.delete(path);
    observer.setAside(path, to);
    await this.#count(to);
  }

  /** @param newest has just come */
  async #count(newest: string | null = null): Promise<void> {
    const { folder } = this.#options;
    const names = await readdir(folder).catch(() => []);
    this.#setAside = Math.min(names.length, FILES_KEPT);
    if (names.length <= FILES_KEPT) return;
    const ages = await Promise.all(names.map((name) => movedMs(join(folder, name))));
    const oldest = names
      .map((name, at) => ({ path: join(folder, name), ms: ages[at]! }))
      .filter(({ path }) => path !== newest)
      .sort((a, b) => a.ms - b.ms)
      .slice(0, names.length - FILES_KEPT);
    await Promise.allSettled(oldest.map(({ path }) => rm(path, { recursive: true })));
  }
}

async function movedMs(path: string): Promise<number> {
  return stat(path).then(
    ({ ctimeMs }) => ctimeMs,
    () => 0,
  );
}

import { type FSWatcher, realpathSync, statSync, watch } from 'node:fs';
import { dirname } from 'node:path';

export interface FileWatchOptions {
  /**
   * Quiet time after a change before it is reported, in milliseconds: writers write in several
   * steps.
   */
  readonly quietMs: number;
  /**
   * Between two looks at the files themselves, in milliseconds: some file systems (NFS, some bind
   * mounts) report nothing.
   */
  readonly pollMs: number;
}

/** However restless a folder is, a change is looked at after so many quiet times. */
const MAX_QUIETS = 10;
const MAX_FOLDERS = 64;

/**
 * Reports when one of some files changed: written in place, replaced by a rename (editors), or
 * reached by another symbolic link (a Kubernetes ConfigMap swaps the link `..data`). Folders are
 * watched, not files: a file that is replaced takes its watch with it. A file that is not there is
 * watched for its coming.
 */
export class FileWatch {
  readonly #onChange: () => void;
  readonly #options: FileWatchOptions;
  readonly #poll: NodeJS.Timeout;
  #files: readonly string[];
  #seen: string;
  #watchers: FSWatcher[] = [];
  #timer: NodeJS.Timeout | null = null;
  #firstEventMs = 0;

  /** `onChange` must not throw. */
  constructor(files: readonly string[], options: FileWatchOptions, onChange: () => void) {
    this.#files = files;
    this.#options = options;
    this.#onChange = onChange;
    this.#seen = fingerprint(files);
    this.#watchFolders();
    this.#poll = setInterval(() => this.#look(), options.pollMs).unref();
  }

  /** From now on other files; what they are at this moment counts as seen. */
  follow(files: readonly string[]): void {
    this.#files = files;
    this.#seen = fingerprint(files);
    this.#watchFolders();
  }

  /** More files beside these; what the new ones are at this moment counts as seen. */
  extend(files: readonly string[]): void {
    const added = files.filter((file) => !this.#files.includes(file));
    if (added.length === 0) return;
    this.#seen = [this.#seen, fingerprint(added)].filter((part) => part !== '').join('\n');
    this.#files = [...this.#files, ...added];
    this.#watchFolders();
  }

  close(): void {
    clearInterval(this.#poll);
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#closeWatchers();
  }

  #watchFolders(): void {
    this.#closeWatchers();
    for (const folder of foldersOf(this.#files)) {
      try {
        const watcher = watch(folder, { persistent: false }, () => this.#stirred());
        // A folder that goes away: the poll still looks.
        watcher.on('error', () => watcher.close());
        this.#watchers.push(watcher);
      } catch {
        // Not there, or no watches left on this machine: the poll still looks.
      }
    }
  }

  #closeWatchers(): void {
    for (const watcher of this.#watchers) watcher.close();
    this.#watchers = [];
  }

  #stirred(): void {
    const nowMs = performance.now();
    if (this.#timer === null) this.#firstEventMs = nowMs;
    else if (nowMs - this.#firstEventMs > MAX_QUIETS * this.#options.quietMs) return;
    else clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#look(), this.#options.quietMs).unref();
  }

  #look(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const now = fingerprint(this.#files);
    if (now === this.#seen) return;
    this.#seen = now;
    this.#watchFolders();
    this.#onChange();
  }
}

/** Where a file stands and where its links lead. */
function foldersOf(files: readonly string[]): readonly string[] {
  const folders = new Set(
    files.flatMap((file) => [dirname(file), dirname(realPath(file) ?? file)]),
  );
  return [...folders].slice(0, MAX_FOLDERS);
}

function fingerprint(files: readonly string[]): string {
  return files.map((file) => `${file}\0${realPath(file)}\0${identity(file)}`).join('\n');
}

/** Runs in timers: it answers, whatever the file system says. */
function identity(file: string): string {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = statSync(file, { bigint: true });
    return `${dev}:${ino}:${size}:${mtimeNs}:${ctimeNs}`;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'unknown';
  }
}

function realPath(file: string): string | null {
  try {
    return realpathSync(file);
  } catch {
    return null;
  }
}

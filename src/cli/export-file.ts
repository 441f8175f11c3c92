import {
  closeSync,
  constants,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  linkSync,
  lstatSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { gzipSync } from 'node:zlib';
import { UsageError } from './exit.ts';

/**
 * A file that is written page by page, and can be gone on with where that was broken off.
 *
 * While it is being written it is `FILE.part`, and `FILE.part.json` says how much of it counts: so
 * many bytes, up to its last whole event, and where to read on. It is renewed in one step after
 * every page, when the page is on the disk. Whoever goes on cuts off what is after that, so that
 * no event is missing, doubled or torn. Compressed, each page is a gzip member of its own, and a
 * file of members is a gzip file (RFC 1952 §2.2). Under its own name it is whole.
 */
export interface ExportState {
  /** What is exported, in what form: whoever goes on must want the same. */
  readonly wanted: string;
  readonly since: string | null;
  readonly until: string | null;
  /** When it was begun: `24h` is another moment an hour later. */
  readonly startedMs: number;
  readonly bytes: number;
  readonly events: number;
  readonly cursor: string | null;
  /** All is written. */
  readonly whole: boolean;
}

export class ExportFile {
  readonly #file: string;
  readonly #part: string;
  readonly #note: string;
  readonly #gzip: boolean;
  readonly #descriptor: number;
  #state: ExportState;

  /**
   * Opens a new file, or the half of one that was begun. Throws `UsageError` for a file that is
   * there, and for a half of something else.
   */
  constructor(
    file: string,
    gzip: boolean,
    begin: Pick<ExportState, 'wanted' | 'since' | 'until' | 'startedMs'>,
  ) {
    this.#file = file;
    this.#part = `${file}.part`;
    this.#note = `${file}.part.json`;
    this.#gzip = gzip;
    if (lstatSync(file, { throwIfNoEntry: false }) !== undefined)
      throw new UsageError(`${file} exists already: name a new file`);
    const half = this.#half(begin);
    this.#state = half ?? { ...begin, bytes: 0, events: 0, cursor: null, whole: false };
    this.#descriptor = this.#open(half === null);
    if (half === null) this.#keep(this.#state);
    if (half !== null && fstatSync(this.#descriptor).size < half.bytes)
      throw new UsageError(
        `${this.#part} is shorter than it was: remove it and ${this.#note}, and begin anew`,
      );
    ftruncateSync(this.#descriptor, this.#state.bytes);
  }

  get state(): ExportState {
    return this.#state;
  }

  /** One page of text, and where the next one is read. */
  add(text: string, events: number, cursor: string | null): void {
    const bytes = this.#gzip ? gzipSync(text) : Buffer.from(text);
    const { bytes: end } = this.#state;
    if (text !== '')
      for (let at = 0; at < bytes.length; )
        at += writeSync(this.#descriptor, bytes, at, bytes.length - at, end + at);
    fdatasyncSync(this.#descriptor);
    this.#keep({
      ...this.#state,
      bytes: end + (text === '' ? 0 : bytes.length),
      events: this.#state.events + events,
      cursor,
      whole: cursor === null,
    });
  }

  /** Gives the file its name. Never in place of one that has come meanwhile. */
  finish(): void {
    fsyncSync(this.#descriptor);
    try {
      linkSync(this.#part, this.#file);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EEXIST')
        throw new UsageError(
          `${this.#file} exists by now: ${this.#part} is whole, name it yourself`,
        );
      // A file system without links.
      renameSync(this.#part, this.#file);
    }
    rmSync(this.#part, { force: true });
    rmSync(this.#note, { force: true });
  }

  /** There is nothing to go on with. */
  abandon(): void {
    rmSync(this.#part, { force: true });
    rmSync(this.#note, { force: true });
  }

  close(): void {
    closeSync(this.#descriptor);
  }

  #open(isNew: boolean): number {
    const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = constants;
    try {
      return openSync(this.#part, O_WRONLY | O_NOFOLLOW | (isNew ? O_CREAT | O_EXCL : 0), 0o600);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      throw new UsageError(
        code === 'EEXIST'
          ? `${this.#part} is there, and it is not known what it belongs to: remove it, or name another file`
          : `${this.#file} cannot be written (${code})`,
      );
    }
  }

  /** Null: nothing was begun. */
  #half(begin: Pick<ExportState, 'wanted' | 'since' | 'until' | 'startedMs'>): ExportState | null {
    const text = readIfThere(this.#note);
    if (text === null) return null;
    // The note is made before the first byte counts.
    if (lstatSync(this.#part, { throwIfNoEntry: false }) === undefined) {
      rmSync(this.#note, { force: true });
      return null;
    }
    const half = stateIn(text);
    if (half === null || half.wanted !== begin.wanted || !isSameTime(half, begin))
      throw new UsageError(
        `${this.#part} is an unfinished export of something else: run the command that began it again, remove it and ${this.#note}, or name another file`,
      );
    return half;
  }

  #keep(state: ExportState): void {
    const temporary = `${this.#note}.new`;
    const descriptor = openSync(temporary, 'w', 0o600);
    try {
      writeSync(descriptor, JSON.stringify(state));
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    renameSync(temporary, this.#note);
    this.#state = state;
  }
}

type Times = Pick<ExportState, 'since' | 'until' | 'startedMs'>;

/** What may lie between reading the words of a command line and noting the time, in ms. */
const APART_MS = 10_000;

/** The same moments, or moments that were told by how long ago they are: `24h`. */
function isSameTime(half: Times, begin: Times): boolean {
  const later = begin.startedMs - half.startedMs;
  return (['since', 'until'] as const).every((name) => {
    const [was, is] = [half[name], begin[name]];
    if (was === null || is === null || was === is) return was === is;
    return Math.abs(Date.parse(is) - Date.parse(was) - later) < APART_MS;
  });
}

function readIfThere(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

function stateIn(text: string): ExportState | null {
  try {
    const { wanted, since, until, startedMs, bytes, events, cursor, whole } = JSON.parse(
      text,
    ) as ExportState;
    const numbers = [startedMs, bytes, events].every((one) => Number.isSafeInteger(one));
    const texts = [since, until, cursor].every((one) => one === null || typeof one === 'string');
    return numbers && texts && typeof wanted === 'string' && typeof whole === 'boolean'
      ? { wanted, since, until, startedMs, bytes, events, cursor, whole }
      : null;
  } catch {
    return null;
  }
}

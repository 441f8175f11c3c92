import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { openOwnFile } from './own-file.ts';
import { RegistryUnavailable } from './port.ts';

/**
 * Where a data folder remembers which registry it has served: outside the store, and one per kind
 * of store, so that a folder that was tried with an embedded store can be used with Redis later.
 */
export const MARKER_FILES = {
  embedded: 'registry-embedded.id',
  redis: 'registry-redis.id',
} as const;

/** The id of a registry is the epoch of its history: a random UUID. */
export const REGISTRY_ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export interface ServedOptions {
  readonly folder: string;
  readonly store: keyof typeof MARKER_FILES;
  /** False for who only looks on, such as a command beside a Redis: it heeds and never writes. */
  readonly remembers: boolean;
  /** The folder has surely held a registry, although it has no marker (an earlier version). */
  readonly held?: boolean;
}

/**
 * Which registry an instance and its data folder have served. The first one is remembered; from
 * then on no other one counts, and neither does a store without one: an emptied store must not turn
 * every token into an unknown one. Only an operator changes that, by `adopt`.
 */
export class ServedRegistry {
  readonly #folder: string;
  readonly #path: string;
  readonly #remembers: boolean;
  readonly #held: boolean;
  #id: string | null = null;
  #reached: Reached = NOWHERE;

  constructor({ folder, store, remembers, held = false }: ServedOptions) {
    this.#folder = folder;
    this.#path = join(folder, MARKER_FILES[store]);
    this.#remembers = remembers;
    let unreadable = false;
    try {
      this.#take(readMarker(this.#path));
    } catch {
      // `assert` reads it again, and says so: an operator may still confirm a registry.
      unreadable = true;
    }
    this.#held = held || unreadable;
  }

  /** Null: none yet. */
  get id(): string | null {
    return this.#id;
  }

  /** Whether the folder has ever held a registry, as far as it tells. */
  get held(): boolean {
    return this.#held || this.#id !== null;
  }

  /**
   * `found`: the id of the registry that the store holds; null = none. Synchronous and without I/O
   * while all is well. Throws `RegistryUnavailable`: `foreign` unless it is the one that was
   * served, `empty` when none was ever served and there is none.
   */
  assert(found: string | null): void {
    if (found !== null && found === this.#id) return;
    // Somebody may have confirmed another one meanwhile, from another process.
    this.#take(readMarker(this.#path));
    if (found !== null && found === this.#id) return;
    if (found !== null && this.#id === null) this.#remember(found);
    else if (this.held) throw foreign(this.#folder, this.#id, found);
    else throw noRegistry();
  }

  /** An operator confirms that the folder serves this registry from now on, as it stands. */
  adopt(id: string): void {
    this.#replace(id);
    this.#take({ id, ...NOWHERE });
  }

  /**
   * Throws `RegistryUnavailable` (`damaged`) when the store stands before a change that it has
   * made, or at another one than it has made there: a file that was put back, or a write-ahead log
   * that is gone.
   *
   * @param sum over all that the store says of the place where it stands
   */
  assertReached(seq: number, sum: number): void {
    if (this.#hasReached(seq, sum)) return;
    this.#take(readMarker(this.#path));
    if (this.#hasReached(seq, sum)) return;
    if (seq === this.#reached.seq)
      throw new RegistryUnavailable(
        'damaged',
        `the registry stands at change ${seq} with other contents than it had there. Bring its ` +
          `file back, together with its -wal; or confirm the state that is there with ` +
          `"sallyport registry adopt ${this.#id} --config FILE"`,
      );
    throw new RegistryUnavailable(
      'damaged',
      `the registry stands at change ${seq}, and had got to ${this.#reached.seq}: changes are lost. ` +
        'Bring its file back, together with its -wal; or confirm the state that is there with ' +
        `"sallyport registry adopt ${this.#id} --config FILE"`,
    );
  }

  /** The store has made a change. What cannot be noted is noted with the next one. */
  reached(seq: number, sum: number): void {
    if (this.#id === null || !this.#remembers) return;
    this.#reached = { seq, sum };
    try {
      this.#replace(`${this.#id} ${seq} ${sum}`);
    } catch {
      // The change is made; the marker stands at an earlier one, which the store is past.
    }
  }

  #hasReached(seq: number, sum: number): boolean {
    const reached = this.#reached;
    return seq > reached.seq || (seq === reached.seq && (reached.sum ?? sum) === sum);
  }

  #replace(text: string): void {
    const unfinished = writeUnfinished(this.#folder, text);
    try {
      renameSync(unfinished, this.#path);
    } finally {
      rmSync(unfinished, { force: true });
    }
  }

  /** A marker that was removed while an instance runs changes nothing for it. */
  #take(marker: Marker | null): void {
    if (marker === null) return;
    this.#id = marker.id;
    this.#reached = marker;
  }

  /** Of several processes that remember at once, one's counts for all. */
  #remember(id: string): void {
    if (!REGISTRY_ID.test(id))
      throw new RegistryUnavailable('damaged', 'the id of the registry cannot be read');
    this.#id = id;
    if (!this.#remembers) return;
    try {
      const unfinished = writeUnfinished(this.#folder, id);
      try {
        linkSync(unfinished, this.#path);
      } finally {
        rmSync(unfinished, { force: true });
      }
    } catch (fault) {
      this.#id = null;
      const { code } = fault as NodeJS.ErrnoException;
      if (code === 'EEXIST') {
        this.assert(id);
        return;
      }
      throw new RegistryUnavailable(
        'refused',
        `${this.#path} cannot be written (${code}): the data folder must remember its registry`,
        { cause: fault },
      );
    }
  }
}

export function noRegistry(): RegistryUnavailable {
  return new RegistryUnavailable(
    'empty',
    'there is no registry in this store: "sallyport registry init --config FILE" makes one',
  );
}

function foreign(folder: string, served: string | null, found: string | null): RegistryUnavailable {
  const before = served === null ? 'a registry' : `the registry ${served}`;
  const message =
    found === null
      ? `the store holds no registry, and ${folder} has served ${before}: bring its data back; ` +
        'or make a new one with "sallyport registry init --config FILE", ' +
        'and confirm it with "sallyport registry adopt ID --config FILE"'
      : `the store holds the registry ${found}, and ${folder} has served ${before}: name the ` +
        'right store; or, if this one is meant, confirm it with ' +
        `"sallyport registry adopt ${found} --config FILE"`;
  return new RegistryUnavailable('foreign', message);
}

/** The last change that the store has surely made, and the checksum of where it stood then. */
interface Reached {
  readonly seq: number;
  readonly sum: number | null;
}

const NOWHERE: Reached = { seq: 0, sum: null };

/** `ID`, `ID SEQ` or `ID SEQ SUM`. */
interface Marker extends Reached {
  readonly id: string;
}

/** Null when there is no such file. A link is not followed. */
function readMarker(path: string): Marker | null {
  const file = openOwnFile(path, (why) => unreadable(path, why));
  if (file === null) return null;
  try {
    const [id = '', seq = '0', sum, ...rest] = readFileSync(file, 'utf8').trim().split(' ');
    const numbers = [seq, sum ?? '0'].every((text) => /^\d{1,15}$/.test(text));
    if (!REGISTRY_ID.test(id) || !numbers || rest.length > 0)
      throw unreadable(path, 'holds no id of a registry');
    return { id, seq: Number(seq), sum: sum === undefined ? null : Number(sum) };
  } finally {
    closeSync(file);
  }
}

function unreadable(path: string, why: string): RegistryUnavailable {
  return new RegistryUnavailable(
    'foreign',
    `${path} ${why}: it says which registry this data folder has served; ` +
      'confirm the one that is meant with "sallyport registry adopt ID --config FILE"',
  );
}

/** A whole file beside the marker, on the disk before it gets the marker's name. */
function writeUnfinished(folder: string, text: string): string {
  const path = join(folder, `.registry-${randomBytes(8).toString('hex')}`);
  const file = openSync(path, 'wx', 0o600);
  try {
    writeSync(file, `${text}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  return path;
}

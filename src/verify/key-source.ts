import type { KeyObject } from 'node:crypto';
import { AssertionRefused, KeysUnavailable } from './faults.ts';
import { fetchKeySet, keySetUrl } from './fetch-key-set.ts';
import { type KeySet, keysOf } from './key-set.ts';

/**
 * Where the keys are: the URL of a gate's key set, a function that brings a set (from a file that
 * is copied here, by a client of your own), or a set that never changes.
 */
export type Keys = string | URL | KeySet | (() => KeySet | Promise<KeySet>);

/** How long a set is believed: gates publish a key for three times as long before it signs. */
const KEPT_MS = 300_000;
/** Between two looks for a key that is not in the set: anybody can name one. */
const LOOK_AGAIN_MS = 30_000;
/** Between two tries while there is no set. */
const RETRY_MS = 1_000;

interface Held {
  readonly keys: ReadonlyMap<string, KeyObject>;
  readonly readMs: number;
}

/**
 * Finds keys by name. A set is asked for when the first assertion comes, again when it is five
 * minutes old, and for a name that is not in it; calls that come meanwhile wait for the same one.
 */
export class KeySource {
  readonly #load: () => Promise<unknown>;
  readonly #nowMs: () => number;
  #held: Held | null = null;
  #loading: Promise<Held> | null = null;
  #fault: KeysUnavailable | null = null;
  #triedMs = Number.NEGATIVE_INFINITY;

  /** @param nowMs a clock that is never set */
  constructor(keys: Keys, nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
    if (typeof keys === 'function') {
      this.#load = async () => keys();
    } else if (typeof keys === 'string' || keys instanceof URL) {
      const url = keySetUrl(keys);
      this.#load = () => fetchKeySet(url);
    } else {
      this.#held = { keys: fixed(keys), readMs: Number.POSITIVE_INFINITY };
      this.#load = async () => keys;
    }
  }

  /**
   * Throws `AssertionRefused` for a key that is not there, `KeysUnavailable` where that is unknown.
   */
  async find(kid: string): Promise<KeyObject> {
    const held = this.#current ?? (await this.#read(RETRY_MS));
    const key = held.keys.get(kid);
    if (key !== undefined) return key;
    const newer = held.readMs === Number.POSITIVE_INFINITY ? held : await this.#read(LOOK_AGAIN_MS);
    const found = newer.keys.get(kid);
    if (found === undefined)
      throw new AssertionRefused('key-unknown', 'it is signed by a key that is not in the set');
    return found;
  }

  get #current(): Held | null {
    const held = this.#held;
    return held !== null && this.#nowMs() - held.readMs < KEPT_MS ? held : null;
  }

  /** @param restMs within it of the last try its outcome counts */
  #read(restMs: number): Promise<Held> {
    if (this.#loading !== null) return this.#loading;
    if (this.#nowMs() - this.#triedMs < restMs) {
      if (this.#fault !== null) return Promise.reject(this.#fault);
      if (this.#current !== null) return Promise.resolve(this.#current);
    }
    this.#loading = this.#loadOnce().finally(() => {
      this.#loading = null;
    });
    return this.#loading;
  }

  async #loadOnce(): Promise<Held> {
    try {
      const keys = keysOf(await this.#load());
      this.#held = { keys, readMs: this.#nowMs() };
      this.#fault = null;
      return this.#held;
    } catch (error) {
      this.#fault =
        error instanceof KeysUnavailable
          ? error
          : new KeysUnavailable('the keys cannot be read', { cause: error });
      throw this.#fault;
    } finally {
      this.#triedMs = this.#nowMs();
    }
  }
}

/** A set in the program's own words is wrong for good. */
function fixed(set: unknown): ReadonlyMap<string, KeyObject> {
  try {
    return keysOf(set);
  } catch (error) {
    throw new TypeError(`keys: ${(error as Error).message}`);
  }
}

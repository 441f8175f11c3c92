import { randomInt } from 'node:crypto';
import type { Clock } from '../clock.ts';
import type { SigningKey } from './key.ts';
import {
  AHEAD_MS,
  isSameSet,
  type KeySet,
  publishedOf,
  readSet,
  signerOf,
  together,
  withNext,
  writeSet,
} from './key-set.ts';
import type { KeyStore } from './port.ts';
import type { Sealing } from './sealing.ts';

export interface KeeperOptions {
  readonly store: KeyStore;
  readonly sealing: Sealing;
  readonly clock: Clock;
  /** How long one key signs, in ms. */
  readonly rotateMs: number;
  /** The keys cannot be had, or can again (null). Told at each change. */
  readonly onFault: (fault: Error | null) => void;
}

const LOOK_MS = { without: 500, with: 10_000 } as const;
/**
 * Whoever has not seen the store for so long may not know a key that others sign with soon: less
 * than keys are published ahead.
 */
const STALE_MS = 300_000;

/**
 * Keeps the keys that sign assertions: makes the first one, publishes the next one in time, and
 * puts back what the store has lost. Fails closed: without a key that it may sign with it has none.
 */
export class AssertionKeys {
  readonly #options: KeeperOptions;
  readonly #earlyMs = randomInt(AHEAD_MS);
  #keys: KeySet = [];
  /** The JWK set as text, made when it is asked for. */
  #published: string | null = null;
  /** Monotonic clock: when the store was last seen. */
  #seenMs = Number.NEGATIVE_INFINITY;
  #fault: string | null = null;
  #timer: NodeJS.Timeout | null = null;
  #looking: Promise<void>;
  #closed = false;

  constructor(options: KeeperOptions) {
    this.#options = options;
    this.#looking = this.#lookOn();
  }

  /** Resolves after the first look, whatever it has found. */
  get looked(): Promise<void> {
    return this.#looking;
  }

  /** Null: there is no key that may sign. */
  get signer(): SigningKey | null {
    const { clock, rotateMs } = this.#options;
    return signerOf(this.#keys, clock.wallMs(), rotateMs);
  }

  /** The JWK set as JSON (RFC 7517). Null: it may lack a key, so nobody should keep it. */
  get published(): string | null {
    if (this.#keys.length === 0) return null;
    if (this.#options.clock.monotonicMs() - this.#seenMs > STALE_MS) return null;
    this.#published ??= JSON.stringify(publishedOf(this.#keys));
    return this.#published;
  }

  /** Why keys cannot be had from the store; null when they can. */
  get problem(): string | null {
    return this.#fault;
  }

  async close(): Promise<void> {
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#looking;
  }

  async #lookOn(): Promise<void> {
    const fault = await this.look().then(
      () => null,
      (error: unknown) => (error instanceof Error ? error : new Error(String(error))),
    );
    if (fault?.message !== this.#fault) {
      const isNews = fault !== null || this.#fault !== null;
      this.#fault = fault?.message ?? null;
      if (isNews) this.#options.onFault(fault);
    }
    if (this.#closed) return;
    const nextMs = this.#keys.length === 0 ? LOOK_MS.without : LOOK_MS.with;
    this.#timer = setTimeout(() => {
      this.#looking = this.#lookOn();
    }, nextMs).unref();
  }

  /** What the store has and what is known here become one set, in both places. */
  async look(): Promise<void> {
    const { store, sealing, clock, rotateMs } = this.#options;
    const found = await store.read();
    const opened = found === null ? null : sealing.open(found);
    const stored = opened === null ? [] : readSet(opened.text, this.#keys);
    const nowMs = clock.wallMs();
    const known = together(stored, this.#keys, nowMs);
    const wanted = withNext(known, nowMs, rotateMs, this.#earlyMs);
    if (opened !== null && !opened.renew && isSameSet(stored, wanted)) this.#take(wanted);
    else if (known.length > 0) {
      // What is published is signed with later, so it counts before it is written.
      this.#take(known);
      await store.replace(sealing.seal(writeSet(wanted)));
      this.#take(wanted);
    } else {
      // The first one signs at once: only that which all others find.
      const first = sealing.open(await store.create(sealing.seal(writeSet(wanted))));
      this.#take(together(readSet(first.text, wanted), [], nowMs));
    }
  }

  #take(keys: KeySet): void {
    if (!isSameSet(keys, this.#keys)) this.#published = null;
    this.#keys = keys;
    this.#seenMs = this.#options.clock.monotonicMs();
  }
}

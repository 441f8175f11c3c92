import { createHmac, randomBytes } from 'node:crypto';
import type { Clock } from '../../clock.ts';

/**
 * What becomes of a creation that carries a key. `made`: it was done before, and this is what it
 * made.
 */
export type Claim =
  | { readonly claim: 'first'; done(made: string): void; failed(): void }
  | { readonly claim: 'pending' }
  | { readonly claim: 'mismatch' }
  | { readonly claim: 'made'; readonly made: string };

interface Entry {
  readonly request: string;
  readonly endsMs: number;
  made: string | null;
}

const IDEMPOTENCY_LIMITS = { keptMs: 86_400_000, keys: 10_000, keyCharacters: 255 } as const;

/**
 * Keys of creations, so that a client that lost an answer may ask again without making a second
 * account.
 *
 * Kept in the memory of the instance for 24 hours, 10,000 keys at most, the oldest going first:
 * another instance, or this one after a restart, does not know them. Nothing is made twice even
 * then, because names are unique: the repetition is refused with `name-taken`. Only what a request
 * made is kept, never an answer: an answer may hold a token. What it asked for is kept as a keyed
 * digest, because it may hold a password.
 */
export class IdempotencyKeys {
  readonly #clock: Clock;
  readonly #secret = randomBytes(32);
  readonly #entries = new Map<string, Entry>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * @param caller whose keys they are: two accounts may choose the same. @param request everything
   * that the request asks for
   */
  claim(caller: string, key: string, request: string): Claim {
    const name = this.#digest(`${caller}\n${key}`);
    const fingerprint = this.#digest(request);
    const entry = this.#entries.get(name);
    if (entry !== undefined && entry.endsMs > this.#clock.monotonicMs())
      return repetition(entry, fingerprint);
    this.#makeRoom();
    const first: Entry = {
      request: fingerprint,
      endsMs: this.#clock.monotonicMs() + IDEMPOTENCY_LIMITS.keptMs,
      made: null,
    };
    this.#entries.delete(name);
    this.#entries.set(name, first);
    return {
      claim: 'first',
      done: (made) => {
        first.made = made;
      },
      failed: () => {
        if (this.#entries.get(name) === first) this.#entries.delete(name);
      },
    };
  }

  #makeRoom(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const [name, { endsMs }] of this.#entries) {
      if (endsMs > nowMs && this.#entries.size < IDEMPOTENCY_LIMITS.keys) return;
      this.#entries.delete(name);
    }
  }

  #digest(text: string): string {
    return createHmac('sha256', this.#secret).update(text).digest('base64url');
  }
}

function repetition(entry: Entry, fingerprint: string): Claim {
  if (entry.request !== fingerprint) return { claim: 'mismatch' };
  return entry.made === null ? { claim: 'pending' } : { claim: 'made', made: entry.made };
}

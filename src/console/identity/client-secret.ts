import type { Secret } from '../../config/secret.ts';

/**
 * Our secret at the identity provider, and the one before it: the provider and our file never
 * change at one moment, so who is refused with the newest shows the former.
 */
export class ClientSecrets {
  #newest: Secret;
  #former: Secret | null = null;
  #why: string | null = null;
  readonly #onNews: () => void;

  /** `onNews`: something has changed in `pending`. Must not throw. */
  constructor(secret: Secret, onNews: () => void) {
    this.#newest = secret;
    this.#onNews = onNews;
  }

  get newest(): Secret {
    return this.#newest;
  }

  /** In the order in which they are shown. */
  get all(): readonly Secret[] {
    return this.#former === null ? [this.#newest] : [this.#newest, this.#former];
  }

  /** Why the newest one is not in use; null when it is. */
  get pending(): string | null {
    return this.#former === null ? null : (this.#why ?? 'it is being tried');
  }

  /** Answers whether it is another one. */
  change(secret: Secret): boolean {
    if (secret.equals(this.#newest)) return false;
    this.#former ??= this.#newest;
    this.#newest = secret;
    this.#why = null;
    this.#onNews();
    return true;
  }

  /** The provider knows us by this one. */
  worked(secret: Secret): void {
    if (secret !== this.#newest || this.#former === null) return;
    this.#former = null;
    this.#why = null;
    this.#onNews();
  }

  /** The newest one does not do, or nobody could be asked. */
  refused(secret: Secret, why: string): void {
    if (secret !== this.#newest || this.#former === null || why === this.#why) return;
    this.#why = why;
    this.#onNews();
  }
}

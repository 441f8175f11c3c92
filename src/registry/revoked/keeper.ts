import { Periodic } from '../../periodic.ts';
import type { REVOKED_FILES, Remembered } from './file.ts';
import { writeRevoked } from './file.ts';

/** What is known now, and a number that is another one when that has changed. */
export interface Knowing {
  remembered(): { readonly revision: number; readonly known: Remembered } | null;
}

export interface RevokedKeeperOptions {
  readonly folder: string;
  readonly store: keyof typeof REVOKED_FILES;
  readonly knowing: Knowing;
  /** It could not be written; it will be tried again. */
  onFault(fault: unknown): void;
}

/** What a crash can cost: the store's feed tells the next start of it, unless that is lost too. */
const INTERVAL_MS = 2_000;

/** Writes down what was seen revoked, soon after it was seen and at the end. */
export class RevokedKeeper {
  readonly #options: RevokedKeeperOptions;
  readonly #writing: Periodic;
  #written = 0;

  constructor(options: RevokedKeeperOptions) {
    this.#options = options;
    this.#writing = new Periodic(() => this.#save(), INTERVAL_MS);
  }

  /** Never rejects. */
  save(): Promise<void> {
    return this.#writing.now();
  }

  close(): Promise<void> {
    return this.#writing.close();
  }

  async #save(): Promise<void> {
    const { folder, store, knowing, onFault } = this.#options;
    const now = knowing.remembered();
    if (now === null || now.revision === this.#written) return;
    try {
      await writeRevoked(now.known, folder, store);
      this.#written = now.revision;
    } catch (fault) {
      onFault(fault);
    }
  }
}

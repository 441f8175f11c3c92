import type { RegistryFile } from '../../embedded/file.ts';

/**
 * All texts that are kept. A million accounts have about 25 MB of them; beyond that blocks are read
 * from the file each time.
 */
const KEPT_BYTES = 64 * 1024 * 1024;
/** Bytes as they are stored: to make a text of them costs more than to search them. */
const TEXT_SQL = 'SELECT CAST(lines AS BLOB) AS lines FROM list_text WHERE name = ?';

const NONE = new Uint8Array();

/**
 * Blocks of texts as they are stored, kept from the first search on: to read them from SQLite costs
 * more than to search them. Called inside `read` of the file.
 */
export class KeptTexts {
  readonly #file: RegistryFile;
  readonly #kept = new Map<string, Uint8Array>();
  #bytes = 0;
  #looks = 0;

  constructor(file: RegistryFile) {
    this.#file = file;
  }

  /** Empty where there are none. Not to be changed. */
  get(name: string): Uint8Array {
    // Somebody else has touched the file.
    if (this.#looks !== this.#file.looks) this.clear();
    const known = this.#kept.get(name);
    if (known !== undefined) return known;
    const lines = this.#file.get(TEXT_SQL, name)?.lines;
    const read = lines instanceof Uint8Array ? lines : NONE;
    if (this.#bytes + read.byteLength <= KEPT_BYTES) {
      this.#kept.set(name, read);
      this.#bytes += read.byteLength;
    }
    return read;
  }

  /** It is written: before, as the transaction may be undone, or it may not. */
  forget(name: string): void {
    this.#bytes -= this.#kept.get(name)?.byteLength ?? 0;
    this.#kept.delete(name);
  }

  clear(): void {
    this.#kept.clear();
    this.#bytes = 0;
    this.#looks = this.#file.looks;
  }
}

import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, lstatSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { UsageError } from './exit.ts';
import { canAsk, confirm } from './terminal.ts';

/**
 * A place for a secret that is made before the secret is: when the folder is missing or the disk
 * full, nothing has been rotated yet. The file is 0600 and appears whole or not at all.
 */
export class SecretFile {
  readonly path: string;
  readonly #temporary: string;
  readonly #descriptor: number;

  private constructor(path: string, temporary: string, descriptor: number) {
    this.path = path;
    this.#temporary = temporary;
    this.#descriptor = descriptor;
  }

  /** Asks before it replaces a file that is there; `yes` is the answer. */
  static async prepare(path: string, yes: boolean | undefined): Promise<SecretFile> {
    const existing = lstatSync(path, { throwIfNoEntry: false });
    if (existing !== undefined && !existing.isFile())
      throw new UsageError(`${path} is not an ordinary file`);
    if (existing !== undefined && yes !== true) {
      if (!canAsk()) throw new UsageError(`${path} exists: add --yes to replace it`);
      await confirm(`${path} exists. Replace it?`, false);
    }
    const temporary = `${path}.${randomBytes(6).toString('hex')}`;
    try {
      return new SecretFile(path, temporary, openSync(temporary, 'wx', 0o600));
    } catch (error) {
      throw new UsageError(`${path} cannot be written (${(error as NodeJS.ErrnoException).code})`);
    }
  }

  /** Throws the system's error; the secret is then not in the file. */
  write(secret: string): void {
    writeSync(this.#descriptor, `${secret}\n`);
    fsyncSync(this.#descriptor);
    renameSync(this.#temporary, this.path);
  }

  /** Always to be called; what was not written leaves nothing behind. */
  close(): void {
    closeSync(this.#descriptor);
    rmSync(this.#temporary, { force: true });
  }
}

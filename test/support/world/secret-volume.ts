import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * A folder as Kubernetes mounts a Secret: each name is a link through `..data` into a folder of
 * that turn, and a rotation swaps `..data` by one rename (its AtomicWriter).
 */
export class SecretVolume {
  readonly path: string;
  #values: Readonly<Record<string, string>> = {};
  #turn = 0;

  constructor(path: string, values: Readonly<Record<string, string>>) {
    this.path = path;
    mkdirSync(path);
    this.rotate(values);
    for (const name of Object.keys(values)) symlinkSync(join('..data', name), join(path, name));
  }

  file(name: string): string {
    return join(this.path, name);
  }

  /** What is not named stays as it is. All of it is seen at one moment. */
  rotate(values: Readonly<Record<string, string>>): void {
    this.#values = { ...this.#values, ...values };
    const former = join(this.path, `..turn_${this.#turn}`);
    this.#turn += 1;
    const turn = `..turn_${this.#turn}`;
    mkdirSync(join(this.path, turn));
    for (const [name, text] of Object.entries(this.#values))
      writeFileSync(join(this.path, turn, name), text, { mode: 0o600 });
    symlinkSync(turn, join(this.path, '..data_tmp'));
    renameSync(join(this.path, '..data_tmp'), join(this.path, '..data'));
    rmSync(former, { recursive: true, force: true });
  }
}

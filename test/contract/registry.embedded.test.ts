import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { openEmbeddedRegistry } from '../../src/registry/embedded/registry.ts';
import { sealAll } from '../../src/registry/embedded/seal.ts';
import type { RegistryStore } from '../../src/registry/port.ts';
import { type RegistryUnderTest, registryContract } from './registry.ts';

registryContract({
  name: 'SQLite',
  open: async () => new Embedded(await mkdtemp(join(tmpdir(), 'sallyport-registry-'))),
  lacks: {
    freeze: 'the store runs in the process that asks: nothing can freeze one without the other',
    second: 'the store has one owner at a time',
  },
});

class Embedded implements RegistryUnderTest {
  store: RegistryStore;
  readonly #directory: string;
  readonly #path: string;

  constructor(directory: string) {
    this.#directory = directory;
    this.#path = join(directory, 'registry.db');
    this.store = openEmbeddedRegistry(this.#path);
  }

  second(): Promise<RegistryStore> {
    throw new Error('the store has one owner at a time');
  }

  hasty(): Promise<RegistryStore> {
    throw new Error('nothing can freeze it');
  }

  freeze(): void {}

  thaw(): void {}

  async reopen(): Promise<void> {
    await this.store.close();
    this.store = openEmbeddedRegistry(this.#path);
  }

  async wipe(): Promise<void> {
    await this.store.close();
    for (const suffix of ['', '-wal', '-shm']) await rm(this.#path + suffix, { force: true });
    this.store = openEmbeddedRegistry(this.#path);
  }

  async trimFeed(keep: number): Promise<void> {
    await this.#edit('DELETE FROM feed WHERE seq <= (SELECT max(seq) FROM feed) - ?', keep);
  }

  async overwrite(kind: string, key: string, text: string): Promise<void> {
    await this.#edit('UPDATE record SET text = ? WHERE kind = ? AND key = ?', text, kind, key);
  }

  async close(): Promise<void> {
    await this.store.close();
    await rm(this.#directory, { recursive: true, force: true });
  }

  async #edit(sql: string, ...values: (string | number)[]): Promise<void> {
    await this.store.close();
    const database = new DatabaseSync(this.#path);
    database.prepare(sql).run(...values);
    // Somebody wrote this, and did not damage the file.
    sealAll(database);
    database.close();
    this.store = openEmbeddedRegistry(this.#path);
  }
}

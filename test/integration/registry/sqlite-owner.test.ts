import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openEmbeddedRegistry } from '../../../src/registry/embedded/registry.ts';
import { account, creation, idOf, role } from '../../contract/registry-records.ts';

/** Opens the store, writes account 1, says so, and holds on to it until it is killed. */
const OWNER = `
  import { openEmbeddedRegistry } from ${JSON.stringify(new URL('../../../src/registry/embedded/registry.ts', import.meta.url).href)};
  import { account, creation, role } from ${JSON.stringify(new URL('../../contract/registry-records.ts', import.meta.url).href)};
  const store = openEmbeddedRegistry(process.argv[1]);
  await store.initialise([role('viewer')]);
  console.log((await store.commit(creation(account(1)))).committed);
  setInterval(() => {}, 1000);
`;

describe('the embedded store', () => {
  let directory: string;
  let path: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'sallyport-owner-'));
    path = join(directory, 'registry.db');
  });

  afterEach(async () => {
    await rm(directory, { recursive: true, force: true });
  });

  it('has one owner: another process is told so, until the owner is gone; and a kill loses nothing that was acknowledged', async () => {
    const owner = spawn(process.execPath, ['--input-type=module', '-e', OWNER, path], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    expect(String((await once(owner.stdout, 'data'))[0])).toContain('true');
    expect(() => openEmbeddedRegistry(path)).toThrow(
      expect.objectContaining({ name: 'StoreInUse', path }),
    );
    owner.kill('SIGKILL');
    await once(owner, 'exit');
    const store = openEmbeddedRegistry(path);
    expect((await store.account(idOf(1))).account?.name).toBe('account-1');
    await store.close();
  });

  it('is for its owner alone, whatever the umask, and whatever the mode was', async () => {
    await writeFile(path, '');
    await chmod(path, 0o666);
    const store = openEmbeddedRegistry(path);
    await store.initialise([role('viewer')]);
    await store.commit(creation(account(1)));
    for (const file of [path, `${path}-wal`]) expect((await stat(file)).mode & 0o777).toBe(0o600);
    await store.close();
  });

  it.each([
    [
      'something else',
      'not a database at all, but long enough to have a header of its own: it was never one',
    ],
    ['cut off', 'SQLite format 3\0'],
  ])('says what is wrong with a file that is %s, and leaves it as it is', async (_, content) => {
    await writeFile(path, content);
    expect(() => openEmbeddedRegistry(path)).toThrow(
      expect.objectContaining({ name: 'RegistryUnavailable', why: 'damaged' }),
    );
    expect((await stat(path)).size).toBe(content.length);
  });

  it('refuses what a newer version has written', async () => {
    const database = new DatabaseSync(path);
    database.exec('PRAGMA user_version=99');
    database.close();
    expect(() => openEmbeddedRegistry(path)).toThrow(/schema 99/);
  });

  it('refuses a symbolic link and a folder that is not there', async () => {
    await symlink(join(directory, 'elsewhere'), path);
    expect(() => openEmbeddedRegistry(path)).toThrow(
      expect.objectContaining({ why: 'unreachable' }),
    );
    expect(() => openEmbeddedRegistry(join(directory, 'no', 'registry.db'))).toThrow(
      expect.objectContaining({ why: 'unreachable' }),
    );
  });

  it('answers with a fault once it is closed', async () => {
    const store = openEmbeddedRegistry(path);
    await store.initialise([role('viewer')]);
    await store.close();
    await store.close();
    await expect(store.account(idOf(1))).rejects.toMatchObject({
      name: 'RegistryUnavailable',
      why: 'unreachable',
    });
    await expect(store.commit(creation(account(1)))).rejects.toMatchObject({ why: 'unreachable' });
  });
});

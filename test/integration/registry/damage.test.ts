import { randomBytes } from 'node:crypto';
import {
  closeSync,
  copyFileSync,
  mkdtempSync,
  openSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openEmbeddedRegistry } from '../../../src/registry/embedded.ts';
import { RegistryUnavailable } from '../../../src/registry/port.ts';
import { ServedRegistry } from '../../../src/registry/served.ts';
import { account, creation, idOf, role } from '../../contract/registry-records.ts';

const ACCOUNTS = 100;
const PAGE = 4096;
let folder: string;
const whole = () => join(folder, 'whole.db');

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sallyport-damage-'));
  const store = openEmbeddedRegistry(whole());
  await store.initialise([role('viewer')]);
  for (let n = 1; n <= ACCOUNTS; n += 1) await store.commit(creation(account(n)));
  await store.close();
});
afterAll(() => rmSync(folder, { recursive: true }));

/** How many accounts are absent, or the reason for which nothing is said. */
async function absentIn(path: string): Promise<number | string> {
  try {
    const store = openEmbeddedRegistry(path);
    try {
      let absent = 0;
      for (let n = 1; n <= ACCOUNTS; n += 1) {
        const read = await store.account(idOf(n)).catch((fault: unknown) => {
          if (fault instanceof RegistryUnavailable) return null;
          throw fault;
        });
        if (read?.account === null) absent += 1;
      }
      return absent;
    } finally {
      await store.close();
    }
  } catch (fault) {
    return (fault as RegistryUnavailable).why;
  }
}

it('never reads a page that was half overwritten as an account that is not there', async () => {
  expect(await absentIn(whole())).toBe(0);
  const pages = statSync(whole()).size / PAGE;
  let damaged = 0;
  for (let half = 0; half < 2 * pages; half += 1) {
    const path = join(folder, 'damaged.db');
    copyFileSync(whole(), path);
    const file = openSync(path, 'r+');
    writeSync(file, randomBytes(PAGE / 2), 0, PAGE / 2, (half * PAGE) / 2);
    closeSync(file);
    const found = await absentIn(path);
    expect([half, found]).toEqual([half, found === 0 ? 0 : 'damaged']);
    if (found !== 0) damaged += 1;
  }
  expect(damaged).toBeGreaterThan(pages / 2);
});

it('does not take a file that was put back for the present state', async () => {
  const [path, kept] = [join(folder, 'registry.db'), join(folder, 'kept.db')];
  const open = () =>
    openEmbeddedRegistry(
      path,
      new ServedRegistry({ folder, store: 'embedded', remembers: true, held: true }),
    );
  copyFileSync(whole(), path);
  let store = open();
  await store.snapshot();
  await store.close();
  copyFileSync(path, kept);
  store = open();
  await store.commit(creation(account(ACCOUNTS + 1)));
  await store.close();

  copyFileSync(kept, path);
  for (const suffix of ['-wal', '-shm']) rmSync(path + suffix, { force: true });
  store = open();
  await expect(store.account(idOf(ACCOUNTS + 1))).rejects.toMatchObject({ why: 'damaged' });
  await store.close();
});

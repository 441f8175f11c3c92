import { randomBytes } from 'node:crypto';
import {
  closeSync,
  copyFileSync,
  mkdtempSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { encodeRecord, withVersion } from '../../../src/registry/codec.ts';
import { openEmbeddedRegistry } from '../../../src/registry/embedded/registry.ts';
import { REGISTRY_MIGRATIONS } from '../../../src/registry/embedded/schema.ts';
import { sealAll } from '../../../src/registry/embedded/seal.ts';
import { type RegistryStore, RegistryUnavailable } from '../../../src/registry/port.ts';
import { ServedRegistry } from '../../../src/registry/served.ts';
import { account, creation, idOf, role } from '../../contract/registry-records.ts';

const ACCOUNTS = 100;
const LARGE = 8_000;
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

it('misses what was told of lost changes, when it was taken away or altered', async () => {
  const told = [{ account: idOf(1), digests: {}, deleted: true, inactive: false }];
  for (const [edit, why] of [
    ['SELECT 1', 'absent'],
    ['DELETE FROM tombstone', 'damaged'],
    ['DELETE FROM tombstone_state', 'damaged'],
    ["UPDATE tombstone SET text = replace(text, 'true', 'false')", 'damaged'],
    ['UPDATE tombstone_state SET revision = 0', 'damaged'],
  ] as const) {
    const path = join(folder, 'told.db');
    rmSync(path, { force: true });
    copyFileSync(whole(), path);
    const store = openEmbeddedRegistry(path);
    await store.assert(told);
    await store.close();
    const database = new DatabaseSync(path);
    database.exec(edit);
    database.close();
    expect([edit, await absentIn(path)]).toEqual([edit, why === 'absent' ? 1 : why]);
  }
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

const DAMAGED = { name: 'RegistryUnavailable', why: 'damaged' };

function copyOfWhole(name: string): string {
  const path = join(folder, name);
  for (const suffix of ['-wal', '-shm', '']) rmSync(path + suffix, { force: true });
  copyFileSync(whole(), path);
  return path;
}

function edited(name: string, sql: string): string {
  const path = copyOfWhole(name);
  const database = new DatabaseSync(path);
  database.exec(sql);
  database.close();
  return path;
}

it.each([
  [
    'an account',
    `UPDATE record SET text = replace(text, 'active', 'actjve') WHERE key = '${idOf(7)}'`,
  ],
  ['an id', `UPDATE record SET key = 'x' || key WHERE key = '${idOf(7)}'`],
  ['a name', "UPDATE claim SET claim = 'name:nobody' WHERE claim = 'name:account-7'"],
  [
    'the owner of a name',
    `UPDATE claim SET owner = 'account:${idOf(8)}' WHERE claim = 'name:account-7'`,
  ],
  ['who uses a role', "UPDATE reference SET user = user || 'x'"],
  ['the position', 'UPDATE position SET seq = seq + 1'],
])('notices when it is opened that %s was changed in place', (_, sql) => {
  expect(() => openEmbeddedRegistry(edited('changed.db', sql))).toThrow(
    expect.objectContaining({ ...DAMAGED, message: expect.stringContaining('from a backup') }),
  );
});

/** More than SQLite keeps in memory, so that it reads the file. */
function largeFile(): string {
  const path = copyOfWhole('used.db');
  const database = new DatabaseSync(path);
  database.exec('BEGIN');
  const insert = database.prepare(
    "INSERT OR REPLACE INTO record (kind, key, text) VALUES ('account', ?, ?)",
  );
  for (let n = 1; n <= LARGE; n += 1)
    insert.run(idOf(n), withVersion(encodeRecord(account(n, { description: 'x'.repeat(200) })), 9));
  sealAll(database);
  database.exec('COMMIT');
  database.close();
  return path;
}

it.each(['record', 'claim', 'reference', 'known', 'position'])(
  'notices when it is opened that rows of %s are gone',
  (table) => {
    const path = edited('gone.db', `DELETE FROM ${table}`);
    expect(() => openEmbeddedRegistry(path)).toThrow(expect.objectContaining(DAMAGED));
  },
);

it('answers nothing any more after the first sign of damage, and never that there is no account', async () => {
  const path = largeFile();
  const store = openEmbeddedRegistry(path);
  // All pages but the first, which SQLite looks at before every read.
  const size = statSync(path).size;
  const file = openSync(path, 'r+');
  for (let at = PAGE + PAGE / 2; at < size; at += PAGE)
    writeSync(file, randomBytes(PAGE / 2), 0, PAGE / 2, at);
  closeSync(file);
  let refused = 0;
  for (let n = 1; n <= LARGE; n += 1) {
    const found = await store.account(idOf(n)).then(
      ({ account: one }) => one?.id ?? 'absent',
      (fault: RegistryUnavailable) => fault.why,
    );
    if (found === 'damaged') refused += 1;
    else expect([found, refused]).toEqual([idOf(n), 0]);
  }
  expect(refused).toBeGreaterThan(0);
  for (const question of [
    store.snapshot(),
    store.renew({ instance: 'a', leaseMs: 1_000 }),
    store.accountByName('account-1'),
    store.accounts({ cursor: null, limit: 10 }),
    store.commit(creation(account(ACCOUNTS + 1))),
  ])
    await expect(question).rejects.toMatchObject(DAMAGED);
  await store.close();
});

it.each<[string, (path: string) => void]>([
  ['is removed', (path) => rmSync(path)],
  ['loses its write-ahead log', (path) => rmSync(`${path}-wal`)],
  [
    'is replaced',
    (path) => {
      copyFileSync(path, `${path}.copy`);
      renameSync(`${path}.copy`, path);
    },
  ],
])('answers nothing and takes nothing when its file %s while it is in use', async (_, act) => {
  const path = copyOfWhole('lost.db');
  const store: RegistryStore = openEmbeddedRegistry(path);
  await store.commit(creation(account(ACCOUNTS + 1)));
  act(path);
  await expect(store.account(idOf(1))).rejects.toMatchObject(DAMAGED);
  await expect(store.commit(creation(account(ACCOUNTS + 2)))).rejects.toMatchObject(DAMAGED);
  await store.close();
});

it('looks at all of it again when somebody else has written into its file', async () => {
  const path = copyOfWhole('earlier-state.db');
  const store = openEmbeddedRegistry(path);
  // A touch is no damage.
  utimesSync(path, new Date(), new Date(Date.now() + 60_000));
  expect((await store.account(idOf(1))).account?.id).toBe(idOf(1));
  const earlier = copyOfWhole('other.db');
  const database = new DatabaseSync(earlier);
  database.exec(`DELETE FROM record WHERE key = '${idOf(9)}'`);
  sealAll(database);
  database.close();
  // Into the same file, as cp does: all checksums in it fit.
  const file = openSync(path, 'r+');
  writeSync(file, readFileSync(earlier));
  closeSync(file);
  const found = await store.account(idOf(9)).then(
    ({ account: one }) => one?.id ?? 'absent',
    (fault: RegistryUnavailable) => fault.why,
  );
  expect([idOf(9), 'damaged']).toContain(found);
  await store.close();
});

it('takes over a file from before there were checksums, unless it is damaged', async () => {
  const path = join(folder, 'earlier.db');
  const database = new DatabaseSync(path);
  const earlier = REGISTRY_MIGRATIONS.slice(0, 3);
  for (const step of earlier) if (typeof step === 'string') database.exec(step);
  database.exec(`PRAGMA user_version=3; ATTACH '${whole()}' AS now`);
  database.exec('INSERT INTO record SELECT kind, key, text FROM now.record');
  database.exec('INSERT INTO claim SELECT claim, owner FROM now.claim');
  database.exec('INSERT INTO reference SELECT target, user FROM now.reference');
  database.exec('INSERT INTO position SELECT one, epoch, seq FROM now.position');
  database.close();
  const damaged = readFileSync(path);
  expect(await absentIn(path)).toBe(0);
  const store = openEmbeddedRegistry(path);
  await store.commit(creation(account(ACCOUNTS + 1)));
  expect((await store.accountByName(`account-${ACCOUNTS + 1}`))?.id).toBe(idOf(ACCOUNTS + 1));
  await store.close();
  expect(await absentIn(path)).toBe(0);

  randomBytes(PAGE / 2).copy(damaged, damaged.length - PAGE);
  writeFileSync(path, damaged);
  expect(await absentIn(path)).toBe('damaged');
});

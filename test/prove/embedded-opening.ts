/**
 * `npm run prove -- embedded-opening [ACCOUNTS...]`: what it costs that an embedded registry is
 * verified: all of it when it is opened, and a row and the file's identity at each look-up. In
 * processor time, so that other work on the machine does not count. Without numbers it is done for
 * 100,000 and 1,000,000 accounts, and the table in docs/SCALE.md is written.
 */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { decodeAccount, encodeRecord, withVersion } from '../../src/registry/codec.ts';
import { openEmbeddedRegistry } from '../../src/registry/embedded/registry.ts';
import { sealAll } from '../../src/registry/embedded/seal.ts';
import { account, idOf, role } from '../contract/registry-records.ts';
import { conditions, writeSection } from '../support/scale-document.ts';

const OPENINGS = 3;
const LOOK_UPS = 20_000;
const DOCUMENTED = [100_000, 1_000_000];

const asked = process.argv.slice(2).map(Number);
const rows: string[] = [];
for (const size of asked.length > 0 ? asked : DOCUMENTED) await measure(size);
const table = [
  conditions(
    'npm run prove -- embedded-opening',
    `accounts with a name and a role; processor time, the least of ${OPENINGS} openings, and of ${LOOK_UPS} look-ups of accounts all over the file`,
  ),
  '',
  '| accounts | file | opened and verified | per 100,000 accounts | look-up, verified | the same row read and decoded without verifying |',
  '| --- | --- | --- | --- | --- | --- |',
  ...rows,
].join('\n');
console.log(table);
if (asked.length === 0) writeSection('embedded-opening', table);

async function measure(size: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-opening-'));
  const path = join(folder, 'registry.db');
  try {
    await fill(path, size);
    const openings: number[] = [];
    for (let run = 0; run < OPENINGS; run += 1) {
      const began = process.cpuUsage();
      const store = openEmbeddedRegistry(path);
      openings.push(sinceMs(began));
      await store.close();
    }
    const openedMs = Math.min(...openings);
    const verifiedUs = await lookUps(path, size);
    const bareUs = bareLookUps(path, size);
    const cells = [
      String(size),
      `${(statSync(path).size / 1e6).toFixed(0)} MB`,
      `${openedMs.toFixed(0)} ms`,
      `${((openedMs * 100_000) / size).toFixed(0)} ms`,
      `${verifiedUs.toFixed(1)} µs`,
      `${bareUs.toFixed(1)} µs`,
    ];
    rows.push(`| ${cells.join(' | ')} |`);
    console.log(rows.at(-1));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Everything that administration keeps of an account but its lists, which are not verified. */
async function fill(path: string, size: number): Promise<void> {
  const store = openEmbeddedRegistry(path);
  await store.initialise([role('viewer')]);
  await store.close();
  const database = new DatabaseSync(path);
  const record = database.prepare("INSERT INTO record (kind, key, text) VALUES ('account', ?, ?)");
  const claim = database.prepare('INSERT INTO claim (claim, owner) VALUES (?, ?)');
  const use = database.prepare('INSERT INTO reference (target, user) VALUES (?, ?)');
  database.exec('BEGIN');
  for (let n = 0; n < size; n += 1) {
    const owner = `account:${idOf(n)}`;
    record.run(idOf(n), withVersion(encodeRecord(account(n)), 1));
    claim.run(`name:account-${n}`, owner);
    use.run('role:viewer', owner);
  }
  sealAll(database);
  database.exec('COMMIT');
  database.close();
}

async function lookUps(path: string, size: number): Promise<number> {
  const store = openEmbeddedRegistry(path);
  const began = process.cpuUsage();
  for (let n = 0; n < LOOK_UPS; n += 1) await store.account(idOf((n * 7919) % size));
  const us = (1e3 * sinceMs(began)) / LOOK_UPS;
  await store.close();
  return us;
}

function bareLookUps(path: string, size: number): number {
  const database = new DatabaseSync(path, { readOnly: true });
  const read = database.prepare("SELECT text FROM record WHERE kind = 'account' AND key = ?");
  const began = process.cpuUsage();
  for (let n = 0; n < LOOK_UPS; n += 1) {
    const id = idOf((n * 7919) % size);
    decodeAccount(id, String(read.get(id)?.text));
  }
  const us = (1e3 * sinceMs(began)) / LOOK_UPS;
  database.close();
  return us;
}

function sinceMs(began: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(began);
  return (user + system) / 1e3;
}

import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, it, onTestFinished } from 'vitest';
import { EmbeddedUsage, openUsage } from '../../../src/stats/usage/embedded.ts';
import { StoreInUse } from '../../../src/store/fault.ts';

it('puts a damaged file aside and begins another, but never one that is in use', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-usage-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'usage.db');
  writeFileSync(path, 'garbage'.repeat(1000));
  const told: unknown[] = [];
  const usage = openUsage(path, (fault) => told.push(fault));
  const texts = { account: 'a', application: 'b', route: 'c' };
  await usage.writeMinute(60, 'i', texts);
  expect(await usage.minutes('route', 1)).toEqual([{ at: 60, text: 'c' }]);
  expect(told).toMatchObject([{ why: 'damaged' }]);
  expect(readFileSync(`${path}.damaged`, 'utf8')).toContain('garbage');
  expect(() => openUsage(path, () => told.push('in use'))).toThrow(StoreInUse);
  expect(told).toHaveLength(1);
  await usage.close();
});

it('puts a file aside whose damage is met only when a table is added', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-usage-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'usage.db');
  await new EmbeddedUsage(path).close();
  // As an earlier version left it; its first free page (sqlite.org/fileformat.html) is nowhere.
  const database = new DatabaseSync(path);
  database.exec('DROP TABLE revision');
  database.close();
  writeFileSync(path, readFileSync(path).fill(0xff, 32, 36));
  const told: unknown[] = [];
  const usage = openUsage(path, (fault) => told.push(fault));
  expect(told).toMatchObject([{ why: 'damaged' }]);
  expect(existsSync(`${path}.damaged`)).toBe(true);
  await usage.close();
});

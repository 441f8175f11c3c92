import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { openUsage } from '../../../src/stats/usage/embedded.ts';
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

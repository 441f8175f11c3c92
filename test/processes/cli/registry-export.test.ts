import { cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TransferPage } from '../../../src/admin/transferred.ts';
import { EMBEDDED, owner, Shell } from '../../support/shell.ts';

const ACCOUNTS = 600;

describe('an export of the registry that was broken off', () => {
  const shell = new Shell();
  const store = ['--config', 'sallyport.yaml'];
  let first: TransferPage;

  beforeAll(async () => {
    shell.write('sallyport.yaml', EMBEDDED);
    await shell.prepare(async (admin) => {
      await admin.createRole(owner, { name: 'viewer', permissions: ['apps:read'] });
      for (let n = 0; n < ACCOUNTS; n += 1)
        await admin.declareServiceAccount(owner, { name: `account-${n}`, role: 'viewer' });
      first = await admin.exportRecords(owner, {});
    });
  });
  afterAll(() => shell.close());

  it('goes on after the last whole record, and comes to the same file', async () => {
    expect(await shell.run('registry', 'export', 'whole.ndjson', ...store)).toMatchObject({
      code: 0,
    });
    const whole = readFileSync(shell.path('whole.ndjson'), 'utf8');
    const lines = whole.split('\n');
    const { records, next } = first;
    expect(next).not.toBeNull();
    // As a command leaves it that was killed within its second page: half a line too many.
    const counted = `${lines.slice(0, records.length + 1).join('\n')}\n`;
    const half = `${counted}${lines[records.length + 1]?.slice(0, 40)}`;
    writeFileSync(shell.path('again.ndjson.part'), half, { mode: 0o600 });
    const wanted = JSON.stringify({ registry: shell.path('store') });
    const note = { wanted, since: null, until: null, startedMs: 1, whole: false };
    const state = {
      ...note,
      bytes: Buffer.byteLength(counted),
      events: records.length,
      cursor: next,
    };
    shell.write('again.ndjson.part.json', JSON.stringify(state));
    const again = await shell.run('registry', 'export', 'again.ndjson', ...store);
    expect([again.code, again.err]).toEqual([
      0,
      expect.stringContaining(`Going on with again.ndjson.part after ${records.length} records`),
    ]);
    expect(readFileSync(shell.path('again.ndjson'), 'utf8')).toBe(whole);
    expect(existsSync(shell.path('again.ndjson.part'))).toBe(false);
  });

  it('takes the place of no file, and is no half of another export', async () => {
    const taken = await shell.run('registry', 'export', 'whole.ndjson', ...store);
    expect([taken.code, taken.err]).toEqual([2, expect.stringContaining('exists already')]);
    const other = { wanted: '{}', since: null, until: null, startedMs: 1, whole: false };
    shell.write('other.ndjson.part', 'x');
    shell.write(
      'other.ndjson.part.json',
      JSON.stringify({ ...other, bytes: 1, events: 1, cursor: 'x' }),
    );
    const mixed = await shell.run('registry', 'export', 'other.ndjson', ...store);
    expect([mixed.code, mixed.err]).toEqual([
      2,
      expect.stringContaining('an unfinished export of something else'),
    ]);
  });

  it('is not gone on with from another store', async () => {
    cpSync(shell.path('store'), shell.path('copy'), { recursive: true });
    shell.write('copy.yaml', EMBEDDED.replace('dataDir: ./store', 'dataDir: ./copy'));
    // As the program writes it when it is broken off: begun from the store and nothing yet written.
    const begun = (folder: string) => ({
      ...{ wanted: JSON.stringify({ registry: shell.path(folder) }), since: null, until: null },
      ...{ startedMs: 1, bytes: 0, events: 0, cursor: null, whole: false },
    });
    shell.write('two.ndjson.part', '');
    shell.write('two.ndjson.part.json', JSON.stringify(begun('store')));
    const other = await shell.run('registry', 'export', 'two.ndjson', '--config', 'copy.yaml');
    expect([other.code, other.err]).toEqual([
      2,
      expect.stringContaining('an unfinished export of something else'),
    ]);
    const same = await shell.run('registry', 'export', 'two.ndjson', ...store);
    expect(same.code).toBe(0);
  });
});

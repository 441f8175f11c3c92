import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { verifyAudit } from '../../../../src/admin/verify-audit.ts';
import { SpoolFolder } from '../../../../src/audit/spool/folder.ts';
import { scanSpool } from '../../../../src/audit/spool/scan.ts';
import { systemClock } from '../../../../src/clock.ts';
import { batchOf } from '../../../support/audit-batch.ts';
import { LogInstance, makeLogKey } from '../../../support/chained-log.ts';
import { unreadableFiles } from './files.ts';

const BOUNDS = { maxBytes: 16 * 1024 * 1024, keep: { bytes: 0, ms: 0 } };
const KEY = makeLogKey();
let dataDir: string;
let root: string;
let spool: SpoolFolder;

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'spool-scan-'));
  root = join(dataDir, 'spool');
  spool = SpoolFolder.create(root, 'gate-a.1', BOUNDS, systemClock, unreadableFiles(root));
});
afterEach(async () => {
  await spool.close();
  rmSync(dataDir, { recursive: true, force: true });
});

/** Some calls, signed, and those of them that go to the spool. */
function signedLog(): readonly string[] {
  const log = new LogInstance('gate-a.1', KEY, null, () => new Date().toISOString());
  for (let n = 0; n < 30; n += 1) {
    log.call(n % 7 === 0);
    if (n % 10 === 9) log.sign();
  }
  return log.lines;
}

async function put(lines: readonly string[], first: number, count: number): Promise<void> {
  const some = lines.slice(first - 1, first - 1 + count);
  const entries = some.map((event) => ({ event, account: null }));
  await spool.write(batchOf('gate-a.1', first, entries));
}

async function verified(path: string) {
  const scan = scanSpool(path)!;
  const result = await verifyAudit(scan.record, { part: true, sparse: true });
  const { damaged } = scan;
  await scan.close();
  return { ...result, damaged };
}

const WHOLE = { gaps: 0, edits: 0, findings: [], damaged: 0, elsewhere: 0, unanchored: 0 };

describe('a spool that is verified', () => {
  it('is whole, named by any of its folders, while its gate goes on writing', async () => {
    const lines = signedLog();
    await put(lines, 1, 20);
    const folder = join(root, 'gate-a.1');
    const segment = join(folder, readdirSync(folder).find((name) => name.endsWith('.spool'))!);
    const before = readFileSync(segment);
    for (const path of [dataDir, root, folder, segment])
      expect(await verified(path)).toMatchObject({ ...WHOLE, events: 20, heads: 1 });
    expect(readFileSync(segment)).toEqual(before);
    await put(lines, 21, 13);
    expect(await verified(root)).toMatchObject({ ...WHOLE, events: 33, heads: 2 });
  });

  it('may lack what the store has accepted at once, and its end', async () => {
    const lines = signedLog();
    await put(lines, 5, 6);
    await put(lines, 21, 4);
    expect(await verified(root)).toMatchObject({ ...WHOLE, elsewhere: 10 });
  });

  it('does not hide what was changed, and tells what holds no record', async () => {
    const lines = signedLog().map((line) => line.replace('/things/3"', '/things/9"'));
    await put(lines, 1, 25);
    const { findings, edits } = await verified(root);
    expect([edits, findings]).toMatchObject([1, [{ kind: 'changed', firstSeq: 2, lastSeq: 8 }]]);
    const folder = join(root, 'gate-a.1');
    const segment = join(folder, readdirSync(folder).find((name) => name.endsWith('.spool'))!);
    const record = readFileSync(segment);
    const aside = join(dataDir, '00000001.spool');
    writeFileSync(aside, Buffer.concat([Buffer.from('x'.repeat(100)), record]));
    expect(await verified(aside)).toMatchObject({ events: 25, damaged: 100 });
    appendFileSync(aside, record.subarray(0, 200));
    expect(await verified(aside)).toMatchObject({ events: 25, damaged: 100 });
  });

  it('is empty where the store has everything, and none where there is no spool', async () => {
    const other = join(dataDir, 'other');
    mkdirSync(other);
    expect(scanSpool(other)).toBeNull();
    mkdirSync(join(other, 'spool'));
    expect(await verified(other)).toMatchObject({ ...WHOLE, events: 0 });
    writeFileSync(join(other, 'export.jsonl'), '');
    expect(scanSpool(join(other, 'export.jsonl'))).toBeNull();
  });
});

import {
  closeSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { EventBatch } from '../../../../src/audit/batch.ts';
import { SpoolFolder } from '../../../../src/audit/spool/folder.ts';
import { LeftFolder } from '../../../../src/audit/spool/left-folder.ts';
import { lastSeqOf } from '../../../../src/audit/spool/merge.ts';
import { readFault, SegmentUnreadable } from '../../../../src/audit/spool/unreadable.ts';
import { systemClock } from '../../../../src/clock.ts';
import { batchOf, entriesOf } from '../../../support/audit-batch.ts';
import { unreadableFiles } from './files.ts';

const BOUNDS = { maxBytes: 1024 * 1024, keep: { bytes: 0, ms: 0 } };
let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'spool-'));
});
afterEach(() => {
  for (const path of [root, `${root}-unreadable`]) rmSync(path, { recursive: true, force: true });
});

/** Segments of two events each. */
async function written(spool: SpoolFolder, first: number, last: number): Promise<void> {
  for (let seq = first; seq <= last; seq += 1) {
    const event = JSON.stringify({ seq, fill: 'x'.repeat(40_000) });
    await spool.write(batchOf('gate', seq, [{ event, account: 'svc_a' }]));
  }
}

const segments = () =>
  readdirSync(join(root, 'gate'))
    .filter((name) => name.endsWith('.spool'))
    .map((name) => join(root, 'gate', name));

/** Reads of it fail with EIO, as those of a disk that dies. */
function breakFile(path: string): void {
  renameSync(path, join(root, 'whole'));
  symlinkSync('/proc/self/mem', path);
}

function mend(path: string): void {
  unlinkSync(path);
  renameSync(join(root, 'whole'), path);
}

async function readAll(spool: Pick<SpoolFolder, 'next'>, done: (lastSeq: number) => void) {
  const seqs: number[] = [];
  for (let batch = await spool.next(); batch !== null; batch = await spool.next()) {
    seqs.push(...seqsOf(batch));
    done(lastSeqOf(batch));
  }
  return seqs;
}

const seqsOf = (batch: EventBatch) =>
  entriesOf(batch).map(({ event }) => JSON.parse(event).seq as number);

async function left(patienceMs: number, told: string[]) {
  const gone = new LeftFolder(root, 'gate', unreadableFiles(root, patienceMs, told));
  let held = 0;
  try {
    const next = () => gone.next(held);
    const seqs = await readAll({ next }, (lastSeq) => {
      held = lastSeq;
    });
    await gone.remove();
    return { seqs, unreadable: gone.unreadable };
  } finally {
    await gone.close();
  }
}

describe('a file of the spool that cannot be read', () => {
  it('is waited for, is told of once, and loses nothing when it can be read again', async () => {
    const told: string[] = [];
    const files = unreadableFiles(root, 60_000, told);
    const spool = SpoolFolder.create(root, 'gate', BOUNDS, systemClock, files);
    await written(spool, 1, 6);
    const [, second = ''] = segments();
    breakFile(second);
    const batch = await spool.next();
    expect(seqsOf(batch!)).toEqual([1, 2]);
    spool.accepted(2);
    for (let count = 0; count < 3; count += 1)
      await expect(spool.next()).rejects.toThrow(SegmentUnreadable);
    expect(files.problem).toContain(`${second} (EIO)`);
    mend(second);
    expect(await readAll(spool, (seq) => spool.accepted(seq))).toEqual([3, 4, 5, 6]);
    expect(told).toEqual(['unreadable EIO', 'readable']);
    expect(files.problem).toBe(null);
    await spool.close();
  });

  it('holds up the others no longer than that, and is kept for whoever can get more out of it', async () => {
    const told: string[] = [];
    const files = unreadableFiles(root, 0, told);
    const spool = SpoolFolder.create(root, 'gate', BOUNDS, systemClock, files);
    await written(spool, 1, 6);
    breakFile(segments()[1]!);
    expect(await readAll(spool, (seq) => spool.accepted(seq))).toEqual([1, 2, 5, 6]);
    expect(spool.hasLost(3, 4)).toBe(true);
    expect(spool.hasLost(5, 6)).toBe(false);
    await expect.poll(() => told).toEqual(['unreadable EIO', 'set aside']);
    await expect.poll(() => files.problem).toContain('could not be read: 1 in ');
    expect(readdirSync(`${root}-unreadable`)).toEqual(['gate-00000002.spool']);
    await expect.poll(() => spool.bytes).toBe(0);
    await spool.close();
    expect(readdirSync(root)).toEqual(['whole']);
  });

  it('is written to no more when it is the newest, and what comes then is read', async () => {
    const spool = SpoolFolder.create(root, 'gate', BOUNDS, systemClock, unreadableFiles(root, 0));
    await written(spool, 1, 3);
    breakFile(segments().at(-1)!);
    expect(await readAll(spool, (seq) => spool.accepted(seq))).toEqual([1, 2]);
    expect(await spool.givesUp()).toBe(true);
    expect(spool.isCaughtUp).toBe(true);
    await written(spool, 4, 5);
    expect(await readAll(spool, (seq) => spool.accepted(seq))).toEqual([4, 5]);
    await spool.close();
  });

  it('in the folder of an instance that is gone is treated alike', async () => {
    const spool = SpoolFolder.create(root, 'gate', BOUNDS, systemClock, unreadableFiles(root));
    await written(spool, 1, 6);
    await spool.close();
    const [, second = ''] = segments();
    renameSync(second, join(root, 'whole'));
    // Not empty, and no file: EISDIR.
    mkdirSync(second);
    const told: string[] = [];
    await expect(left(60_000, told)).rejects.toThrow(SegmentUnreadable);
    rmSync(second, { recursive: true });
    renameSync(join(root, 'whole'), second);
    expect(await left(60_000, told)).toEqual({ seqs: [1, 2, 3, 4, 5, 6], unreadable: 0 });
    expect(told[0]).toBe('unreadable EISDIR');
  });

  it('there is set aside, and the folder goes', async () => {
    const spool = SpoolFolder.create(root, 'gate', BOUNDS, systemClock, unreadableFiles(root));
    await written(spool, 1, 6);
    await spool.close();
    rmSync(segments()[1]!);
    mkdirSync(join(root, 'gate', '00000002.spool'));
    const told: string[] = [];
    expect(await left(0, told)).toEqual({ seqs: [1, 2, 5, 6], unreadable: 1 });
    expect(existsSync(join(root, 'gate'))).toBe(false);
    expect(readdirSync(`${root}-unreadable`)).toEqual(['gate-00000002.spool']);
  });

  it('for want of descriptors or memory is no fault of the file', () => {
    for (const code of ['EMFILE', 'ENFILE', 'ENOMEM']) {
      const fault = Object.assign(new Error(code), { code });
      expect(readFault('x', fault)).toBe(fault);
    }
    expect(readFault('x', Object.assign(new Error(), { code: 'EACCES' }))).toBeInstanceOf(
      SegmentUnreadable,
    );
  });
});

it('keeps the newest 64 of the files that were set aside', async () => {
  mkdirSync(`${root}-unreadable`);
  for (let at = 0; at < 70; at += 1)
    closeSync(openSync(join(`${root}-unreadable`, `old-${at}`), 'w'));
  mkdirSync(join(root, 'gate'));
  const path = join(root, 'gate', '00000001.spool');
  const file = openSync(path, 'w');
  ftruncateSync(file, 10);
  closeSync(file);
  await unreadableFiles(root).setAside(path);
  await expect.poll(() => readdirSync(`${root}-unreadable`).length).toBe(64);
  expect(readdirSync(`${root}-unreadable`)).toContain('gate-00000001.spool');
});

import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { EventBatch } from '../../../../src/audit/batch.ts';
import { SpoolFolder } from '../../../../src/audit/spool/folder.ts';
import { LeftFolder } from '../../../../src/audit/spool/left-folder.ts';
import { lastSeqOf, merged } from '../../../../src/audit/spool/merge.ts';
import { systemClock } from '../../../../src/clock.ts';
import { lockFolder } from '../../../../src/store/folder-lock.ts';
import { batchOf, entriesOf } from '../../../support/audit-batch.ts';
import { unreadableFiles } from './files.ts';

const MIB = 1024 * 1024;
const NOTHING_KEPT = { bytes: 0, ms: 0 };
let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'spool-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const folder = (maxBytes = 16 * MIB, keep = NOTHING_KEPT) =>
  SpoolFolder.create(root, 'gate', { maxBytes, keep }, systemClock, unreadableFiles(root));

function events(firstSeq: number, count: number, account: string | null = 'svc_a', size = 10) {
  const entries = Array.from({ length: count }, (_, at) => ({
    event: JSON.stringify({ seq: firstSeq + at, fill: 'x'.repeat(size) }),
    account,
  }));
  return batchOf('gate', firstSeq, entries);
}

const seqsOf = (batch: EventBatch | null) =>
  batch === null ? [] : entriesOf(batch).map(({ event }) => JSON.parse(event).seq as number);

function segment(at = 0): string {
  const path = join(root, 'gate');
  const name = readdirSync(path).filter((one) => one.endsWith('.spool'))[at];
  return join(path, name ?? '');
}

async function left(after = 0): Promise<{ seqs: number[]; damaged: number }> {
  const gone = new LeftFolder(root, 'gate', unreadableFiles(root));
  const seqs: number[] = [];
  for (let held = after; ; ) {
    const batch = await gone.next(held);
    if (batch === null) break;
    seqs.push(...seqsOf(batch));
    held = lastSeqOf(batch);
  }
  const { damaged } = gone;
  await gone.close();
  return { seqs, damaged };
}

const upTo = (last: number, first = 1) =>
  Array.from({ length: last - first + 1 }, (_, at) => first + at);

describe('the spool on disk', () => {
  it('gives back what was written, in order, with accounts and notes, and is empty then', async () => {
    const spool = folder();
    await spool.write({ ...events(1, 2), notes: { anew: true, text: '+a 0\n' } });
    await spool.write({ ...events(3, 1, null), notes: { anew: false, text: '-a\n' } });
    await spool.write({ ...events(4, 1, 'svc_b'), notes: { anew: false, text: '+b 0\n' } });
    const batch = await spool.next();
    expect(seqsOf(batch)).toEqual([1, 2, 3, 4]);
    expect(entriesOf(batch!).map(({ account }) => account)).toEqual([
      'svc_a',
      'svc_a',
      null,
      'svc_b',
    ]);
    expect(batch?.notes).toEqual({ anew: true, text: '+a 0\n-a\n+b 0\n' });
    spool.accepted(4);
    await expect.poll(() => spool.bytes).toBe(0);
    expect(spool.isCaughtUp).toBe(true);
    await spool.close();
    expect(readdirSync(root)).toEqual([]);
  });

  it('forgets what was noted before notes were written anew', () => {
    const notes = [
      { anew: false, text: '+a 0\n' },
      { anew: true, text: '+b 0\n' },
      { anew: false, text: '-b\n' },
    ];
    const batches = notes.map((one, at) => ({ ...events(at + 1, 1), notes: one }));
    expect(merged(batches).notes).toEqual({ anew: true, text: '+b 0\n-b\n' });
  });

  it('is read while it is written, over many segments', async () => {
    const spool = folder(MIB);
    const seqs: number[] = [];
    for (let seq = 1; seq <= 40; seq += 1) {
      await spool.write(events(seq, 1, 'svc_a', 40_000));
      if (seq % 7 !== 0) continue;
      for (let batch = await spool.next(); batch !== null; batch = await spool.next()) {
        seqs.push(...seqsOf(batch));
        spool.accepted(lastSeqOf(batch));
      }
    }
    expect(seqs).toEqual(upTo(35));
    await spool.close();
    expect((await left(35)).seqs).toEqual(upTo(40, 36));
  });

  it('does not write a batch twice', async () => {
    const spool = folder();
    await spool.write(events(1, 3));
    const { bytes } = spool;
    await spool.write(events(1, 3));
    expect(spool.bytes).toBe(bytes);
    await spool.close();
  });

  it('takes nothing beyond its bound, and takes more once there is room', async () => {
    const spool = folder(MIB);
    await spool.write(events(1, 1, 'svc_a', 600_000));
    await expect(spool.write(events(2, 1, 'svc_a', 600_000))).rejects.toThrow('the spool is full');
    spool.accepted(1);
    await expect.poll(() => spool.bytes).toBe(0);
    await spool.write(events(2, 1, 'svc_a', 600_000));
    await spool.close();
    expect((await left()).seqs).toEqual([2]);
  });

  it('lets events without an account take a quarter of it', async () => {
    const spool = folder(MIB);
    await spool.write(events(1, 1, 'svc_a', 600_000));
    expect(spool.strangersFull).toBe(false);
    await spool.write(events(2, 1, null, 270_000));
    expect(spool.strangersFull).toBe(true);
    spool.accepted(2);
    expect(spool.strangersFull).toBe(false);
    await spool.close();
  });

  it('keeps what was accepted as far as it shall, and gives it out again', async () => {
    const spool = folder(16 * MIB, { bytes: MIB, ms: 60_000 });
    for (let seq = 1; seq <= 4; seq += 1) await spool.write(events(seq, 1));
    await spool.next();
    spool.accepted(4);
    expect(await spool.next()).toBe(null);
    expect(await spool.rewind(2, 5)).toBe(true);
    expect(seqsOf(await spool.next())).toEqual([3, 4]);
    expect(await spool.rewind(4, 5)).toBe(false);
    await spool.close();
  });

  it.each([1, 11, 12, 40, 200])('ends at a tail that lacks %i bytes', async (bytes) => {
    const spool = folder();
    for (let seq = 1; seq <= 3; seq += 1) await spool.write(events(seq, 1, 'svc_a', 200));
    await spool.close();
    truncateSync(segment(), readFileSync(segment()).length - bytes);
    expect(await left()).toEqual({ seqs: [1, 2], damaged: 0 });
  });

  it('passes over a file that somebody has removed', async () => {
    const spool = folder(MIB);
    for (let seq = 1; seq <= 20; seq += 1) await spool.write(events(seq, 1, 'svc_a', 40_000));
    rmSync(segment());
    const seqs: number[] = [];
    for (let batch = await spool.next(); batch !== null; batch = await spool.next()) {
      seqs.push(...seqsOf(batch));
      spool.accepted(lastSeqOf(batch));
    }
    expect(seqs[0]).toBeGreaterThan(1);
    expect(seqs).toEqual(upTo(20, seqs[0]));
    await spool.close();
  });

  it('is made again when somebody has removed its folder', async () => {
    const spool = folder(MIB);
    await spool.write(events(1, 2, 'svc_a', 40_000));
    rmSync(join(root, 'gate'), { recursive: true });
    // The file that was open is written to, and gone.
    await spool.write(events(3, 1, 'svc_a', 40_000));
    for (let seq = 4; seq <= 6; seq += 1) await spool.write(events(seq, 1, 'svc_a', 40_000));
    const seqs = seqsOf(await spool.next());
    expect(seqs.length).toBeGreaterThan(0);
    expect(seqs).toEqual(upTo(6, seqs[0]));
    expect(lockFolder(join(root, 'gate'))).toBe(null);
    await spool.close();
  });

  it('takes a record for damage whose head no gate has written', async () => {
    const spool = folder();
    await spool.write(events(1, 1));
    await spool.write({ ...events(2, 1), accounts: undefined as unknown as string[] });
    await spool.write(events(3, 1));
    await spool.close();
    const { seqs, damaged } = await left();
    expect(seqs).toEqual([1, 3]);
    expect(damaged).toBeGreaterThan(0);
  });

  it('finds every flipped bit, passes that record over, and says so', async () => {
    const spool = folder();
    for (let seq = 1; seq <= 3; seq += 1) await spool.write(events(seq, 1));
    await spool.close();
    const whole = readFileSync(segment());
    const length = whole.length / 3;
    for (let at = length; at < 2 * length; at += 1) {
      const damaged = Buffer.from(whole);
      damaged[at] = damaged[at]! ^ (1 << (at % 8));
      writeFileSync(segment(), damaged);
      expect(await left()).toEqual({ seqs: [1, 3], damaged: length });
    }
  });

  it('goes on in another segment after a write that failed', async () => {
    const spool = folder();
    await spool.write(events(1, 1));
    const bad = { ...events(2, 1), lines: undefined as unknown as Buffer };
    await expect(spool.write(bad)).rejects.toThrow('cannot be written');
    await spool.write(events(2, 1));
    expect(seqsOf(await spool.next())).toEqual([1, 2]);
    await spool.close();
    expect(await left()).toEqual({ seqs: [1, 2], damaged: 0 });
  });

  it('is locked for as long as it is open', async () => {
    const spool = folder();
    await spool.write(events(1, 1));
    expect(lockFolder(join(root, 'gate'))).toBe(null);
    await spool.close();
    const lock = lockFolder(join(root, 'gate'));
    expect(lock).not.toBe(null);
    lock?.release();
  });
});

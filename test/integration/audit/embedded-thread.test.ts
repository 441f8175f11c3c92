import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { AuditWorker } from '../../../src/audit/log/embedded/thread.ts';
import { AuditUnavailable } from '../../../src/audit/port.ts';

const BAD_WORKER = new URL('./bad-worker.ts', import.meta.url);
const LINES = new TextEncoder().encode('{}\n');
const APPEND = {
  op: 'append',
  instance: 'i',
  firstSeq: 1,
  count: 1,
  lines: LINES,
  accounts: [],
  marks: new Uint8Array(2),
} as const;

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sallyport-audit-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

function workerThat(fails: string, timeoutMs: number): AuditWorker {
  const settings = {
    path: join(directory, fails),
    retentionDays: 1,
    maxBytes: 0,
    activityPerAccount: 1,
  };
  return new AuditWorker(settings, timeoutMs, BAD_WORKER);
}

it('turns the death of the worker into an unavailable log, and starts another for the next batch', async () => {
  const worker = workerThat('die', 5000);
  try {
    await expect(worker.ask(APPEND)).rejects.toThrow(/the disk is gone/);
    await expect(worker.ask(APPEND)).resolves.toEqual({});
  } finally {
    await worker.close(100);
  }
});

it('gives up on a worker that hangs, and does not pile batches on it', async () => {
  const worker = workerThat('hang', 100);
  try {
    await worker.ready();
    await expect(worker.ask(APPEND)).rejects.toThrow(/within 100 ms/);
    await expect(worker.ask(APPEND)).rejects.toThrow(/still busy/);
  } finally {
    await worker.close(50);
  }
  await expect(worker.ask(APPEND)).rejects.toThrow(AuditUnavailable);
});

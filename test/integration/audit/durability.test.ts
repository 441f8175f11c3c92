import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openEmbeddedAudit } from '../../../src/audit/log/embedded/log.ts';
import { everySeq } from '../../contract/audit.ts';
import { batchOf } from '../../support/audit-batch.ts';

const WRITER = new URL('./writer.ts', import.meta.url);

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sallyport-audit-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

function open(options: { maxBytes?: number } = {}) {
  return openEmbeddedAudit({
    path: join(directory, 'audit.db'),
    retention: { days: 90, maxBytes: options.maxBytes ?? 0 },
    activityPerAccount: 10,
  });
}

it('has every event that was accepted, and no hole, after the process was killed', async () => {
  const child = spawn(process.execPath, [fileURLToPath(WRITER), join(directory, 'audit.db')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const gone = once(child, 'exit');
  let accepted = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    accepted = Number(line);
    if (accepted >= 500) child.kill('SIGKILL');
  }
  await gone;

  const audit = await open();
  try {
    const kept = await everySeq(audit, 'writer');
    expect(accepted).toBeGreaterThanOrEqual(500);
    expect(kept.length).toBeGreaterThanOrEqual(accepted);
    expect(kept).toEqual(Array.from({ length: kept.length }, (_, i) => i + 1));
  } finally {
    await audit.close();
  }
});

it('keeps its files from other users', async () => {
  const audit = await open();
  try {
    await audit.append(batchOf('mode', 1, [{ event: '{}', account: null }]));
    for (const name of ['audit.db', 'audit.db-wal'])
      expect((await stat(join(directory, name))).mode & 0o777).toBe(0o600);
  } finally {
    await audit.close();
  }
});

it('lets the oldest events go when the file is larger than it may be', async () => {
  const audit = await open({ maxBytes: 1024 * 1024 });
  try {
    const pad = 'x'.repeat(1000);
    for (let seq = 1; seq <= 6000; seq += 500) {
      const entries = Array.from({ length: 500 }, (_, i) => ({
        event: JSON.stringify({ instance: 'size', seq: seq + i, pad }),
        account: null,
      }));
      await audit.append(batchOf('size', seq, entries));
    }
    await expect
      .poll(async () => (await everySeq(audit, 'size')).length, { timeout: 30_000 })
      .toBeLessThan(2000);
    const kept = await everySeq(audit, 'size');
    expect(kept.at(-1)).toBe(6000);
  } finally {
    await audit.close();
  }
});

it('says which process holds the file, and what it cannot open', async () => {
  const audit = await open();
  try {
    await expect(open()).rejects.toThrow(/audit\.db is in use by another process/);
  } finally {
    await audit.close();
  }
  await expect(
    openEmbeddedAudit({
      path: join(directory, 'absent', 'audit.db'),
      retention: { days: 1, maxBytes: 0 },
      activityPerAccount: 10,
    }),
  ).rejects.toThrow(/cannot be opened/);
});

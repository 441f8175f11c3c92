import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { AuditFile } from '../../../src/audit/log/embedded/file.ts';

const DAY_MS = 24 * 3600 * 1000;

let directory: string;
let file: AuditFile;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sallyport-audit-'));
  file = new AuditFile({
    path: join(directory, 'audit.db'),
    retentionDays: 90,
    maxBytes: 0,
    activityPerAccount: 3,
  });
});
afterEach(() => {
  file.close();
  rmSync(directory, { recursive: true });
});

function append(firstSeq: number, count: number, nowMs: number): void {
  const events = Array.from({ length: count }, (_, i) => String(firstSeq + i));
  file.append(
    'unit',
    firstSeq,
    events,
    events.map(() => 'accountFile1'),
    nowMs,
  );
}

/** Prunes as the log does: lump by lump until there is nothing left to do. */
function prune(nowMs: number): void {
  for (let due = file.due(nowMs); due !== null; due = file.due(nowMs)) file.cut(due, null);
}

it('lets events go after their days, however many there are, and no newer one', () => {
  append(1, 1800, 0);
  append(1801, 5, 30 * DAY_MS);
  prune(89 * DAY_MS);
  expect(file.read(null, null, 5000).events).toHaveLength(1805);
  prune(91 * DAY_MS);
  expect(file.read(null, null, 5000).events).toEqual(['1805', '1804', '1803', '1802', '1801']);
});

it('still knows a batch whose events are gone from the file', () => {
  append(1, 10, 0);
  append(11, 1, 88 * DAY_MS);
  prune(91 * DAY_MS);
  append(6, 10, 91 * DAY_MS);
  expect(file.read(null, null, 100).events).toEqual(['15', '14', '13', '12', '11']);
});

it('keeps the whole record though an activity log shows its newest only', () => {
  append(1, 10, 0);
  expect(file.read('accountFile1', null, 100)).toMatchObject({
    events: ['10', '9', '8'],
    next: null,
  });
  expect(file.read('accountFile1', 9, 100).events).toEqual(['8']);
  expect(file.read(null, null, 100).events).toHaveLength(10);
});

it('pages by a cursor that new events do not move', () => {
  append(1, 5, 0);
  const first = file.read(null, null, 2);
  append(6, 1, 0);
  expect(first.events).toEqual(['5', '4']);
  expect(file.read(null, first.next, 2)).toMatchObject({ events: ['3', '2'] });
  expect(file.read(null, 2, 2)).toMatchObject({ events: ['1'], next: null });
});

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { verifyAudit } from '../../src/admin/verify-audit.ts';
import { openEmbeddedAudit } from '../../src/audit/log/embedded/log.ts';
import { batchOf } from '../support/audit-batch.ts';
import { type SigningWitness, signingWitness } from '../support/cut-witness.ts';
import { knownKey, makeHistory } from '../support/history.ts';

const HOUR_MS = 3600 * 1000;
const BOUND = { timeout: 30_000 };
const WHOLE = { gaps: 0, edits: 0, findings: [], unproven: 0, unanchored: 0 };

let directory: string;
let path: string;
let witness: SigningWitness;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sallyport-trimmed-'));
  path = join(directory, 'audit.db');
  witness = signingWitness('cutter');
  const audit = await open();
  await audit.close();
  layTwoDays();
});
afterEach(() => rm(directory, { recursive: true, force: true }));

function open(retention = { days: 90, maxBytes: 0 }) {
  return openEmbeddedAudit({ path, retention, activityPerAccount: 10 });
}

function inFile<T>(work: (db: DatabaseSync) => T): T {
  const db = new DatabaseSync(path);
  try {
    return work(db);
  } finally {
    db.close();
  }
}

/** What was accepted in the last two days. */
function layTwoDays(): void {
  const toMs = Date.now() - 10_000;
  const { events, heads, key } = makeHistory({
    ...{ fromMs: toMs - 48 * HOUR_MS, toMs, everyMs: 300_000 },
  });
  inFile((db) => {
    db.exec('BEGIN');
    const add = db.prepare('INSERT INTO events (accepted_ms, account, event) VALUES (?, NULL, ?)');
    for (const { ms, line } of events) add.run(ms, line);
    for (const head of heads)
      db.prepare('INSERT INTO heads (instance, head) VALUES (?, ?)').run(
        head.instance,
        JSON.stringify({ type: 'chain-head', phase: 'chain', ...head }),
      );
    for (const one of [key, witness.key])
      db.prepare('INSERT INTO chain_keys (key, about) VALUES (?, ?)').run(one.id, knownKey(one));
    db.exec('COMMIT');
  });
}

/** Opens the log as its gate does, and waits until retention has cut so many events. */
async function cut(retention: { days: number; maxBytes: number }, atLeast: number): Promise<void> {
  const audit = await open(retention);
  audit.witnessCuts!(witness);
  await audit.append(batchOf('nobody', 1, [{ event: '{}', account: null }]));
  const gone = () => witness.cuts.reduce((sum, { count }) => sum + count, 0);
  await expect.poll(gone, BOUND).toBeGreaterThanOrEqual(atLeast);
  await audit.close();
  inFile((db) => db.exec("DELETE FROM events WHERE event = '{}'"));
}

async function verify() {
  const audit = await open();
  try {
    return await verifyAudit(audit.record, {});
  } finally {
    await audit.close();
  }
}

describe('a record in a file that retention has cut', () => {
  it('for its age verifies, and one event more that somebody takes at the front is found', async () => {
    await cut({ days: 1, maxBytes: 0 }, 1_000);
    const told = await verify();
    expect(told).toMatchObject(WHOLE);
    const dueMs = Date.parse(told.trimmedBefore!);
    expect(Math.abs(dueMs - (Date.now() - 24 * HOUR_MS))).toBeLessThan(5 * 60_000);

    inFile((db) => db.prepare('DELETE FROM events WHERE accepted_ms < ?').run(dueMs + 7 * 60_000));
    const { findings } = await verify();
    expect(findings).toMatchObject([{ kind: 'missing', instance: 'always' }]);
  });

  it('for its size verifies, and not without its anchor', async () => {
    await cut({ days: 90, maxBytes: 400_000 }, 500);
    expect(await verify()).toMatchObject(WHOLE);
    inFile((db) => db.exec('DELETE FROM anchors'));
    const { findings } = await verify();
    expect(new Set(findings.map(({ kind }) => kind))).toContain('anchor-missing');
  });
});

import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, onTestFinished } from 'vitest';
import type { EventBatch } from '../../../../src/audit/batch.ts';
import type { PermitLedger } from '../../../../src/audit/permits/ledger.ts';
import { AuditGap, type AuditLog, AuditUnavailable } from '../../../../src/audit/port.ts';
import { Adoption, type AdoptionOptions } from '../../../../src/audit/spool/adoption.ts';
import { SpoolFolder } from '../../../../src/audit/spool/folder.ts';
import { lastSeqOf } from '../../../../src/audit/spool/merge.ts';
import { systemClock } from '../../../../src/clock.ts';
import { lockFolder } from '../../../../src/store/folder-lock.ts';
import { batchOf } from '../../../support/audit-batch.ts';
import { unreadableFiles } from './files.ts';

const LIMIT = { timeout: 30_000 };
const DAY_MS = 86_400_000;
let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'spool-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** What an instance leaves that ended before it could send the events of these numbers. */
async function leave(instance: string, ...seqs: number[]): Promise<string> {
  const bounds = { maxBytes: 1024 * 1024, keep: { bytes: 0, ms: 0 } };
  const spool = SpoolFolder.create(root, instance, bounds, systemClock, unreadableFiles(root));
  for (const seq of seqs)
    await spool.write(batchOf(instance, seq, [{ event: `{"seq":${seq}}`, account: null }]));
  await spool.close();
  return join(root, instance);
}

/** Keeps numbers as the script of Redis does. */
class Store implements AuditLog {
  readonly last = new Map<string, number>();
  readonly remembersMs = 7 * DAY_MS;
  readonly steps: string[] = [];

  async append(batch: EventBatch): Promise<void> {
    const { instance, firstSeq, afterLoss } = batch;
    const last = await this.held(instance);
    if (afterLoss !== true && last + 1 < firstSeq) throw new AuditGap(last);
    this.steps.push(`${instance} ${firstSeq}`);
    this.last.set(instance, lastSeqOf(batch));
  }

  async held(instance: string): Promise<number> {
    return this.last.get(instance) ?? 0;
  }

  async close(): Promise<void> {}
}

function adopt(store: AuditLog & { steps: string[] }, options: Partial<AdoptionOptions> = {}) {
  const told: string[] = [];
  const adoption = new Adoption({
    root,
    instance: 'own',
    store,
    clock: systemClock,
    files: unreadableFiles(root),
    lookMs: 5,
    declare: async ({ instance, firstSeq, lastSeq, reason }) =>
      void store.steps.push(`${instance} has lost ${firstSeq}-${lastSeq} (${reason})`),
    observer: {
      replayed() {},
      lost: ({ firstSeq, lastSeq }) => void told.push(`lost ${firstSeq}-${lastSeq}`),
      adopted: ({ instance, events }) => void told.push(`adopted ${instance} ${events}`),
      failed: (fault, instance) => void told.push(`failed ${instance}: ${(fault as Error).name}`),
    },
    ...options,
  });
  onTestFinished(() => adoption.close());
  return told;
}

it('gives back a folder when the store hangs, and takes it again', async () => {
  const path = await leave('gone', 1, 2);
  const store = new Store();
  let hangs = true;
  let cuts = 0;
  const held = store.held.bind(store);
  const told = adopt(
    Object.assign(store, {
      held: (instance: string) => (hangs ? new Promise<number>(() => {}) : held(instance)),
      cut() {
        cuts += 1;
      },
    }),
  );
  await expect.poll(() => told, LIMIT).toEqual(['failed null: AuditUnavailable']);
  expect(cuts).toBeGreaterThan(0);
  // Between two looks.
  const isFree = () => {
    const lock = lockFolder(path);
    lock?.release();
    return lock !== null;
  };
  await expect.poll(isFree, { ...LIMIT, interval: 1 }).toBe(true);
  hangs = false;
  await expect.poll(() => told.at(-1), LIMIT).toBe('adopted gone 2');
  expect(existsSync(path)).toBe(false);
});

it('goes on past a folder that cannot be locked, and tells of it once', async () => {
  const bad = await leave('bad', 1);
  rmSync(join(bad, 'lock'));
  writeFileSync(join(bad, 'lock'), 'this is no file of SQLite'.repeat(100));
  await leave('gone', 1, 2);
  const told = adopt(new Store());
  await expect.poll(() => told, LIMIT).toEqual(['failed bad: Error', 'adopted gone 2']);
  rmSync(join(bad, 'lock'));
  await expect.poll(() => told.length, LIMIT).toBe(3);
  expect(told.at(-1)).toBe('adopted bad 1');
});

it('puts on record what is lost before the store goes on without it', async () => {
  const store = new Store();
  store.last.set('gone', 2);
  await leave('gone', 5, 6);
  const told = adopt(store);
  await expect.poll(() => told, LIMIT).toEqual(['lost 3-4', 'adopted gone 2']);
  expect(store.steps).toEqual(['gone has lost 3-4 (failover)', 'gone 5']);
});

it('waits until that can be put on record', async () => {
  const store = new Store();
  await leave('gone', 5, 6);
  let tries = 0;
  const told = adopt(store, {
    declare: async () => {
      tries += 1;
      if (tries < 3) throw new AuditUnavailable('away');
    },
  });
  await expect
    .poll(() => told, LIMIT)
    .toEqual(['failed null: AuditUnavailable', 'lost 1-4', 'adopted gone 2']);
  expect(tries).toBe(3);
});

it('says that what the disk has damaged is lost by the disk', async () => {
  const path = await leave('gone', 1, 2, 3);
  const file = join(path, '00000001.spool');
  const bytes = readFileSync(file);
  bytes[Math.floor(bytes.length / 2)]! ^= 1;
  writeFileSync(file, bytes);
  const store = new Store();
  const told = adopt(store);
  await expect.poll(() => told.at(-1), LIMIT).toBe('adopted gone 2');
  expect(store.steps).toEqual(['gone 1', 'gone has lost 2-2 (spool-damaged)', 'gone 3']);
});

it('takes a number for forgotten, and nothing for lost, once the store keeps it no longer', async () => {
  const path = await leave('gone', 500, 501);
  const longAgo = (Date.now() - 8 * DAY_MS) / 1000;
  utimesSync(join(path, '00000001.spool'), longAgo, longAgo);
  const store = new Store();
  const told = adopt(store);
  await expect.poll(() => told, LIMIT).toEqual(['adopted gone 2']);
  expect(store.steps).toEqual(['gone 500']);
});

it('leaves folders alone that another process has', async () => {
  mkdirSync(join(root, 'lives'));
  const lock = lockFolder(join(root, 'lives'));
  await leave('gone', 1);
  const told = adopt(new Store());
  await expect.poll(() => told, LIMIT).toEqual(['adopted gone 1']);
  lock?.release();
});

it('says of an instance that it is silent, also where somebody else has sent all that it left', async () => {
  await leave('gone', 1, 2);
  const store = new Store();
  store.last.set('gone', 2);
  const permits = {
    alive: async (instance: string, forMs: number) => {
      store.steps.push(`${instance} lives for ${forMs} ms`);
      return true;
    },
  } as unknown as PermitLedger;
  adopt(Object.assign(store, { permits }));
  await expect.poll(() => existsSync(join(root, 'gone')), LIMIT).toBe(false);
  expect(store.steps).toEqual(['gone lives for 1 ms']);
});

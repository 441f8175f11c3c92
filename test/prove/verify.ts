/**
 * `npm run prove -- verify [EVENTS]`: how long it takes to verify a record of 1,000,000 events, and
 * in how much memory. The record is written as a gate writes it: outbox, chain, signed heads and
 * store (Redis, and the embedded one). A process of its own verifies it; of a quarter of the events
 * too, to show that memory does not grow with the record.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as loopTurn } from 'node:timers/promises';
import { promisify } from 'node:util';
import { verifyAudit } from '../../src/admin/verify-audit.ts';
import { openChain } from '../../src/audit/chain/chain.ts';
import { NO_CHAIN } from '../../src/audit/chain/hash.ts';
import { openChainKey } from '../../src/audit/chain/key.ts';
import { CallEvents } from '../../src/audit/event/call-event.ts';
import { openEmbeddedAudit } from '../../src/audit/log/embedded/log.ts';
import { createRedisAuditLog } from '../../src/audit/log/redis/log.ts';
import { createRedisAuditReader } from '../../src/audit/log/redis/reader.ts';
import { createOutbox } from '../../src/audit/outbox/outbox.ts';
import type { AuditLog, AuditReader } from '../../src/audit/port.ts';
import { systemClock } from '../../src/clock.ts';
import { connectRedis, type RedisConnection } from '../../src/store/redis.ts';
import { DECISION, decisionLine, OUTCOME, outcomeLine } from '../support/call-events.ts';
import { startRedis } from '../support/redis-server.ts';

interface Judged {
  readonly seconds: number;
  readonly events: number;
  readonly gaps: number;
  readonly edits: number;
  readonly instances: number;
  readonly peakMiB: number;
}

interface Store {
  readonly log: AuditLog;
  readonly reader: AuditReader;
  close(): Promise<void>;
}

const INSTANCES = 4;
const RETENTION = { days: 30, maxBytes: 0 };
const PER_ACCOUNT = 1000;
/** Waiting in the outbox at once, as of a gate under load. */
const WAITING = 512;

if (process.argv[2] === 'judge') {
  console.log(JSON.stringify(await judge(process.argv[3] ?? '')));
} else {
  const events = Number(process.argv[2] ?? 1_000_000);
  const load = loadavg()[0]!.toFixed(1);
  console.log(`${cpus().length} cores of ${cpus()[0]?.model}; load when it began: ${load}\n`);
  console.log('| store | events | seconds | events a second | peak memory | result |');
  console.log('| --- | --- | --- | --- | --- | --- |');
  for (const kind of ['embedded', 'redis'] as const)
    for (const count of [events / 4, events]) await prove(kind, Math.round(count));
}

/** `redis://…`, or the path of an embedded file. */
async function openAt(place: string): Promise<Store> {
  if (!place.startsWith('redis://')) {
    const audit = await openEmbeddedAudit({
      ...{ path: place, retention: RETENTION, activityPerAccount: PER_ACCOUNT, timeoutMs: 60_000 },
    });
    return { log: audit, reader: audit, close: () => audit.close() };
  }
  const connection = connect(place);
  const observer = { behind() {}, lost() {}, fault() {} };
  const log = createRedisAuditLog({
    ...{ connection, prefix: 'sallyport', clock: systemClock, retention: RETENTION },
    ...{ activityPerAccount: PER_ACCOUNT, projection: observer as never },
  });
  const reader = createRedisAuditReader(connection, 'sallyport');
  const close = async () => {
    await log.close();
    connection.close();
  };
  return { log, reader, close };
}

function connect(url: string): RedisConnection {
  const options = { username: null, password: null, tls: null, name: 'prove' };
  return connectRedis({ ...options, url, commandTimeoutMs: 60_000 });
}

async function prove(kind: 'embedded' | 'redis', count: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'prove-verify-'));
  const server = kind === 'redis' ? await startRedis() : null;
  try {
    const place = server?.url ?? join(folder, 'audit.db');
    const store = await openAt(place);
    for (let n = 0; n < INSTANCES; n += 1) await write(store.log, folder, n, count / INSTANCES);
    await store.close();
    const words = [import.meta.filename, 'judge', place];
    const { stdout } = await promisify(execFile)(process.execPath, words);
    const { seconds, events, gaps, edits, instances, peakMiB } = JSON.parse(stdout) as Judged;
    const speed = Math.round(events / seconds).toLocaleString('en');
    const result = `${gaps} gaps, ${edits} edits, ${instances} instances`;
    const cells = [kind, events.toLocaleString('en'), seconds.toFixed(1), speed];
    console.log(`| ${[...cells, `${peakMiB} MiB`, result].join(' | ')} |`);
    if (gaps + edits > 0 || instances !== INSTANCES || events < count) process.exitCode = 1;
  } finally {
    await server?.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** One instance after the other, each with its key, its heads and its end. */
async function write(log: AuditLog, folder: string, n: number, count: number): Promise<void> {
  const instance = `edge-${n}.k2J9x`;
  const calls = new CallEvents(instance);
  const fault = (error: unknown) => {
    throw error;
  };
  const observer = { accepted() {}, lost: fault, unrecorded() {}, resent() {}, health() {}, fault };
  const outbox = createOutbox({
    ...{ chain: NO_CHAIN, log, instance, clock: systemClock, observer: observer as never },
  });
  const chain = openChain({
    ...{ outbox, instance, version: '0.0.0', clock: systemClock, key: openChainKey(folder) },
    ...{ previous: null, folder, ledger: log.heads ?? null, keptMs: 86_400_000, onFault: fault },
  });
  for (let call = 0; call < count; call += 1) {
    const id = `abcdefghijkl-${call}`;
    outbox.record(
      (seq) =>
        call % 2 === 0
          ? decisionLine(calls, seq, { ...DECISION, id, path: `/orders/${call}/items` })
          : outcomeLine(calls, seq, { ...OUTCOME, id, durationMs: call / 7 }),
      null,
      null,
    );
    while (outbox.pending > WAITING) await loopTurn();
  }
  chain.end();
  await outbox.close(60_000);
  await chain.close();
}

async function judge(place: string): Promise<Judged> {
  const store = await openAt(place);
  const began = performance.now();
  const { events, gaps, edits, instances } = await verifyAudit(store.reader.record, {});
  const seconds = (performance.now() - began) / 1000;
  await store.close();
  const peakMiB = Math.round(process.resourceUsage().maxRSS / 1024);
  return { seconds, events, gaps, edits, instances, peakMiB };
}

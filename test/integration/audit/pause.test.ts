import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openEmbeddedAudit } from '../../../src/audit/log/embedded/log.ts';
import { createRedisAuditLog } from '../../../src/audit/log/redis/log.ts';
import { createOutbox } from '../../../src/audit/outbox/outbox.ts';
import type { AuditLog } from '../../../src/audit/port.ts';
import { systemClock } from '../../../src/clock.ts';
import { connectRedis } from '../../../src/store/redis.ts';
import { startRedis } from '../../support/redis-server.ts';
import { requireOrSkip } from '../../support/system.ts';

/** Past every deadline of the record: of the call, of the command, and of the connection. */
const PAUSE_MS = 2500;
const NEVER = new Int32Array(new SharedArrayBuffer(4));
const RETENTION = { days: 1, maxBytes: 0 } as const;

beforeEach((ctx) => requireOrSkip(ctx, 'redis-server'));

const open: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

async function redisLog(): Promise<AuditLog> {
  const server = await startRedis();
  open.push(() => server.stop());
  const connection = connectRedis({
    url: server.url,
    username: null,
    password: null,
    tls: null,
    name: 'pause',
    commandTimeoutMs: 900,
  });
  open.push(async () => connection.close());
  return createRedisAuditLog({
    connection,
    prefix: 'pause',
    clock: systemClock,
    retention: RETENTION,
    activityPerAccount: 10,
    projection: { activityLost() {} },
  });
}

async function embeddedLog(): Promise<AuditLog> {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-pause-'));
  open.push(() => rm(folder, { recursive: true, force: true }));
  return openEmbeddedAudit({
    path: join(folder, 'audit.db'),
    retention: RETENTION,
    activityPerAccount: 10,
  });
}

/**
 * By then the bytes are on their way, and still in this turn of the loop: the answer is not read,
 * and timers come before it is.
 */
async function pauseOnceSent(): Promise<void> {
  for (let step = 0; step < 50; step += 1) await null;
  Atomics.wait(NEVER, 0, 0, PAUSE_MS);
}

it.each([
  ['Redis', redisLog],
  ['the embedded store', embeddedLog],
])('a record that %s took during a pause of the process counts', async (_store, make) => {
  const log = await make();
  open.push(() => log.close());
  let pausing = false;
  const problems: unknown[] = [];
  const counting: AuditLog = {
    close: () => log.close(),
    append: (batch) => {
      const accepted = log.append(batch);
      if (pausing) void pauseOnceSent();
      pausing = false;
      return accepted;
    },
  };
  const outbox = createOutbox({
    log: counting,
    instance: 'pause',
    clock: systemClock,
    observer: {
      accepted() {},
      lost() {},
      unrecorded() {},
      resent() {},
      health: (problem) => void problems.push(problem),
      fault() {},
    },
  });
  open.push(async () => void (await outbox.close(1000)));
  const record = () =>
    new Promise((resolve) => {
      const waiter = {
        accepted: () => resolve('accepted'),
        notAccepted: () => resolve('not accepted'),
      };
      outbox.record((seq) => JSON.stringify({ seq }), null, waiter);
    });
  expect(await record()).toBe('accepted'); // connected, and the script loaded
  pausing = true;
  expect(await record()).toBe('accepted');
  expect(problems).toEqual([]);
});

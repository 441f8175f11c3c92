import { describe, it } from 'vitest';
import { createRedisAuditLog } from '../../src/audit/log/redis/log.ts';
import { createRedisAuditReader } from '../../src/audit/log/redis/reader.ts';
import { systemClock } from '../../src/clock.ts';
import { REDIS_PLACES, type RedisPlace } from '../support/redis-places.ts';
import { findRedisServer } from '../support/redis-server.ts';
import { type AuditBackend, auditContract } from './audit.ts';

const CAP = 300;
/** A command may wait for a crowded machine, but not where it is looked at how long it may wait. */
const COMMAND_TIMEOUT_MS = { patient: 15_000, hasty: 900 } as const;

/** The audit log's contract on Redis, kept in these places. */
export function auditContractOn(...places: readonly (keyof typeof REDIS_PLACES)[]): void {
  for (const name of places) {
    if (findRedisServer() === null) {
      describe(`audit log: Redis, ${name}`, () => {
        it('keeps the contract', (ctx) => ctx.skip('redis-server is not installed'));
      });
    } else auditContract(`Redis, ${name}`, async () => backendOn(await REDIS_PLACES[name]()));
  }
}

function backendOn(place: RedisPlace): AuditBackend {
  const open = async (commandTimeoutMs: number) => {
    const connection = place.connect('audit', commandTimeoutMs);
    const log = createRedisAuditLog({
      connection,
      prefix: 'test',
      clock: systemClock,
      retention: { days: 90, maxBytes: 0 },
      activityPerAccount: CAP,
      projection: { activityLost: () => {} },
    });
    const reader = createRedisAuditReader(connection, 'test');
    return {
      log,
      reader,
      async close() {
        await log.close();
        connection.close();
      },
    };
  };
  return {
    open: () => open(COMMAND_TIMEOUT_MS.patient),
    crash: async () => {
      for (const server of place.primaries) await server.restart();
    },
    freeze: {
      hasty: () => open(COMMAND_TIMEOUT_MS.hasty),
      stop: () => {
        for (const server of place.primaries) server.pause();
      },
      goOn: () => {
        for (const server of place.primaries) server.resume();
      },
    },
    // Streams are trimmed in whole nodes of 100 entries.
    activity: { cap: CAP, slack: 100 },
    dispose: () => place.stop(),
  };
}

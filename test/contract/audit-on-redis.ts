import { describe, it } from 'vitest';
import { createRedisAuditLog } from '../../src/audit/redis.ts';
import { createRedisAuditReader } from '../../src/audit/redis-reader.ts';
import { systemClock } from '../../src/clock.ts';
import { REDIS_PLACES, type RedisPlace } from '../support/redis-places.ts';
import { findRedisServer } from '../support/redis-server.ts';
import { type AuditBackend, auditContract } from './audit.ts';

const CAP = 300;

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
  return {
    async open() {
      const connection = place.connect('audit', 900);
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
    },
    crash: async () => {
      for (const server of place.primaries) await server.restart();
    },
    freeze: {
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

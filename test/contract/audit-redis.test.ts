import { describe, it } from 'vitest';
import { createRedisAuditLog } from '../../src/audit/redis.ts';
import { createRedisAuditReader } from '../../src/audit/redis-reader.ts';
import { systemClock } from '../../src/clock.ts';
import { connectRedis } from '../../src/store/redis.ts';
import { findRedisServer, startRedis } from '../support/redis-server.ts';
import { type AuditBackend, auditContract } from './audit.ts';

const CAP = 300;

if (findRedisServer() === null) {
  describe('audit log: Redis', () => {
    it('keeps the contract', (ctx) => ctx.skip('redis-server is not installed'));
  });
} else auditContract('Redis', createBackend);

async function createBackend(): Promise<AuditBackend> {
  const server = await startRedis({ appendOnly: true });
  return {
    async open() {
      const connection = connectRedis({
        url: server.url,
        username: null,
        password: null,
        tls: null,
        name: 'audit',
        commandTimeoutMs: 900,
      });
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
    crash: () => server.restart(),
    freeze: { stop: () => server.pause(), goOn: () => server.resume() },
    // Streams are trimmed in whole nodes of 100 entries.
    activity: { cap: CAP, slack: 100 },
    dispose: () => server.stop(),
  };
}

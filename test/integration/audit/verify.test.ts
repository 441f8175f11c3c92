import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import { type AuditVerification, verifyAudit } from '../../../src/admin/verify-audit.ts';
import { openEmbeddedAudit } from '../../../src/audit/log/embedded/log.ts';
import { createRedisAuditReader } from '../../../src/audit/log/redis/reader.ts';
import { AUDIT_PARTITIONS } from '../../../src/audit/partitions.ts';
import { openExport } from '../../../src/cli/audit-file.ts';
import { auditKeys } from '../../../src/store/keys.ts';
import { connectRedis, type RedisConnection } from '../../../src/store/redis.ts';
import { startGateway } from '../../support/gateway.ts';
import { startRawUpstream } from '../../support/raw-upstream.ts';
import { findRedisServer, startRedis } from '../../support/redis-server.ts';

const CALLS = 60;
const WHOLE = { gaps: 0, edits: 0, findings: [], unproven: 0, unchained: 0 };

type Gate = Awaited<ReturnType<typeof startGateway>>;

/** A gate that has answered some calls and ended. */
async function calledAndStopped(
  store: 'embedded' | Readonly<Record<string, unknown>>,
): Promise<Gate> {
  const upstream = await startRawUpstream();
  const upstreams = { api: { addresses: [upstream.url] } };
  const gate = await startGateway({ upstreams, plaintext: true, store });
  const headers = { Authorization: `Bearer ${gate.token}` };
  try {
    for (let n = 0; n < CALLS; n += 1) {
      const response = await fetch(`${gate.url}/any/${n}`, { headers });
      await response.arrayBuffer();
    }
    await gate.gateway.close();
    return gate;
  } finally {
    await upstream.stop();
  }
}

async function verifyFile(dataDir: string): Promise<AuditVerification> {
  const path = join(dataDir, 'audit.db');
  const retention = { days: 30, maxBytes: 0 };
  const audit = await openEmbeddedAudit({ path, retention, activityPerAccount: 100 });
  try {
    return await verifyAudit(audit.record, {});
  } finally {
    await audit.close();
  }
}

describe('verification of what a gate has recorded', () => {
  it('holds in its own file, and in an export, and names events that were taken out', async () => {
    const gate = await calledAndStopped('embedded');
    const whole = await verifyFile(gate.dataDir);
    expect(whole).toMatchObject(WHOLE);
    expect(whole.events).toBeGreaterThan(2 * CALLS);

    const path = join(gate.dataDir, 'audit.db');
    const db = new DatabaseSync(path);
    const rows = db.prepare('SELECT event FROM events ORDER BY n DESC').all();
    const exported = join(gate.dataDir, 'newest-first.ndjson');
    writeFileSync(exported, rows.map(({ event }) => `${event}\n`).join(''));
    db.exec('DELETE FROM events WHERE event LIKE \'%"seq":20,%\'');
    db.close();

    const file = openExport(exported);
    const ofExport = await verifyAudit(file.record, { trust: whole.trust, part: true });
    file.close();
    expect(ofExport).toMatchObject({ ...WHOLE, events: whole.events, trusted: true });

    const { findings, gaps } = await verifyFile(gate.dataDir);
    expect(findings).toMatchObject([{ kind: 'missing', firstSeq: 20, lastSeq: 20 }]);
    expect(gaps).toBe(1);
    await gate.stop();
  });
});

describe.runIf(findRedisServer() !== null)('verification of a log on Redis', () => {
  it('names what was deleted, and an end that was cut off', async () => {
    const server = await startRedis();
    const options = { username: null, password: null, tls: null, name: 'verify' };
    const connection = connectRedis({ ...options, url: server.url, commandTimeoutMs: 5000 });
    try {
      const gate = await calledAndStopped({ kind: 'redis', url: server.url });
      await gate.stop();
      const { record } = createRedisAuditReader(connection, 'sallyport');
      expect(await verifyAudit(record, {})).toMatchObject(WHOLE);

      const { key, ids } = await streamOf(connection);
      // Whoever reads fields by their names would read the second.
      const [[, genuine]] = (await connection.call('XREVRANGE', key, '+', '-', 'COUNT', 1)) as [
        [string, [string, string]],
      ];
      const twice = String(await connection.call('XADD', key, '*', ...genuine, 'e', '{}'));
      expect((await verifyAudit(record, {})).findings).toMatchObject([{ kind: 'unreadable' }]);
      await connection.call('XDEL', key, twice);

      await connection.call('XDEL', key, ids[30]!);
      await connection.call('XDEL', key, ...ids.slice(-5));
      const { findings } = await verifyAudit(record, {});
      const last = ids.length;
      expect(findings).toMatchObject([
        { kind: 'missing', firstSeq: 31, lastSeq: 31 },
        { kind: 'truncated', firstSeq: last - 4, lastSeq: last },
      ]);
    } finally {
      connection.close();
      await server.stop();
    }
  });
});

async function streamOf(connection: RedisConnection) {
  const keys = auditKeys('sallyport');
  for (let n = 0; n < AUDIT_PARTITIONS; n += 1) {
    const key = keys.stream(n);
    const entries = (await connection.call('XRANGE', key, '-', '+')) as [string, unknown][];
    if (entries.length > 0) return { key, ids: entries.map(([id]) => id) };
  }
  throw new Error('no stream holds anything');
}

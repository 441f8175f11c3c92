import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AUDIT_PARTITIONS } from '../../../src/audit/partitions.ts';
import { auditKeys } from '../../../src/store/keys.ts';
import { connectRedis, type RedisConnection } from '../../../src/store/redis.ts';
import { walkChain } from '../../support/chain-walk.ts';
import { startGateway } from '../../support/gateway.ts';
import { startRawUpstream } from '../../support/raw-upstream.ts';
import { findRedisServer, type RedisServer, startRedis } from '../../support/redis-server.ts';

const CALLS = 150;
/** Four nodes, as Redis makes them. */
const OLD = 400;

/** What a gate leaves behind that has answered some calls and ended: events, heads, keys. */
interface Left {
  readonly lines: readonly string[];
  readonly heads: readonly string[];
  readonly keys: readonly string[];
}

function mustHold({ lines, heads, keys }: Left, calls: number): void {
  expect(lines.length).toBeGreaterThan(2 * calls);
  const { faults, links } = walkChain(lines);
  expect(faults).toEqual([]);
  expect(links).toBeGreaterThan(2);
  const [first, last] = [lines[0]!, lines.at(-1)!].map((line) => JSON.parse(line));
  expect(first).toMatchObject({ type: 'instance-begun', seq: 1 });
  expect(last).toMatchObject({ type: 'instance-ended', key: first.key });
  expect(heads).toEqual([lines.at(-1)]);
  expect(keys.map((key) => JSON.parse(key))).toMatchObject([
    { key: first.key, publicKey: first.publicKey },
  ]);
}

async function calledAndStopped(store: 'embedded' | Readonly<Record<string, unknown>>) {
  const upstream = await startRawUpstream();
  const gate = await startGateway({
    upstreams: { api: { addresses: [upstream.url] } },
    plaintext: true,
    store,
  });
  const headers = { Authorization: `Bearer ${gate.token}` };
  try {
    for (let n = 0; n < CALLS; n += 10)
      await Promise.all(
        Array.from({ length: 10 }, async (_, i) => {
          const response = await fetch(`${gate.url}/any/${n + i}`, { headers });
          await response.arrayBuffer();
        }),
      );
    await gate.gateway.close();
    return gate;
  } finally {
    await upstream.stop();
  }
}

describe('the chain of a gate', () => {
  it('holds over all that it wrote into its own file', async () => {
    const gate = await calledAndStopped('embedded');
    const db = new DatabaseSync(join(gate.dataDir, 'audit.db'), { readOnly: true });
    const all = (sql: string) =>
      db
        .prepare(sql)
        .all()
        .map((row) => String(Object.values(row)[0]));
    const left = {
      lines: all('SELECT event FROM events ORDER BY n'),
      heads: all('SELECT head FROM heads'),
      keys: all('SELECT about FROM chain_keys'),
    };
    db.close();
    await gate.stop();
    mustHold(left, CALLS);
  });
});

describe.runIf(findRedisServer() !== null)('the chain of a gate on Redis', () => {
  let server: RedisServer;
  let connection: RedisConnection;
  beforeAll(async () => {
    server = await startRedis();
    connection = connectRedis({
      url: server.url,
      username: null,
      password: null,
      tls: null,
      name: 'chain',
      commandTimeoutMs: 5000,
    });
  });
  afterAll(async () => {
    connection.close();
    await server.stop();
  });

  it('holds over all that it wrote into its stream, and tells what the gate has cut', async () => {
    const keys = auditKeys('sallyport');
    // Whole nodes of each stream, older than the record goes back.
    const oldMs = Date.now() - 400 * 24 * 3600 * 1000;
    for (let n = 0; n < AUDIT_PARTITIONS; n += 1)
      for (let at = 1; at <= OLD; at += 1)
        await connection.call('XADD', keys.stream(n), `${oldMs}-${at}`, 'e', '{}');
    const gate = await calledAndStopped({ kind: 'redis', url: server.url });
    await gate.stop();
    const lines: string[] = [];
    const heads: string[] = [];
    const anchors: string[] = [];
    for (let n = 0; n < AUDIT_PARTITIONS; n += 1) {
      const entries = (await connection.call('XRANGE', keys.stream(n), '-', '+')) as [
        string,
        [string, string],
      ][];
      lines.push(...entries.map(([, [, event]]) => event));
      anchors.push(...((await connection.call('HVALS', keys.anchors(n))) as string[]));
      heads.push(...((await connection.call('HVALS', keys.heads(n))) as string[]));
    }
    const known = (await connection.call('HVALS', keys.chainKeys)) as string[];
    mustHold({ lines, heads, keys: known }, CALLS);
    const { instance } = JSON.parse(lines[0]!);
    expect(anchors.map((anchor) => JSON.parse(anchor).instance)).toEqual(Array(4).fill(instance));
    const told = lines.map((line) => JSON.parse(line)).filter(({ type }) => type === 'log-trimmed');
    expect(told.map(({ stream, count }) => [stream, count])).toEqual(
      ['0', '1', '2', '3'].map((stream) => [stream, OLD]),
    );
  });
});

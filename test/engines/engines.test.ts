import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { registryKeys } from '../../src/store/keys.ts';
import { slotOf } from '../../src/store/redis-slot.ts';
import { owner, startGateway, type TestGateway } from '../support/gateway.ts';
import { startRawUpstream } from '../support/raw-upstream.ts';
import { startCluster } from '../support/redis-cluster.ts';
import { until } from '../support/redis-replication.ts';
import { PRIMARY_NAME, startSentinels } from '../support/redis-sentinel.ts';
import { redisMissing, startRedis } from '../support/redis-server.ts';
import { issueRedisCertificates } from '../support/redis-tls.ts';
import { makeRedisUsers, type RedisUsers } from '../support/redis-users.ts';
import { have } from '../support/system.ts';

const PATIENT = { timeout: 40_000, interval: 20 } as const;
const SLOT = slotOf(registryKeys('sallyport').meta);
// Servers that fail over, on a crowded machine.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const missing = redisMissing() ?? (have('openssl') ? null : 'openssl is not installed');

/** As `store` in a configuration file, without the user. */
interface Engine {
  readonly store: Readonly<Record<string, unknown>>;
  /** Swaps the server that holds the registry for its replica. */
  failover(): Promise<unknown>;
  stop(): Promise<void>;
}

type Prepared = {
  readonly users: RedisUsers;
  readonly certificates: ReturnType<typeof issueRedisCertificates>;
};

const ENGINES: Readonly<Record<string, (prepared: Prepared) => Promise<Engine>>> = {
  'one server': async ({ users, certificates }) => {
    const server = await startRedis({
      aclFile: users.aclFile,
      certificates,
      appendOnly: 'unsynced',
    });
    return {
      store: { url: `rediss://127.0.0.1:${server.tlsPort}` },
      failover: () => server.restart(),
      stop: () => server.stop(),
    };
  },
  'the primary that sentinels name': async ({ users, certificates }) => {
    const options = {
      aclFile: users.aclFile,
      admin: users.root,
      watcher: users.watcher,
      certificates,
      sentinelPassword: users.sentinel.password,
    };
    const sentinels = await startSentinels(options);
    const addresses = sentinels.tlsAddresses.map(({ host, port }) => `${host}:${port}`);
    return {
      store: {
        sentinels: { name: PRIMARY_NAME, addresses, passwordFile: users.sentinel.passwordFile },
      },
      failover: () => sentinels.failover(),
      stop: () => sentinels.stop(),
    };
  },
  'a cluster': async ({ users, certificates }) => {
    const cluster = await startCluster({ aclFile: users.aclFile, admin: users.root, certificates });
    return {
      store: { cluster: [`127.0.0.1:${cluster.nodes[4]!.tlsPort}`] },
      failover: async () => cluster.failover(await cluster.ownerOf(SLOT)),
      stop: () => cluster.stop(),
    };
  },
};

describe.each(Object.entries(ENGINES))(
  'with TLS, client certificates and the users that ship, over %s, the gate',
  (_, start) => {
    let users: RedisUsers;
    let engine: Engine;
    let upstream: Awaited<ReturnType<typeof startRawUpstream>>;
    let gate: TestGateway;

    beforeAll(async () => {
      if (missing !== null) return;
      users = await makeRedisUsers();
      const certificates = issueRedisCertificates();
      engine = await start({ users, certificates });
      upstream = await startRawUpstream();
      const tls = { caFile: certificates.caFile, ...certificates.client };
      gate = await startGateway({
        upstreams: { api: { addresses: [`http://127.0.0.1:${upstream.port}`] } },
        store: { ...engine.store, ...users.gate, tls },
        administratorStore: { ...engine.store, ...users.manager, tls },
        leaseMs: 3_000,
        plaintext: true,
      });
    });

    afterAll(async () => {
      await gate?.stop();
      await upstream?.stop();
      await engine?.stop();
      await users?.remove();
    });

    beforeEach((context) => {
      if (missing !== null) context.skip(missing);
    });

    const call = async (token: string) =>
      (
        await fetch(`${gate.url}/x`, {
          method: 'POST',
          headers: { authorization: `Bearer ${token}` },
        })
      ).status;

    /**
     * A store that was slow for a moment is a 503, and asked again; a token that counts is never
     * told anything else.
     */
    const letIn = (token: string) =>
      expect
        .poll(() => call(token).then((status) => (status === 503 ? null : status)), PATIENT)
        .toBe(200);

    it('is ready, lets an account in, and refuses its token once it is rotated', async () => {
      await until('the gate is ready', async () => gate.gateway.ready);
      const { id, token } = await gate.createAccount({ name: 'first', role: 'tester' });
      await letIn(token);
      const rotated = await gate.administration.rotateToken(owner, { id });
      await until('the old token is refused', async () => (await call(token)) === 401);
      await letIn(rotated.token);
      expect((await gate.events()).map(({ reason }) => reason)).toContain('token-revoked');
    });

    it('goes on when the registry is on another server, or its server was gone for a moment', async () => {
      const { id, token } = await gate.createAccount({ name: 'second', role: 'tester' });
      await letIn(token);
      await engine.failover();
      await until('the gate serves', async () => (await call(token)) === 200);
      // What is changed while primaries change places may go with the former one: its receipt does
      // not say that it holds, and it is made again.
      await until('a rotation holds', async () => {
        await gate.administration.rotateToken(owner, { id });
        return (await call(token)) === 401;
      });
    });
  },
);

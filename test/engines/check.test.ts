import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { inspectRedis } from '../../src/cli/check-redis.ts';
import { parseConfig } from '../../src/config/load.ts';
import { findingsOf } from '../../src/store/redis-findings.ts';
import type { RedisFacts, ServerFacts } from '../../src/store/redis-survey.ts';
import { startCluster } from '../support/redis-cluster.ts';
import { asAdmin, until } from '../support/redis-replication.ts';
import { PRIMARY_NAME, startSentinels } from '../support/redis-sentinel.ts';
import { type RedisServer, redisMissing, startRedis } from '../support/redis-server.ts';
import { makeRedisUsers, type RedisUsers } from '../support/redis-users.ts';
import { Shell } from '../support/shell.ts';

const CONF = new URL('../../config/redis/redis.conf', import.meta.url).pathname;
// Servers that fail over, on a crowded machine.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const missing = redisMissing();

/** What an upstream wants to be told, and the secret that it takes. */
const WISH = { audience: 'a' };
const SEALING = { reference: '$' + '{SEALING}', environment: { SEALING: 's'.repeat(32) } };

describe('check --connect', () => {
  let users: RedisUsers;
  let server: RedisServer;
  let shell: Shell;

  beforeAll(async () => {
    if (missing !== null) return;
    users = await makeRedisUsers();
    server = await startRedis({ configFile: CONF, aclFile: users.aclFile, appendOnly: true });
    shell = new Shell();
    shell.write('root.password', `${users.root.password}\n`);
  });
  afterAll(async () => {
    shell?.close();
    await server?.stop();
    await users?.remove();
  });
  beforeEach((context) => {
    if (missing !== null) context.skip(missing);
  });

  /** `keys` of `store` beside its kind. The file has a proxy listener and no admin listener. */
  function fileWith(
    keys: Readonly<Record<string, unknown>>,
    port = 1,
    audit: Readonly<Record<string, unknown>> = {},
    assertion: Readonly<Record<string, unknown>> | null = null,
  ): string {
    const addresses = [`http://127.0.0.1:${port}`];
    return JSON.stringify({
      audit,
      ...(assertion === null ? {} : { assertion: { sealingKey: SEALING.reference } }),
      listen: { proxy: { address: '127.0.0.1:0', plaintext: true } },
      store: { kind: 'redis', ...keys },
      upstreams: {
        api: {
          addresses,
          connectTimeoutMs: 30_000,
          ...(assertion === null ? {} : { assertion }),
        },
      },
      routes: [
        {
          name: 'all',
          path: '/**',
          methods: ['GET'],
          application: 'any',
          permission: 'a:b',
          upstream: 'api',
        },
      ],
    });
  }

  async function check(
    keys: Readonly<Record<string, unknown>>,
    inspect: boolean,
    audit: Readonly<Record<string, unknown>> = {},
    assertion: Readonly<Record<string, unknown>> | null = null,
  ) {
    const { environment } = SEALING;
    const text = fileWith(keys, 1, audit, assertion);
    const { config } = parseConfig(text, 'check.yaml', { environment });
    if (config.store.kind !== 'redis') throw new TypeError('not a Redis');
    const inspector = inspect
      ? { redisUser: 'root', redisPasswordFile: shell.path('root.password') }
      : {};
    const findings = await inspectRedis(config, config.store, inspector);
    return {
      findings,
      unsafe: findings.filter(({ severity }) => severity === 'unsafe').map(({ found }) => found),
    };
  }

  it('does not call in order what it could not look at: a wrong name or password ends it', async () => {
    shell.write('check.yaml', fileWith({ url: server.url, ...users.gate }));
    shell.write('wrong.password', 'wrong\n');
    for (const name of ['ghost', 'root']) {
      const inspector = ['--redis-user', name, '--redis-password-file', 'wrong.password'];
      const said = await shell.run('check', '--config', 'check.yaml', '--connect', ...inspector);
      expect(said.code).toBe(3);
      expect(said.err).toContain(`refuses the user "${name}"`);
      expect(said.out).not.toContain('in order');
    }
  });

  it('does not call in order what the configured user, or its password, cannot open', async () => {
    for (const user of [{ username: 'ghost' }, { username: 'gate' }]) {
      const passwordFile = shell.path('wrong.password');
      shell.write('wrong.password', 'wrong\n');
      shell.write('check.yaml', fileWith({ url: server.url, ...user, passwordFile }));
      const said = await shell.run('check', '--config', 'check.yaml', '--connect');
      expect(said.code).toBe(3);
      expect(said.err).toContain(`127.0.0.1:${server.port}: Redis answered WRONGPASS`);
      expect(said.out).not.toContain('in order');
    }
  });

  it('says to whoever looks an account up as a gate who may, and whose routes count', async () => {
    shell.write('gate.yaml', fileWith(gateOn(server)));
    shell.write(
      'manage.yaml',
      JSON.stringify({ store: { kind: 'redis', url: server.url, ...users.manager } }),
    );
    const manage = ['--config', 'manage.yaml'];
    await shell.json('registry', 'init', '--if-none', ...manage);
    await shell.json('role', 'create', 'caller', '--permission', 'a:b', ...manage);
    await shell.json('account', 'create', 'ci', '--role', 'caller', ...manage);
    const question = ['explain', '--account', 'ci', 'GET', '/x'];
    const asGate = await shell.run(...question, '--config', 'gate.yaml');
    expect(asGate).toMatchObject({ code: 3, out: '' });
    expect(asGate.err).toContain('administration is done as `manager`');
    expect(await shell.json(...question, ...manage, '--routes', 'gate.yaml')).toMatchObject({
      allowed: true,
      route: 'all',
    });
  });

  const gateOn = (at: RedisServer) => ({ url: at.url, ...users.gate });

  it('has nothing to say against a Redis as it ships, seen by somebody who may see all', async () => {
    expect(await check(gateOn(server), true)).toMatchObject({ findings: [] });
  });

  it.each(['zmscore', 'zcard', 'mget'])(
    'says when the user of a gate may not look accounts up whole (no %s)',
    async (command) => {
      await asAdmin(server, users.root, (root) =>
        root.call('ACL', 'SETUSER', users.gate.username, `-${command}`),
      );
      onTestFinished(async () => {
        await asAdmin(server, users.root, (root) =>
          root.call('ACL', 'SETUSER', users.gate.username, `+${command}`),
        );
      });
      expect((await check(gateOn(server), true)).unsafe).toEqual([
        'the configured user may not read the registry',
      ]);
    },
  );

  it.each([
    ['instances', 'hkeys'],
    ['open:*', 'append'],
    ['alive:*', 'mget'],
  ])('says when the user of a gate may not close permits (%s without %s)', async (key, command) => {
    const text = await readFile(users.aclFile, 'utf8');
    const line = text.split('\n').find((one) => one.startsWith('user gate '))!;
    const shipped = line.match(/\([^)]*\)|\S+/g)!.slice(1);
    const less = shipped.map((rule) =>
      rule.endsWith(`:${key})`) ? rule.replace(new RegExp(`\\+${command} ?`), '') : rule,
    );
    expect(less).not.toEqual(shipped);
    const set = (rules: readonly string[]) =>
      asAdmin(server, users.root, (root) => root.call('ACL', 'SETUSER', ...rules));
    await set(less);
    onTestFinished(async () => void (await set(shipped)));
    expect((await check(gateOn(server), true)).unsafe).toEqual([
      'the configured user may not note which permits have no outcome',
    ]);
  });

  it('asks for everything that the file of users gives to a gate', async () => {
    const line = (await readFile(users.aclFile, 'utf8'))
      .split('\n')
      .find((one) => one.startsWith('user gate '))!;
    const shipped = line.match(/\([^)]*\)|\S+/g)!.slice(1);
    // Selectors, and what stands outside of them: keys that are read.
    const places = shipped.flatMap((rule, at) => (/^(?:\(|%)/.test(rule) ? [at] : []));
    expect(places.length).toBeGreaterThan(20);
    const set = (rules: readonly string[]) =>
      asAdmin(server, users.root, (root) => root.call('ACL', 'SETUSER', ...rules));
    onTestFinished(async () => void (await set(shipped)));
    for (const at of places) {
      await set(shipped.filter((_, place) => place !== at));
      const { findings } = await check(gateOn(server), false, { clientAddress: 'hashed' }, WISH);
      expect(
        findings.filter(({ found }) => found.includes('may not')),
        shipped[at],
      ).not.toEqual([]);
    }
  });

  it('asks for the keys of hashed addresses and of assertions where they are used, and not elsewhere', async () => {
    const set = (rule: string) =>
      asAdmin(server, users.root, (root) =>
        root.call('ACL', 'SETUSER', 'gate', 'clearselectors', rule),
      );
    onTestFinished(async () => {
      await asAdmin(server, users.root, (root) => root.call('ACL', 'LOAD'));
    });
    const means =
      'the configured user may not keep the key by which addresses of clients are hashed';
    const key = '(+set +get ~sallyport:audit:{0}:address-key)';
    await set('+hmget');
    const hashed = { clientAddress: 'hashed' };
    expect((await check(gateOn(server), true, hashed)).unsafe).toContain(means);
    expect((await check(gateOn(server), true)).unsafe).not.toContain(means);
    await set(key);
    expect((await check(gateOn(server), true, hashed)).unsafe).not.toContain(means);
    const keys = 'the configured user may not keep the keys that sign assertions';
    expect((await check(gateOn(server), true, {}, WISH)).unsafe).toContain(keys);
    expect((await check(gateOn(server), true)).unsafe).not.toContain(keys);
  });

  it('says what the user of a gate could not look at, and does not take it for fine', async () => {
    const { findings } = await check(gateOn(server), false);
    expect(findings.map(({ severity, found }) => [severity, found])).toEqual([
      ['unverified', 'CONFIG GET is not allowed'],
    ]);
  });

  it.each([
    ['maxmemory-policy', 'allkeys-lru', 'maxmemory-policy allkeys-lru'],
    ['appendfsync', 'everysec', 'appendfsync everysec'],
    ['appendonly', 'no', 'neither append-only file nor snapshots'],
  ])('finds %s %s unsafe, and says for what', async (name, value, found) => {
    const set = (to: string) =>
      asAdmin(server, users.root, (root) => root.call('CONFIG', 'SET', name, to));
    const before = await asAdmin(server, users.root, (root) => root.call('CONFIG', 'GET', name));
    await set(value);
    const { unsafe, findings } = await check(gateOn(server), true);
    await set((before as string[])[1]!);
    expect(unsafe).toEqual([found]);
    expect(findings[0]?.means).toMatch(/Set [a-z-]+ /);
  });

  it('finds a user unsafe who may do more than this instance needs, or less', async () => {
    const manager = await check({ url: server.url, ...users.manager }, true);
    expect(manager).toMatchObject({ unsafe: ['the configured user may change the registry'] });
    await asAdmin(server, users.root, (root) =>
      root.call('ACL', 'SETUSER', 'gate', 'clearselectors'),
    );
    const crippled = await check(gateOn(server), true);
    await asAdmin(server, users.root, (root) => root.call('ACL', 'LOAD'));
    expect(crippled.unsafe).toEqual([
      'the configured user may not renew its lease',
      'the configured user may not append to the audit',
      'the configured user may not confirm that it has applied changes',
      'the configured user may not tell others what it has seen revoked',
      'the configured user may not cut the oldest audit events',
      'the configured user may not note which permits have no outcome',
      'the configured user may not keep where the chain of audit events has come to',
      'the configured user may not hold activity logs within audit.activityMaxBytes',
      'the configured user may not count calls together with other instances',
    ]);
  });

  it('finds a default user without rights unsafe beside an append-only file', async () => {
    await asAdmin(server, users.root, (root) => root.call('ACL', 'SETUSER', 'default', 'reset'));
    const { unsafe } = await check(gateOn(server), true);
    await asAdmin(server, users.root, (root) => root.call('ACL', 'LOAD'));
    expect(unsafe).toEqual(['the user default lacks rights']);
  });

  it('finds a server unsafe that serves whoever comes, and that is a replica', async () => {
    const open = await startRedis({ config: ['--maxmemory', '100mb'] });
    await asAdmin(open, null, (root) => root.call('REPLICAOF', '127.0.0.1', 1));
    const { unsafe } = await check({ url: open.url }, false);
    await open.stop();
    expect(unsafe).toEqual([
      'neither append-only file nor snapshots',
      'this server is a replica',
      'it serves whoever comes, without user and password',
      'the configured user may change the registry',
      'the configured user may see the settings of the server',
    ]);
  });

  it('holds replication against the lease and the sentinels', async () => {
    const options = {
      configFile: CONF,
      aclFile: users.aclFile,
      admin: users.root,
      appendOnly: true,
    };
    const sentinels = await startSentinels({ ...options, downAfterMs: 5_000 });
    const addresses = sentinels.addresses.map(({ host, port }) => `${host}:${port}`);
    const store = {
      sentinels: { name: PRIMARY_NAME, addresses: [...addresses, '127.0.0.1:1'] },
      ...users.gate,
    };
    const [primary, replica] = sentinels.servers;
    const weak = await check(store, true);
    expect(weak.unsafe).toEqual(['min-replicas-to-write 0', 'min-replicas-to-write 0']);
    expect(new Set(weak.findings.map(({ server: of }) => of))).toEqual(
      new Set([null, `127.0.0.1:${primary.port}`, `127.0.0.1:${replica.port}`]),
    );
    for (const one of sentinels.servers) {
      await asAdmin(one, users.root, (root) =>
        root.call('CONFIG', 'SET', 'min-replicas-to-write', 1),
      );
    }
    const { findings } = await check(store, true);
    await sentinels.stop();
    expect(findings.map(({ found }) => found)).toEqual([
      '1 of 4 sentinels do not answer',
      'leases outlive the wait for a failover (5000 ms)',
      'leases outlive the wait for a failover (5000 ms)',
    ]);
    expect(findings[1]?.means).toContain('for up to 35000 ms');
  });

  it('looks at every node of a cluster, and at what is not covered', async () => {
    const cluster = await startCluster({
      configFile: CONF,
      aclFile: users.aclFile,
      admin: users.root,
      appendOnly: true,
    });
    for (const node of cluster.nodes) {
      await asAdmin(node, users.root, (root) =>
        root.call('CONFIG', 'SET', 'min-replicas-to-write', 1),
      );
    }
    const store = {
      cluster: cluster.addresses.slice(0, 2).map(({ host, port }) => `${host}:${port}`),
      ...users.gate,
    };
    let whole = await check(store, true);
    // How far a replica is, the others learn by and by.
    await until('replicas are in step', async () => {
      whole = await check(store, true);
      return !whole.unsafe.includes('no replica in step');
    });
    const [first] = cluster.nodes;
    await asAdmin(first!, users.root, (root) => root.call('CLUSTER', 'DELSLOTS', 0));
    const torn = await check(store, true);
    await cluster.stop();
    expect(whole.unsafe).toEqual([]);
    expect(whole.findings.map(({ server: of }) => of)).toHaveLength(6);
    expect(torn.unsafe).toContain('1 slots have no server');
  });

  it('tells the shell: 0 in order, 1 unsafe, 3 not reachable; and looks at Redis all the same where only an upstream is away', async () => {
    let files = 0;
    const run = async (keys: Readonly<Record<string, unknown>>, port: number) => {
      files += 1;
      return shell.run(
        'check',
        '--config',
        shell.write(`check-${files}.yaml`, fileWith(keys, port)),
        '--connect',
      );
    };
    const upstream = createServer((_request, response) => void response.end());
    upstream.listen(0, '127.0.0.1');
    await once(upstream, 'listening');
    const { port } = upstream.address() as AddressInfo;
    onTestFinished(() => void upstream.close());
    // One after the other: what takes too long to answer because four of them begin at once is told
    // as away.
    const sound = await run(gateOn(server), port);
    const unsafe = await run({ url: server.url, ...users.manager }, port);
    const away = await run({ url: 'redis://127.0.0.1:1' }, port);
    const half = await run({ url: server.url, ...users.manager }, 1);
    expect(sound).toMatchObject({ code: 0, out: expect.stringContaining('is in order') });
    expect(unsafe).toMatchObject({
      code: 1,
      out: expect.stringContaining('may change the registry\n  This instance'),
    });
    expect(unsafe.out).not.toContain('is in order');
    expect(away).toMatchObject({ code: 3, out: '' });
    expect(half).toMatchObject({
      code: 3,
      out: expect.stringContaining('may change the registry'),
    });
  });
});

describe('what is found in facts', () => {
  const sound = new Map([
    ['redis_version', '7.2.0'],
    ['maxmemory_policy', 'noeviction'],
    ['maxmemory', '1'],
    ['aof_enabled', '1'],
    ['role', 'master'],
    ['connected_slaves', '0'],
  ]);
  const settings = new Map([['appendfsync', 'always']]);
  const server: ServerFacts = {
    address: 'r:1',
    fault: null,
    refusedUser: false,
    info: sound,
    settings,
    open: false,
    defaultUserFull: true,
    clockAheadMs: 0,
  };
  const facts: RedisFacts = { servers: [server], sentinel: null, cluster: null };
  const rights = {
    readsRegistry: true,
    renewsLease: true,
    confirmsChanges: true,
    keepsRevoked: true,
    appendsAudit: true,
    trimsAudit: true,
    closesPermits: true,
    keepsHeads: true,
    copiesActivity: true,
    boundsActivity: true,
    hashesAddresses: true,
    sharesAssertionKeys: true,
    notesUses: true,
    sharesLimits: true,
    keepsFigures: true,
    publishesRoutes: true,
    writesRegistry: false,
    leavesPrefix: false,
    administersServer: false,
  };
  const found = (
    change: Partial<ServerFacts>,
    more: Partial<RedisFacts> = {},
    administers = false,
    renewsTokens = false,
  ) =>
    findingsOf({ ...facts, servers: [{ ...server, ...change }], ...more }, rights, {
      leaseMs: 1_000,
      administers,
      renewsTokens,
    }).map((finding) => `${finding.severity}: ${finding.found}`);
  const withInfo = (name: string, value: string) => ({ info: new Map([...sound, [name, value]]) });

  it('is nothing where all is sound', () => {
    expect(found({})).toEqual([]);
  });

  it('is a user without the rights of manager where a route exchanges tokens', () => {
    expect(found({}, {}, false, true)).toEqual([
      'unsafe: the configured user may not change the registry, and a route has action: renew-token',
    ]);
  });

  it.each([
    ['an old version', withInfo('redis_version', '6.2.14'), 'unsafe: Redis 6.2.14'],
    [
      'a disk that takes no writes',
      withInfo('aof_last_write_status', 'err'),
      'unsafe: the last write to the append-only file failed',
    ],
    [
      'a clock ahead',
      { clockAheadMs: 5_000 },
      "unsafe: its clock is 5000 ms ahead of this machine's",
    ],
    [
      'a clock behind',
      { clockAheadMs: -5_000 },
      "unsafe: its clock is 5000 ms behind this machine's",
    ],
    ['no limit of memory', withInfo('maxmemory', '0'), 'note: no maxmemory'],
    [
      'a port in the clear beside TLS',
      { settings: new Map([...settings, ['port', '1'], ['tls-port', '2']]) },
      'note: it also listens in the clear, on port 1',
    ],
    ['no answer', { fault: 'away' }, 'unverified: away'],
    ['no rights to look', { info: null }, 'unverified: INFO is not allowed'],
  ])('is %s', (_, change, expected) => {
    expect(found(change)).toEqual([expected]);
  });

  it('is a user who cannot change what he should, too few sentinels and a primary alone in a cluster', () => {
    expect(found({}, {}, true)).toEqual([
      'unsafe: the configured user may not change the registry',
    ]);
    const sentinel = { listed: 2, answered: 2, known: 2, quorum: 2, downAfterMs: 60_000 };
    const guarded = {
      settings: new Map([
        ...settings,
        ['min-replicas-to-write', '1'],
        ['min-replicas-max-lag', '10'],
      ]),
    };
    expect(found(guarded, { sentinel })).toEqual(['unsafe: 2 sentinel(s)']);
    const cluster = { slotsWithoutServer: 0, primariesWithoutReplica: ['r:1'] };
    expect(
      found(
        { settings: new Map([...guarded.settings, ['cluster-node-timeout', '60000']]) },
        { cluster },
      ),
    ).toEqual(['unsafe: no replica in step']);
  });
});

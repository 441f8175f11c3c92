import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { encodeRecord, withVersion } from '../../src/registry/codec.ts';
import { registryKeys } from '../../src/store/keys.ts';
import type { RedisConnection } from '../../src/store/redis.ts';
import { slotOf } from '../../src/store/redis-slot.ts';
import { account } from '../contract/registry-records.ts';
import { freePort } from '../support/free-port.ts';
import { owner, startGateway, type TestGateway } from '../support/gateway.ts';
import { type RawUpstream, startRawUpstream } from '../support/raw-upstream.ts';
import { adminOf, asAdmin, until } from '../support/redis-replication.ts';
import { type RedisServer, redisMissing, startRedis } from '../support/redis-server.ts';
import { makeRedisUsers, type RedisUsers } from '../support/redis-users.ts';

// Real servers on a crowded machine.
vi.setConfig({ testTimeout: 120_000 });

const missing = redisMissing();
const LEASE_MS = 1_000;
/** What callers may be told. Never that their token is wrong. */
const AWAY: readonly unknown[] = ['registry-unavailable', 'registry-foreign', 'audit-unavailable'];
const ROUTE = { application: 'any', permission: 'test:all', upstream: 'api' };
const keys = registryKeys('sallyport');

/** A Redis brought into a state, and what a gate makes of it. */
interface Fault {
  readonly name: string;
  /** The gate comes as nobody, and is let in at first. */
  readonly anonymous?: true;
  begin(scene: Scene): Promise<unknown>;
  end(scene: Scene): Promise<unknown>;
  /**
   * What `/readyz` says, and of what. Null: the state concerns single accounts, and the gate stays
   * ready.
   */
  readonly told: { readonly check: 'registry' | 'audit'; readonly why: RegExp } | null;
  /**
   * What may be read is answered on: for good where the lease is renewed, else until it has run
   * out.
   */
  readonly readable?: 'for good' | 'until the lease is out';
  /** Only records are refused: they go to the spool, and everybody is answered as before. */
  readonly spooled?: true;
}

interface Scene {
  readonly server: RedisServer;
  readonly root: RedisConnection;
  readonly users: RedisUsers;
  /** Key of the account that was never looked up. */
  readonly unseenKey: string;
  /** A command that will be answered when the fault is over, or never. */
  leave(reply: Promise<unknown>): void;
}

const NOWHERE = ['REPLICAOF', '127.0.0.1', '1'] as const;
const HOME = ['REPLICAOF', 'NO', 'ONE'] as const;
const registry = (why: RegExp) => ({ check: 'registry', why }) as const;

const FAULTS: readonly Fault[] = [
  {
    name: 'OOM',
    begin: ({ root }) => root.call('CONFIG', 'SET', 'maxmemory', 1),
    end: ({ root }) => root.call('CONFIG', 'SET', 'maxmemory', 0),
    told: { check: 'audit', why: /local spool: .*answered OOM: its memory is full/ },
    readable: 'for good',
    spooled: true,
  },
  {
    name: 'READONLY',
    begin: ({ root }) => root.call(...NOWHERE),
    end: ({ root }) => root.call(...HOME),
    told: registry(/answered READONLY: this server is a replica and takes no writes/),
    readable: 'until the lease is out',
  },
  {
    name: 'MASTERDOWN',
    begin: async ({ root }) => {
      await root.call('CONFIG', 'SET', 'replica-serve-stale-data', 'no');
      await root.call(...NOWHERE);
    },
    end: ({ root }) => root.call(...HOME),
    told: registry(/answered (MASTERDOWN|READONLY): /),
  },
  {
    name: 'LOADING',
    begin: async ({ root, leave }) => {
      await root.call('DEBUG', 'POPULATE', 1_000, 'filler', 2_000);
      await root.call(
        'CONFIG',
        'SET',
        'key-load-delay',
        50_000,
        'loading-process-events-interval-bytes',
        1_024,
      );
      leave(root.call('DEBUG', 'RELOAD'));
    },
    end: async ({ server, users }) => {
      await asAdmin(server, users.root, (other) =>
        other.call('CONFIG', 'SET', 'key-load-delay', 0),
      );
    },
    told: registry(/answered LOADING: it is still loading its data/),
  },
  {
    name: 'WRONGPASS',
    begin: async ({ root }) => {
      await root.call('ACL', 'SETUSER', 'gate', 'resetpass', '>another');
      await root.call('CLIENT', 'KILL', 'USER', 'gate');
    },
    end: ({ root }) => root.call('ACL', 'LOAD'),
    told: registry(/answered WRONGPASS: user or password is wrong/),
  },
  {
    name: 'NOAUTH',
    anonymous: true,
    begin: async ({ root }) => {
      await root.call('ACL', 'SETUSER', 'default', 'off', 'resetpass');
      await root.call('CLIENT', 'KILL', 'USER', 'default');
    },
    end: ({ root }) => root.call('ACL', 'SETUSER', 'default', 'on', 'nopass'),
    told: registry(/answered NOAUTH: it asks for a user and a password, and none is configured/),
  },
  {
    name: 'NOPERM',
    begin: ({ root }) =>
      root.call(
        'ACL',
        'SETUSER',
        'gate',
        'nocommands',
        'clearselectors',
        '+hello',
        '+auth',
        '+client|setname',
      ),
    end: ({ root }) => root.call('ACL', 'LOAD'),
    told: registry(/answered NOPERM: the configured user lacks a right/),
  },
  {
    name: 'MISCONF',
    begin: async ({ root }) => {
      await root.call('CONFIG', 'SET', 'save', '3600 1', 'dir', '/proc');
      await root.call('BGSAVE');
      await until('the snapshot has failed', async () =>
        /rdb_last_bgsave_status:err/.test(String(await root.call('INFO', 'persistence'))),
      );
    },
    end: ({ server, root }) => root.call('CONFIG', 'SET', 'save', '', 'dir', server.directory),
    told: registry(/answered MISCONF: it cannot write to its disk/),
    readable: 'until the lease is out',
  },
  {
    name: 'NOREPLICAS',
    begin: ({ root }) => root.call('CONFIG', 'SET', 'min-replicas-to-write', 1),
    end: ({ root }) => root.call('CONFIG', 'SET', 'min-replicas-to-write', 0),
    told: registry(/answered NOREPLICAS: too few replicas/),
    readable: 'until the lease is out',
  },
  {
    name: 'BUSY',
    begin: async ({ server, users, root, leave }) => {
      leave(root.call('EVAL', 'while true do end', 0));
      const isBusy = (fault: unknown) => String(fault).includes('BUSY');
      // Another connection's command may be served before the script begins.
      await asAdmin(server, users.root, (other) =>
        until('the script runs', () => other.call('GET', 'x').then(() => false, isBusy)),
      );
    },
    end: ({ server, users }) =>
      asAdmin(server, users.root, (other) => other.call('SCRIPT', 'KILL')),
    told: registry(/answered BUSY: a script has been running for too long/),
  },
  {
    name: 'no answer',
    begin: async ({ server }) => server.pause(),
    end: async ({ server }) => server.resume(),
    told: registry(/cannot be reached/),
  },
  {
    name: 'no server',
    begin: ({ server }) => server.kill(),
    end: ({ server }) => server.restart(),
    told: registry(
      /127\.0\.0\.1:\d+: Redis cannot be reached \(ECONNREFUSED: nothing listens there\)/,
    ),
  },
  {
    name: 'an account of the wrong type',
    begin: async ({ root, unseenKey }) => {
      await root.call('RENAME', unseenKey, `${unseenKey}.kept`);
      await root.call('RPUSH', unseenKey, 'x');
    },
    end: ({ root, unseenKey }) => root.call('RENAME', `${unseenKey}.kept`, unseenKey),
    told: null,
    readable: 'for good',
  },
  ...(
    [
      '10 MB of text that is no record',
      '10 MB of a record with a description',
      'a record of a newer schema',
    ] as const
  ).map(
    (name): Fault => ({
      name,
      begin: async ({ root, unseenKey }) => {
        const long = 'x'.repeat(10 * 1024 * 1024);
        const description = name.startsWith('10 MB') ? long : '';
        const record = withVersion(
          encodeRecord({ ...account(1), id: unseenKey.slice(-12), description }),
          1,
        );
        const text = {
          '10 MB of text that is no record': long,
          'a record of a newer schema': record.replace('"schema":1', '"schema":4'),
        };
        await root.call('RENAME', unseenKey, `${unseenKey}.kept`);
        await root.call(
          'SET',
          unseenKey,
          name === '10 MB of a record with a description' ? record : text[name],
        );
      },
      end: ({ root, unseenKey }) => root.call('RENAME', `${unseenKey}.kept`, unseenKey),
      told: null,
      readable: 'for good',
    }),
  ),
  {
    name: 'a newer schema',
    begin: ({ root }) => root.call('HSET', keys.meta, 'schema', 99),
    end: ({ root }) => root.call('HSET', keys.meta, 'schema', 1),
    told: registry(/schema 99/),
  },
  {
    name: 'a registry without its position',
    begin: ({ root }) => root.call('RENAME', keys.meta, `${keys.meta}.kept`),
    end: ({ root }) => root.call('RENAME', `${keys.meta}.kept`, keys.meta),
    told: registry(/the store holds no registry/),
  },
];

describe('a Redis that cannot answer', () => {
  let upstream: RawUpstream;
  let users: RedisUsers;

  beforeAll(async () => {
    if (missing !== null) return;
    upstream = await startRawUpstream();
    users = await makeRedisUsers();
  });
  afterAll(async () => {
    await upstream?.stop();
    await users?.remove();
  });
  beforeEach((context) => {
    if (missing !== null) context.skip(missing);
  });

  it.concurrent.each(FAULTS)(
    '$name: no token counts as unknown, nothing is learned from it, and it is said why',
    async (fault) => {
      const config = [
        '--enable-debug-command',
        'yes',
        '--enable-protected-configs',
        'yes',
        '--lua-time-limit',
        '50',
      ];
      const server = await startRedis({ aclFile: users.aclFile, appendOnly: 'unsynced', config });
      const store = { url: server.url };
      if (fault.anonymous)
        await asAdmin(server, users.root, (root) =>
          root.call('ACL', 'SETUSER', 'default', 'on', 'nopass'),
        );
      const stores = {
        store: fault.anonymous ? store : { ...store, ...users.gate },
        administratorStore: { ...store, ...users.manager },
      };
      await scene(server, users, stores, fault);
    },
  );

  it.concurrent('CLUSTERDOWN: no token counts as unknown, nothing is learned from it, and it is said why', async () => {
    const config = ['--cluster-enabled', 'yes', '--cluster-port', String(await freePort())];
    const server = await startRedis({ aclFile: users.aclFile, appendOnly: 'unsynced', config });
    await asAdmin(server, users.root, (root) => root.call('CLUSTER', 'ADDSLOTSRANGE', 0, 16_383));
    const store = { cluster: [`127.0.0.1:${server.port}`] };
    await asAdmin(server, users.root, (root) =>
      until('the cluster serves', async () =>
        /cluster_state:ok/.test(String(await root.call('CLUSTER', 'INFO'))),
      ),
    );
    await scene(
      server,
      users,
      { store: { ...store, ...users.gate }, administratorStore: { ...store, ...users.manager } },
      {
        name: 'CLUSTERDOWN',
        begin: ({ root }) => root.call('CLUSTER', 'DELSLOTS', slotOf(keys.meta)),
        end: ({ root }) => root.call('CLUSTER', 'ADDSLOTS', slotOf(keys.meta)),
        told: registry(
          /answered CLUSTERDOWN: the cluster does not serve|no server of the cluster serves/,
        ),
      },
    );
  });

  async function scene(
    server: RedisServer,
    who: RedisUsers,
    stores: Pick<Parameters<typeof startGateway>[0], 'store' | 'administratorStore'>,
    fault: Fault,
  ): Promise<void> {
    const left: Promise<unknown>[] = [];
    const root = adminOf(server, who.root);
    const gate = await startGateway({
      upstreams: { api: { addresses: [upstream.url] } },
      leaseMs: LEASE_MS,
      plaintext: true,
      routes: [
        {
          name: 'unrecorded',
          path: PATHS.registry,
          methods: ['POST'],
          ...ROUTE,
          audit: 'best-effort',
        },
        { name: 'recorded', path: PATHS.audit, methods: ['POST'], ...ROUTE },
      ],
      ...stores,
    });
    try {
      const unseen = await gate.createAccount({ name: 'unseen', role: 'tester' });
      const stranger = await gate.createAccount({ name: 'stranger', role: 'tester' });
      await gate.administration.deleteAccount(owner, { id: stranger.id });
      await until('the gate serves', async () => (await call(gate, gate.token)).status === 200);
      const leave = (reply: Promise<unknown>) => void left.push(reply.catch(() => null));
      const play: Scene = { server, root, users: who, unseenKey: keys.account(unseen.id), leave };
      await fault.begin(play);
      // From the first moment on, and when every lease has run out.
      const check = fault.told?.check ?? 'registry';
      const refused = (token: string) => refusal(gate, token, PATHS[check]);
      const [first, unknown] = await Promise.all([refused(unseen.token), refused(stranger.token)]);
      // Which of the two is noticed first is a matter of speed: the lease may have run out by now,
      // and the records be away.
      if (fault.spooled) expect([first, unknown]).toEqual([200, 401]);
      else
        expect([...AWAY, ...(fault.readable === 'until the lease is out' ? [200] : [])]).toContain(
          first,
        );
      if (fault.readable === undefined) expect(AWAY).toContain(unknown);
      if (fault.told !== null) {
        const { why } = fault.told;
        await until(`/readyz says why of the ${check}`, async () =>
          why.test(String((await trouble(gate))[check])),
        );
        // Where the records are away too, that may be what is said.
        const refusals = await Promise.all([unseen.token, gate.token, stranger.token].map(refused));
        if (fault.spooled) expect(refusals).toEqual([200, 200, 401]);
        else for (const one of refusals) expect(AWAY).toContain(one);
      } else
        await until(
          'the others are let in',
          async () => (await call(gate, gate.token)).status === 200,
        );
      await fault.end(play);
      await until(
        'the account is let in',
        async () => (await call(gate, unseen.token)).status === 200,
      );
      await until(
        'the stranger is unknown',
        async () => (await call(gate, stranger.token)).status === 401,
      );
      await until(
        'nothing is wrong any more',
        async () => Object.keys(await trouble(gate)).length === 0,
      );
    } finally {
      await gate.stop();
      root.close();
      await server.stop();
      await Promise.all(left);
    }
  }
});

/**
 * Where no record holds a call up, so that what is said of the registry can be heard while the
 * audit log is away too; and where one does.
 */
const PATHS = { registry: '/unrecorded', audit: '/recorded' } as const;

async function call(
  gate: TestGateway,
  token: string,
  path: string = PATHS.registry,
): Promise<Response> {
  return fetch(gate.url + path, { method: 'POST', headers: { authorization: `Bearer ${token}` } });
}

/** The reason of a 503; whatever else is answered is told as it is. */
async function refusal(gate: TestGateway, token: string, path?: string): Promise<unknown> {
  const response = await call(gate, token, path);
  const body = (await response.json().catch(() => ({}))) as { readonly reason?: unknown };
  return response.status === 503 ? body.reason : response.status;
}

/** What is wrong, by check. */
async function trouble(gate: TestGateway): Promise<Readonly<Record<string, string>>> {
  const { checks } = (await (await fetch(`${gate.opsUrl}/readyz`)).json()) as {
    readonly checks: readonly {
      readonly name: string;
      readonly state: string;
      readonly why?: string;
    }[];
  };
  return Object.fromEntries(
    checks.filter(({ state }) => state !== 'ok').map(({ name, why }) => [name, why ?? '']),
  );
}

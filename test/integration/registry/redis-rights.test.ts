import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { RedisRegistryStore } from '../../../src/registry/redis/registry.ts';
import { RedisRegistrySource } from '../../../src/registry/redis/source.ts';
import { auditKeys, registryKeys } from '../../../src/store/keys.ts';
import { connectRedis, type RedisConnection } from '../../../src/store/redis.ts';
import { loadScript } from '../../../src/store/script.ts';
import { account, creation, idOf, role } from '../../contract/registry-records.ts';
import { type RedisServer, redisMissing, startRedis } from '../../support/redis-server.ts';

const CONFIG = new URL('../../../config/redis/', import.meta.url).pathname;
const PREFIX = 'sallyport';
const missing = redisMissing();

describe('rights of the Redis users', () => {
  let directory: string;
  let server: RedisServer;
  /** Not among the shipped users: looks at the data and tries commands on behalf of others. */
  let root: RedisConnection;
  let gate: RedisConnection;
  let manager: RedisConnection;
  let store: RedisRegistryStore;

  beforeAll(async () => {
    if (missing !== null) return;
    directory = await mkdtemp(join(tmpdir(), 'sallyport-acl-'));
    const files = {
      GATE_PASSWORD_FILE: join(directory, 'gate'),
      MANAGER_PASSWORD_FILE: join(directory, 'manager'),
    };
    await writeFile(files.GATE_PASSWORD_FILE, 'gate-password\n');
    await writeFile(files.MANAGER_PASSWORD_FILE, 'manager-password\n');
    const { stdout } = await promisify(execFile)(join(CONFIG, 'make-users.sh'), {
      env: { ...process.env, ...files },
    });
    const aclFile = join(directory, 'users.acl');
    await writeFile(aclFile, `${stdout}user root on >root-password ~* &* +@all\n`);
    server = await startRedis({
      configFile: join(CONFIG, 'redis.conf'),
      aclFile,
      appendOnly: true,
    });
    const as = (username: string) =>
      connectRedis({
        url: server.url,
        username,
        password: `${username}-password`,
        tls: null,
        name: username,
      });
    [root, gate, manager] = [as('root'), as('gate'), as('manager')];
    store = new RedisRegistryStore(manager, { keyPrefix: PREFIX, name: 'manager' });
    await store.initialise([role('viewer')]);
    await store.commit(creation(account(1)));
  });

  afterAll(async () => {
    if (missing !== null) return;
    for (const connection of [root, gate, manager]) connection.close();
    await server.stop();
    await rm(directory, { recursive: true, force: true });
  });

  beforeEach((context) => {
    if (missing !== null) context.skip(missing);
  });

  /** Every registry key but the leases, with its bytes. */
  async function registryBytes(): Promise<Record<string, unknown>> {
    const keys = ((await root.call('KEYS', `${PREFIX}:{registry}:*`)) as string[])
      .filter((key) => !key.includes(':lease:'))
      .sort();
    return Object.fromEntries(
      await Promise.all(keys.map(async (key) => [key, await root.call('DUMP', key)])),
    );
  }

  async function fault(reply: Promise<unknown>): Promise<{ readonly code: unknown }> {
    return reply.then(
      (answer) => ({ code: `answered ${JSON.stringify(answer)}` }),
      (error: { code: unknown }) => error,
    );
  }

  it('let the gate read the registry, follow it and renew its lease', async () => {
    const source = new RedisRegistrySource(gate, { keyPrefix: PREFIX, name: 'gate' });
    const { epoch, roles } = await source.snapshot();
    expect(roles.map(({ name }) => name)).toEqual(['viewer']);
    expect((await source.account(idOf(1))).account?.name).toBe('account-1');
    expect(await source.renew({ instance: 'edge-1', leaseMs: 60_000 })).toMatchObject({
      epoch,
      seq: 2,
      tombstones: 0,
    });
    expect(await root.call('PTTL', `${PREFIX}:{registry}:lease:edge-1`)).toBeGreaterThan(50_000);
    expect(await source.eventsAfter({ epoch, seq: 1 })).toHaveLength(1);
    const seen = Promise.withResolvers<number>();
    const subscription = source.follow(
      { epoch, seq: 1 },
      { onEvents: ([event]) => seen.resolve(event?.seq ?? 0), onLost: seen.reject },
    );
    expect(await seen.promise).toBe(2);
    await subscription.close();
    await source.release('edge-1');
    expect(await root.call('EXISTS', `${PREFIX}:{registry}:lease:edge-1`)).toBe(0);
  });

  it('let no command of the gate write a registry key: each that Redis knows is tried in many shapes', async () => {
    const registry = registryKeys(PREFIX);
    const commands = (await root.call(
      'COMMAND',
      'LIST',
      'FILTERBY',
      'ACLCAT',
      'write',
    )) as string[];
    expect(commands.length).toBeGreaterThan(100);
    let understood = 0;
    const allowed: string[] = [];
    for (const key of [registry.meta, registry.account(idOf(1))]) {
      for (const words of commands.flatMap((command) =>
        shapes(command.split('|'), key, registry.lease('edge-1')),
      )) {
        if ((await dryRun('root', words)) !== 'OK') continue;
        understood += 1;
        if ((await dryRun('gate', words)) === 'OK' && (await keysOf(words)).includes(key))
          allowed.push(words.join(' '));
      }
    }
    expect(understood).toBeGreaterThan(1_000);
    expect(allowed).toEqual([]);
  });

  /** The words that Redis takes for keys: `SET lease meta` only stores the text "meta". */
  async function keysOf(words: readonly string[]): Promise<readonly string[]> {
    return (await root.call('COMMAND', 'GETKEYS', ...words)) as string[];
  }

  async function dryRun(user: string, words: readonly string[]): Promise<unknown> {
    return root.call('ACL', 'DRYRUN', user, ...words).catch((error: Error) => error.message);
  }

  it('let no script, transaction or server command of the gate write a registry key', async () => {
    const {
      meta,
      roles,
      feed,
      accounts,
      teams,
      claims,
      changes,
      account: accountKey,
    } = registryKeys(PREFIX);
    const before = await registryBytes();
    const script = (...words: string[]) =>
      gate.call('EVAL', `return redis.call(unpack(ARGV))`, 0, ...words);
    const commit = loadScript('registry-commit');
    const attempts: Promise<unknown>[] = [
      script('HSET', meta, 'seq', '1'),
      script('SET', accountKey(idOf(1)), '{}'),
      script('DEL', roles),
      script('XADD', feed, '*', 'a', 'b'),
      script('RENAME', registryKeys(PREFIX).lease('x'), meta),
      script('FLUSHALL'),
      gate.call('EVAL', `return redis.pcall('DEL', KEYS[1])`, 1, meta),
      gate.call(
        'EVAL',
        commit.text,
        7,
        meta,
        accounts,
        roles,
        teams,
        claims,
        feed,
        changes,
        '{}',
        1,
        1,
      ),
      gate.pipeline([['MULTI'], ['SET', accountKey(idOf(1)), '{}'], ['EXEC']]),
      gate.call('EVAL_RO', `return redis.call('DEL', KEYS[1])`, 1, meta),
      gate.call('FLUSHALL'),
      gate.call('FLUSHDB'),
      gate.call('SWAPDB', 0, 1),
      gate.call('CONFIG', 'SET', 'maxmemory', '1'),
      gate.call('FUNCTION', 'FLUSH'),
      gate.call('SCRIPT', 'FLUSH'),
      gate.call('ACL', 'SETUSER', 'gate', 'allkeys'),
      gate.call('REPLICAOF', '127.0.0.1', '1'),
      gate.call('DEBUG', 'JMAP'),
      gate.call('SHUTDOWN', 'NOSAVE'),
    ];
    for (const attempt of attempts)
      expect((await fault(attempt)).code).toMatch(/^(NOPERM|ERR|EXECABORT)$/);
    expect(await registryBytes()).toEqual(before);
  });

  it('let the gate write its audit, activity, limits and last-used keys, by command and by script', async () => {
    const audit = auditKeys(PREFIX);
    expect(
      await gate.run(
        loadScript('audit-append'),
        [
          audit.stream(0),
          audit.last(0, 'edge-1'),
          audit.open(0, 'edge-1'),
          audit.instances(0),
          audit.alive(0, 'edge-1'),
          audit.touched,
          audit.activity(idOf(2)),
        ],
        [
          ...[1, '{"a":1}\n{"a":2}', 60_000, '', '1', 60_000, 0, 'edge-1', 5000],
          ...[Buffer.from([0, 1, 0, 0]), 10, 60_000, 1],
        ],
      ),
    ).toBe(0);
    expect(await gate.call('HGET', audit.instances(0), 'edge-1')).toBe('1');
    expect(
      await gate.run(
        loadScript('audit-activity'),
        [audit.activity(idOf(1))],
        ['{"a":1}', 10, 60_000],
      ),
    ).toBe(1);
    expect(await gate.call('SET', `${PREFIX}:limits:x`, 1, 'PX', 100)).toBe('OK');
    expect(await gate.call('HSET', `${PREFIX}:last-used:x`, 'a', 1)).toBe(1);
  });

  it('let the gate neither delete nor overwrite nor read the audit, nor reach beyond the prefix', async () => {
    const stream = auditKeys(PREFIX).stream(0);
    const attempts = [
      gate.call('DEL', stream),
      gate.call('SET', stream, 'x'),
      gate.call('XRANGE', stream, '-', '+'),
      gate.call('GET', 'other'),
      gate.call('SET', 'other', '1'),
      gate.call('KEYS', '*'),
      gate.call('SCAN', 0),
      gate.call('XRANGE', registryKeys(PREFIX).changes, '-', '+'),
    ];
    for (const attempt of attempts) expect((await fault(attempt)).code).toBe('NOPERM');
  });

  it('let the manager commit, and neither administer the server nor leave the prefix', async () => {
    expect(await store.commit(creation(account(2)))).toMatchObject({ committed: true });
    expect((await store.accounts({ cursor: null, limit: 10 })).items).toHaveLength(2);
    const attempts = [
      manager.call('FLUSHALL'),
      manager.call('CONFIG', 'GET', '*'),
      manager.call('ACL', 'LIST'),
      manager.call('SET', 'other', '1'),
      manager.call('KEYS', '*'),
    ];
    for (const attempt of attempts) expect((await fault(attempt)).code).toBe('NOPERM');
  });

  it('tell a wrong password, a missing one and a missing right from an outage', async () => {
    const wrong = connectRedis({
      url: server.url,
      username: 'gate',
      password: 'secret-guess',
      tls: null,
      name: 'x',
    });
    const anonymous = connectRedis({
      url: server.url,
      username: null,
      password: null,
      tls: null,
      name: 'x',
    });
    const without = new RedisRegistryStore(gate, { keyPrefix: PREFIX, name: 'x' });
    const refused = await new RedisRegistrySource(wrong, { keyPrefix: PREFIX, name: 'x' })
      .snapshot()
      .catch((error: Error) => error);
    expect(refused).toMatchObject({ name: 'RegistryUnavailable', why: 'forbidden' });
    expect(
      JSON.stringify([refused, (refused as Error).stack, (refused as Error).cause]),
    ).not.toContain('secret-guess');
    await expect(
      new RedisRegistrySource(anonymous, { keyPrefix: PREFIX, name: 'x' }).snapshot(),
    ).rejects.toMatchObject({
      why: 'forbidden',
    });
    await expect(without.commit(creation(account(3)))).rejects.toMatchObject({ why: 'forbidden' });
    wrong.close();
    anonymous.close();
  });
});

/**
 * Ways in which a command may be given a key among other words; Redis itself says which of them it
 * understands.
 */
function shapes(command: readonly string[], key: string, own: string): string[][] {
  const after = [
    [],
    ['1'],
    ['1', '2'],
    ['1', '2', '3'],
    ['1', '2', '3', '4'],
    [own],
    [own, '1'],
    ['*', 'f', 'v'],
    ['GROUP', 'g', 'c', 'STREAMS', key, '>'],
  ];
  const before = [
    [],
    [own],
    ['1'],
    ['return 1', '1'],
    ['AND', own],
    ['1', own],
    [own, own],
    ['MINID'],
    ['CREATE'],
  ];
  return before.flatMap((front) => after.map((back) => [...command, ...front, key, ...back]));
}

import { readFileSync, writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { verifyRegistry } from '../../src/admin/verify.ts';
import { sealAll } from '../../src/registry/embedded/seal.ts';
import { RedisRegistryStore } from '../../src/registry/redis/registry.ts';
import { registryKeys } from '../../src/store/keys.ts';
import { connectRedis, type RedisConnection } from '../../src/store/redis.ts';
import { account, creation, idOf, role } from '../contract/registry-records.ts';
import { type RedisServer, redisMissing, startRedis } from '../support/redis-server.ts';
import { EMBEDDED, Shell } from '../support/shell.ts';

const UUID_CHARACTERS = 36;

interface Verified {
  readonly accounts: number;
  readonly found: number;
  readonly findings: readonly string[];
}

describe('registry verify on an embedded store', () => {
  const shell = new Shell();
  const store = ['--config', 'gate.yaml'];
  beforeAll(async () => {
    shell.write('gate.yaml', EMBEDDED);
    for (const name of ['ci', 'billing'])
      await shell.json('account', 'create', name, '--role', 'administrator', ...store);
  });
  afterAll(() => shell.close());

  function edit(sql: string, sealed: boolean): void {
    const database = new DatabaseSync(shell.path('store/registry.db'));
    database.exec(sql);
    if (sealed) sealAll(database);
    database.close();
    if (!sealed) return;
    const marker = shell.path('store/registry-embedded.id');
    writeFileSync(marker, readFileSync(marker, 'utf8').slice(0, UUID_CHARACTERS));
  }

  it('finds nothing in a whole one, what does not agree, and what is damaged', async () => {
    expect(await shell.json('registry', 'verify', ...store)).toMatchObject({
      accounts: 2,
      claims: 2,
      found: 0,
      findings: [],
    });

    edit("UPDATE claim SET claim = 'name:nobody' WHERE claim = 'name:ci'", true);
    const differs = await shell.run('registry', 'verify', '--json', ...store);
    expect(differs).toMatchObject({ code: 1, err: expect.stringContaining('findings') });
    const { findings } = JSON.parse(differs.out) as Verified;
    expect(findings).toEqual([
      expect.stringMatching(/^name:nobody: is kept for account:\w+, and nobody has it$/),
      expect.stringMatching(/^name:ci: is not kept for account:\w+$/),
    ]);

    edit("UPDATE record SET text = replace(text, 'active', 'actjve')", false);
    const damaged = await shell.run('registry', 'verify', ...store);
    expect(damaged).toMatchObject({ code: 1, out: expect.stringContaining('checksum') });
    for (const words of [
      ['account', 'list'],
      ['account', 'show', 'ci'],
    ])
      expect(await shell.run(...words, ...store)).toMatchObject({
        code: 3,
        out: '',
        err: expect.stringContaining('from a backup'),
      });
  });
});

describe('verification of a registry in Redis', () => {
  const missing = redisMissing();
  const keys = registryKeys('test');
  let server: RedisServer;
  let connection: RedisConnection;
  let store: RedisRegistryStore;
  beforeAll(async () => {
    if (missing !== null) return;
    server = await startRedis();
    const options = { url: server.url, username: null, password: null, tls: null };
    connection = connectRedis({ ...options, name: 'verify' });
    store = new RedisRegistryStore(connection, { keyPrefix: 'test', name: 'verify' });
    await store.initialise([role('viewer')]);
    for (let n = 1; n <= 60; n += 1) await store.commit(creation(account(n)));
  });
  afterAll(async () => {
    await store?.close();
    await server?.stop();
  });

  it('finds nothing while it is changed all the time', async (ctx) => {
    if (missing !== null) ctx.skip(missing);
    let goesOn = true;
    const changes = (async () => {
      for (let n = 61; goesOn; n += 1) await store.commit(creation(account(n)));
    })();
    const verified = await verifyRegistry(store);
    goesOn = false;
    await changes;
    expect(verified).toMatchObject({ found: 0, roles: 1 });
    expect(verified.accounts).toBeGreaterThanOrEqual(60);
    expect(await verifyRegistry(store)).toMatchObject({ found: 0 });
  });

  it.each<[string, readonly (string | number)[], readonly (string | number)[], string]>([
    ['a record', ['COPY', keys.account(idOf(1)), 'kept'], ['DEL', keys.account(idOf(1))], 'gone'],
    ['a name', ['COPY', keys.claims, 'kept'], ['HDEL', keys.claims, 'name:account-2'], 'not kept'],
    [
      'a use',
      ['COPY', keys.references('role:viewer'), 'kept'],
      ['SREM', keys.references('role:viewer'), `account:${idOf(3)}`],
      'does not know',
    ],
    ['a place', ['COPY', keys.accounts, 'kept'], ['ZREM', keys.accounts, idOf(4)], 'accounts'],
    ['a count', ['COPY', keys.meta, 'kept'], ['HSET', keys.meta, 'counts', '7 1 0 7'], '7 should'],
  ])('tells of %s that is lost', async (_, keep, lose, finding) => {
    if (missing !== null) return;
    const call = ([command = '', ...words]: readonly (string | number)[]) =>
      connection.call(String(command), ...words);
    await call(keep);
    await call(lose);
    const { found, findings } = await verifyRegistry(store);
    expect([found, findings.join('\n')]).toEqual([
      findings.length,
      expect.stringContaining(finding),
    ]);
    expect(found).toBeGreaterThan(0);
    await connection.call('RENAME', 'kept', String(keep[1]));
    expect(await verifyRegistry(store)).toMatchObject({ found: 0 });
  });
});

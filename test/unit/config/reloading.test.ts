import { join } from 'node:path';
import { expect, it } from 'vitest';
import { compareConfigs, takeOver } from '../../../src/config/change.ts';
import { type LoadedConfig, parseConfig } from '../../../src/config/load.ts';
import { countsOf, keysOf } from '../../../src/config/reloading.ts';
import { configSchema } from '../../../src/config/schema.ts';
import { folder } from './samples.ts';

type Tree = { [key: string]: unknown };

const LISTEN = { proxy: { address: '127.0.0.1:1', plaintext: true } };
const TLS = { certificates: [{ certificateFile: 'a', keyFile: 'a' }] };
const ADMIN = { proxy: LISTEN.proxy, admin: { address: '127.0.0.1:2', tls: TLS } };
const DECISION = { address: '127.0.0.1:3', peers: ['10.0.0.1'] };
const REDIS = { kind: 'redis', url: 'rediss://r', tls: {} };
const SENTINELS = { kind: 'redis', sentinels: { name: 'm', addresses: ['s:1'] }, tls: {} };
const otlp = (keys: Tree) => ({
  telemetry: { otlp: { endpoint: 'http://127.0.0.1:4318/v1/traces', ...keys } },
});
const audit = (store: Tree) => ({ store: REDIS, audit: { store } });
const variable = (name: string) => `\${${name}}`;
const IDENTITY = {
  issuer: 'https://i',
  clientId: 'c',
  clientSecretFile: 'a',
  roles: { g: 'viewer' },
};

/**
 * Of every key that needs a restart: a configuration, and another value of that key in it. What
 * stands beside it may have to change with it.
 */
const SAMPLES: Readonly<Record<string, readonly [base: Tree, value: unknown, beside?: Tree]>> = {
  'instance.name': [{}, 'other'],
  'instance.dataDir': [{}, 'elsewhere'],
  'instance.workers': [{ store: REDIS }, 2],
  'listen.proxy.address': [{ listen: LISTEN }, '127.0.0.1:9'],
  'listen.proxy.plaintext': [{ listen: LISTEN }, false, { 'listen.proxy.tls': TLS }],
  'listen.admin.address': [{ listen: ADMIN }, '127.0.0.1:9'],
  'listen.admin.foundTokens': [{ listen: ADMIN }, true],
  'listen.ops.address': [{ listen: { ops: {} } }, '127.0.0.1:9'],
  'listen.decision.address': [{ listen: { decision: DECISION } }, '127.0.0.1:9'],
  'listen.decision.plaintext': [{ listen: { decision: DECISION } }, true],
  'store.kind': [{}, 'redis', { 'store.url': 'redis://r' }],
  'store.url': [{ store: REDIS }, 'rediss://other'],
  'store.sentinels.name': [{ store: SENTINELS }, 'other'],
  'store.sentinels.addresses': [{ store: SENTINELS }, ['s:2']],
  'store.sentinels.tls': [{ store: SENTINELS }, false],
  'store.cluster': [{ store: { kind: 'redis', cluster: ['c:1'] } }, ['c:2']],
  'store.keyPrefix': [{ store: REDIS }, 'other'],
  'registry.leaseMs': [{}, 5000],
  'registry.minReplicaAcks': [{ store: REDIS }, 1],
  'registry.cacheAccounts': [{}, 1000],
  'registry.expiryWarningDays': [{}, [7]],
  'audit.guarantee': [{}, 'buffered'],
  'audit.store.kind': [{ store: REDIS }, 'redis', { 'audit.store.url': 'rediss://a' }],
  'audit.store.url': [audit(REDIS), 'rediss://other'],
  'audit.store.sentinels.name': [audit(SENTINELS), 'other'],
  'audit.store.sentinels.addresses': [audit(SENTINELS), ['s:2']],
  'audit.store.sentinels.tls': [audit(SENTINELS), false],
  'audit.store.cluster': [audit({ kind: 'redis', cluster: ['c:1'] }), ['c:2']],
  'audit.store.keyPrefix': [audit(REDIS), 'other'],
  'audit.durability': [{}, 'both'],
  'audit.spool.maxBytes': [{}, 2 ** 21],
  'audit.retention.days': [{}, 5],
  'audit.retention.maxBytes': [{}, 2 ** 30],
  'audit.clientAddress': [{}, 'hashed'],
  'audit.headers': [{}, ['x-tenant']],
  'audit.foldRefusalsAfter': [{}, 5],
  'audit.activityPerAccount': [{}, 500],
  'audit.activityMaxBytes': [{}, 4_194_304],
  'assertion.issuer': [{}, 'other'],
  'assertion.rotateDays': [{}, 5],
  'assertion.sealingKeyFile': [{ store: REDIS, assertion: { sealingKeyFile: 'a' } }, 'b'],
  'assertion.sealingKey': [
    { store: REDIS, assertion: { sealingKey: variable('SECRET') } },
    variable('OTHER'),
  ],
  'limits.connections': [{}, 500],
  'limits.localSharePercent': [{}, 50],
  'log.level': [{}, 'debug'],
  'log.format': [{}, 'text'],
  'log.access.format': [{ log: { access: {} } }, 'combined'],
  'log.access.path': [{ log: { access: {} } }, 'access.log'],
  'log.access.sample': [{ log: { access: {} } }, 0.5],
  'telemetry.otlp.endpoint': [otlp({}), 'http://127.0.0.1:4318/v1/other'],
  'telemetry.otlp.caFile': [otlp({ caFile: 'a' }), 'b'],
  'telemetry.otlp.serviceName': [otlp({}), 'other'],
  'console.enabled': [{}, false],
  'console.sessionHours': [{}, 2],
  'console.idleMinutes': [{}, 5],
  'identity.issuer': [{ identity: IDENTITY, listen: ADMIN }, 'https://other'],
  'identity.clientId': [{ identity: IDENTITY, listen: ADMIN }, 'other'],
  'identity.scopes': [{ identity: IDENTITY, listen: ADMIN }, ['openid']],
  'identity.redirectUri': [{ identity: IDENTITY, listen: ADMIN }, 'https://h/sign-in/callback'],
  'identity.roleClaim': [{ identity: IDENTITY, listen: ADMIN }, 'other'],
  'identity.roles': [{ identity: IDENTITY, listen: ADMIN }, { other: 'viewer' }],
  'identity.nameClaim': [{ identity: IDENTITY, listen: ADMIN }, 'other'],
  'identity.allowPasswords': [{ identity: IDENTITY, listen: ADMIN }, false],
};

const keys = keysOf(configSchema);

it('declares of every key when a change of it counts', () => {
  expect(keys.length).toBeGreaterThan(80);
  expect(keys.filter((key) => countsOf(configSchema, key.split('.')) === null)).toEqual([]);
});

it.each(keys.filter((key) => countsOf(configSchema, key.split('.')) === 'restart'))(
  'names %s as needing a restart, and keeps it as it is',
  (key) => {
    const sample = SAMPLES[key];
    expect(sample, `a sample of ${key}`).toBeDefined();
    const [base, value, beside = {}] = sample!;
    const dir = folder({ a: 'x'.repeat(32), b: 'y'.repeat(32) });
    const load = (tree: Tree): LoadedConfig =>
      parseConfig(JSON.stringify(tree), join(dir, 'a.yaml'), {
        environment: { SECRET: 's'.repeat(32), OTHER: 't'.repeat(32) },
      });
    const before = load(base);
    const changes = { ...beside, [key]: value };
    const after = load(Object.entries(changes).reduce(withValue, base));
    const { changed, needRestart } = compareConfigs(before, before, after);
    expect(changed).not.toEqual([]);
    // A secret's file is compared as what it holds; a listening address has two parts.
    const named = [key, key.replace(/File$/, ''), 'store.kind', 'audit.store'];
    expect(
      needRestart.some((name) => named.includes(name) || name.startsWith(`${key}.`)),
      needRestart.join(),
    ).toBe(true);
    expect(takeOver(before.config, after.config)).toEqual(before.config);
  },
);

it('names a file that holds something else while the key that names it is the same', () => {
  const dir = folder({ ca: 'one' });
  const text = JSON.stringify({ store: { ...REDIS, tls: { caFile: 'ca' } } });
  const [before, after] = [1, 2].map((digest) => {
    const loaded = parseConfig(text, join(dir, 'a.yaml'));
    const file = join(dir, 'ca');
    return { ...loaded, contents: new Map([['store.tls.caFile', { file, digest: `${digest}` }]]) };
  }) as unknown as [LoadedConfig, LoadedConfig];
  expect(compareConfigs(before, before, after)).toMatchObject({
    changed: ['store.tls.caFile'],
    needRestart: [],
  });
});

it('takes over the secrets of a store, and nothing of a store of another kind', () => {
  const dir = folder({ a: 'x', b: 'y' });
  const load = (store: Tree) => parseConfig(JSON.stringify({ store }), join(dir, 'a.yaml')).config;
  const before = load({ ...REDIS, passwordFile: 'a' });
  const rotated = load({ ...REDIS, url: 'rediss://other', username: 'u', passwordFile: 'b' });
  const { store } = takeOver(before, rotated);
  expect(store).toMatchObject({ url: 'rediss://r', username: 'u', passwordFile: join(dir, 'b') });
  expect(store.kind === 'redis' && store.password?.reveal()).toBe('y');
  expect(takeOver(before, load({ kind: 'embedded' })).store).toEqual(before.store);
  // Whether there is TLS, and where the servers are, is not taken over by half.
  const plain = load({ ...SENTINELS, tls: undefined });
  const secured = load({ ...SENTINELS, tls: { caFile: 'a' } });
  expect(takeOver(plain, secured).store).toEqual(plain.store);
  expect(takeOver(secured, plain).store).toEqual(secured.store);
  expect(takeOver(before, secured).store).toMatchObject({ url: 'rediss://r', sentinels: null });
  const embedded = load({ kind: 'embedded' });
  expect(takeOver(embedded, before).store).toEqual(embedded.store);
});

it('goes on naming what waits for a restart, until it is as it was', () => {
  const load = (text: string) => parseConfig(text, '/nowhere/a.yaml');
  const started = load('realm: a');
  const moved = load('{ realm: a, registry: { leaseMs: 5000 } }');
  const more = load('{ realm: b, registry: { leaseMs: 5000 } }');
  expect(compareConfigs(started, moved, more)).toMatchObject({
    changed: ['realm'],
    needRestart: ['registry.leaseMs'],
  });
  expect(compareConfigs(started, more, started).needRestart).toEqual([]);
});

it('says of declared accounts that they have to be applied', () => {
  const load = (text: string) => parseConfig(text, '/nowhere/a.yaml');
  const [before, after] = [
    load('realm: a'),
    load('accounts: { roles: [{ name: r, permissions: [] }] }'),
  ];
  expect(compareConfigs(before, before, after).needApply).toEqual(['accounts.roles']);
});

function withValue(tree: Tree, [key, value]: [string, unknown]): Tree {
  const [first = '', ...rest] = key.split('.');
  const below = (tree[first] ?? {}) as Tree;
  return {
    ...tree,
    [first]: rest.length === 0 ? value : withValue(below, [rest.join('.'), value]),
  };
}

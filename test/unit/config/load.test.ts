// biome-ignore-all lint/suspicious/noTemplateCurlyInString: it is the syntax under test
import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { expect, it } from 'vitest';
import { loadConfig, parseConfig } from '../../../src/config/load.ts';
import { undecidedRoutes } from '../../../src/config/undecided-routes.ts';
import { folder, parse, saidOf } from './samples.ts';

it('fills in every default', () => {
  const { config, warnings } = parse('{}');
  expect(config).toMatchObject({
    instance: {
      name: expect.stringMatching(/./),
      dataDir: '/nowhere/data',
      workers: 1,
      lameDuckMs: 5000,
      drainMs: 30000,
    },
    listen: { proxy: null, admin: null, ops: null, decision: null },
    store: { kind: 'embedded' },
    registry: { leaseMs: 30000, minReplicaAcks: 0, cacheAccounts: 50000 },
    audit: {
      guarantee: 'acknowledged',
      retention: { days: 90, maxBytes: null },
      activityPerAccount: 10000,
    },
    upstreams: [],
    routes: [],
    limits: {
      connections: 20000,
      headBytes: 16384,
      targetBytes: 8192,
      headTimeoutMs: 10000,
      idleTimeoutMs: 65_000,
      bodyBytes: 0,
    },
    realm: 'sallyport',
    errors: 'problem',
  });
  expect(warnings).toEqual([]);
});

it('opens nothing that is not named, and binds to loopback what is named without an address', () => {
  expect(parse('listen: { ops: {} }').config.listen).toEqual({
    proxy: null,
    admin: null,
    ops: { address: { host: '127.0.0.1', port: 9464 } },
    decision: null,
  });
});

it.each([
  ['127.0.0.1:8443', { host: '127.0.0.1', port: 8443 }],
  ['[::1]:8443', { host: '::1', port: 8443 }],
  ['[::]:0', { host: '::', port: 0 }],
  ['localhost:65535', { host: 'localhost', port: 65535 }],
])('listens on %s', (text, address) => {
  expect(parse(`listen: { ops: { address: "${text}" } }`).config.listen.ops?.address).toEqual(
    address,
  );
});

it.each([
  '8443',
  ':8443',
  '::1:8443',
  '[::1]',
  '1.2.3:80',
  '256.1.1.1:80',
  'a:65536',
  'a:-1',
  'a:',
  'http://a:80',
  'a b:80',
  'a.:80',
  '[1.2.3.4]:80',
])('refuses %s as an address', (text) => {
  expect(saidOf(`listen: { ops: { address: "${text}" } }`)).toEqual([
    'listen.ops.address: expected host:port, such as 127.0.0.1:8443 or [::1]:8443',
  ]);
});

it('refuses two listeners on one port', () => {
  const listen = (ops: string) =>
    `listen: { proxy: { address: "127.0.0.1:8443", plaintext: true }, ops: { address: "${ops}" } }`;
  expect(saidOf(listen('127.0.0.1:8443'))).toEqual([
    'listen.ops.address: the port is already taken by listen.proxy',
  ]);
  expect(saidOf(listen('0.0.0.0:8443'))).toEqual([
    'listen.ops.address: the port is already taken by listen.proxy',
  ]);
  expect(saidOf(listen('127.0.0.2:8443'))).toEqual([]);
});

it('listens with TLS, or without it only when that is said, and then warns', () => {
  const dir = folder({ c: 'x', k: 'x' });
  const tls = `tls: { certificates: [{ certificateFile: ${dir}/c, keyFile: ${dir}/k }] }`;
  expect(saidOf('listen: { proxy: {} }')).toEqual([
    expect.stringContaining('listen.proxy.tls: is missing'),
  ]);
  expect(saidOf(`listen: { proxy: { ${tls}, plaintext: true } }`)).toEqual([
    'listen.proxy.plaintext: either tls or plaintext: true, not both',
  ]);
  expect(parse(`listen: { proxy: { ${tls} } }`).warnings).toEqual([]);
  expect(parse('listen: { proxy: { plaintext: true } }').warnings).toEqual([
    expect.objectContaining({
      path: 'listen.proxy.plaintext',
      line: 1,
      message: expect.stringContaining('without TLS'),
    }),
  ]);
});

it('opens the decision endpoint to listed peers alone, beyond the loopback not in the clear', () => {
  const said = (keys: string) => saidOf(`listen: { decision: { ${keys} } }`);
  const peers = 'peers: [10.0.0.0/8]';
  for (const none of ['', 'peers: []'])
    expect(said(none)).toEqual([expect.stringContaining('listen.decision.peers: is missing')]);
  for (const address of ['127.0.0.1:1', '127.9.9.9:1', '[::1]:1', 'localhost:1'])
    expect(said(`${peers}, address: "${address}"`)).toEqual([]);
  expect(said(peers)).toEqual([]);
  for (const address of ['0.0.0.0:1', '10.0.0.1:1', '[::]:1', '127.example:1'])
    expect(said(`${peers}, address: "${address}"`)).toEqual([
      expect.stringContaining('listen.decision.tls: is missing'),
    ]);
  const plain = `listen: { decision: { ${peers}, address: "0.0.0.0:1", plaintext: true } }`;
  expect(parse(plain).warnings.map(({ path }) => path)).toEqual(['listen.decision.plaintext']);
  const dir = folder({ c: 'x', k: 'x' });
  const tls = `tls: { certificates: [{ certificateFile: ${dir}/c, keyFile: ${dir}/k }] }`;
  expect(said(`${peers}, ${tls}, plaintext: true`)).toEqual([
    'listen.decision.plaintext: either tls or plaintext: true, not both',
  ]);
  expect(saidOf(`listen: { ops: {}, decision: { ${peers}, address: "127.0.0.1:9464" } }`)).toEqual([
    'listen.decision.address: the port is already taken by listen.ops',
  ]);
});

it('knows which routes the decision endpoint refuses, where there is one', () => {
  const account = 'application: any, permission: "a:b", upstream: u';
  const routes = `routes: [
    { name: a, path: /a, methods: [GET], ${account} },
    { name: b, path: /b, methods: [POST], application: "{app}", permission: "a:b", upstream: u,
      variables: { app: { json: /app } } },
    { name: c, path: /c, methods: [POST], action: renew-token },
    { name: d, path: /d, methods: [GET], ${account}, cors: { origins: ["https://a"] } },
    { name: e, path: /e, methods: [GET], ${account}, upgrade: [websocket] } ]`;
  const text = `upstreams: { u: { addresses: ["http://a"] } }\n${routes}`;
  expect(undecidedRoutes(parse(text).config)).toEqual([]);
  const asked = parse(`listen: { decision: { peers: [10.0.0.1] } }\n${text}`).config;
  expect(undecidedRoutes(asked).map(({ route }) => route)).toEqual(['b', 'c', 'd', 'e']);
});

it('takes addresses and ranges as trusted proxies, and nothing else', () => {
  const text = (list: string) =>
    `listen: { proxy: { plaintext: true, trustedProxies: [${list}] } }`;
  expect(
    parse(text('10.0.0.1, 10.0.0.0/8, "::1", "fd00::/8"')).config.listen.proxy?.trustedProxies,
  ).toHaveLength(4);
  for (const wrong of [
    '10.0.0.0/33',
    '"fd00::/129"',
    'localhost',
    '10.0.0.0/8/8',
    '10.0.0/8',
    '"*"',
  ]) {
    expect(saidOf(text(wrong))).toHaveLength(1);
  }
});

it('finds files beside the configuration, wherever the process was started', () => {
  const dir = folder({ 'tls.crt': 'x', 'tls.key': 'x' });
  const text =
    'listen: { proxy: { tls: { certificates: [{ certificateFile: tls.crt, keyFile: tls.key }] } } }\ninstance: { dataDir: state }';
  const dirWithConfig = folder({ 'sallyport.yaml': text });
  expect(() => loadConfig(join(dirWithConfig, 'sallyport.yaml'))).toThrow(
    'listen.proxy.tls.certificates[0].certificateFile: does not exist',
  );
  const { config, files } = parseIn(dir, text);
  expect(config.listen.proxy?.tls?.certificates[0]?.keyFile).toBe(join(dir, 'tls.key'));
  expect(config.instance.dataDir).toBe(join(dir, 'state'));
  expect(files).toEqual([join(dir, 'tls.crt'), join(dir, 'tls.key')]);
});

it('names each file that cannot be used, and why', () => {
  const dir = folder();
  mkdirSync(join(dir, 'sub'));
  const text = `upstreams: { a: { addresses: ["https://a"], tls: { caFile: none.pem, certificateFile: sub, keyFile: none.key } } }
routes: [{ name: p, path: /p, access: public, upstream: a }]`;
  expect(() => parseIn(dir, text)).toThrow(
    /tls\.caFile: does not exist\n.*tls\.certificateFile: is a folder\n.*tls\.keyFile: does not exist$/,
  );
});

it('warns of a private key that everyone can read', () => {
  const dir = folder({ c: 'x', k: 'x' });
  chmodSync(join(dir, 'k'), 0o644);
  const { warnings } = parseIn(
    dir,
    'listen: { proxy: { tls: { certificates: [{ certificateFile: c, keyFile: k }] } } }',
  );
  expect(warnings.map(({ path }) => path)).toEqual(['listen.proxy.tls.certificates[0].keyFile']);
});

it('replaces variables in texts, whole or in part, once', () => {
  const environment = { NAME: 'edge', NEXT: '${NAME}', EMPTY: '' };
  const { config } = parse(
    'realm: "a ${NAME} b ${NEXT} $${NAME} $NAME${EMPTY}"\ninstance: { name: "${NAME}" }',
    { environment },
  );
  expect(config.realm).toBe('a edge b ${NAME} ${NAME} $NAME');
  expect(config.instance.name).toBe('edge');
});

it('names variables that are not set or not written well', () => {
  expect(saidOf('realm: "${NOPE}"')).toEqual(['realm: the environment variable NOPE is not set']);
  expect(saidOf('realm: "${NOPE} and ${NEITHER}"')).toEqual([
    'realm: the environment variable NOPE is not set',
  ]);
  for (const wrong of ['${', '${A', '${}', '${A-B}', '${toString}', '${constructor}'])
    expect(saidOf(`realm: "${wrong}"`)).toHaveLength(1);
});

it('takes the default of a variable that is not set or empty, and no other', () => {
  const environment = { EMPTY: '', SET: 'b' };
  const { config } = parse('realm: "${NOPE:-a}${EMPTY:-a}${SET:-a}${NOPE:-}${NOPE:-x:-y}"', {
    environment,
  });
  expect(config.realm).toBe('aabx:-y');
});

it('reads a variable as its key wants it: a number, yes or no, a list', () => {
  const environment = { N: '20000', YES: 'true', LIST: '10.0.0.0/8, 192.0.2.1', NONE: '' };
  const text = `limits: { headBytes: "\${N}", targetBytes: "\${M:-4096}" }
listen: { proxy: { plaintext: "\${YES}", trustedProxies: "\${LIST}" } }
routes: "\${NONE}"`;
  const { config } = parse(text, { environment });
  expect(config.limits).toMatchObject({ headBytes: 20000, targetBytes: 4096 });
  expect(config.listen.proxy).toMatchObject({
    plaintext: true,
    trustedProxies: ['10.0.0.0/8', '192.0.2.1'],
  });
  expect(config.routes).toEqual([]);
});

it.each([
  ['limits: { headBytes: "${N}" }', { N: '20k' }, 'limits.headBytes: expected a whole number'],
  ['limits: { headBytes: "${N}" }', { N: '1' }, 'limits.headBytes: expected at least 1024'],
  ['limits: { headBytes: "20000" }', {}, 'limits.headBytes: expected a whole number'],
])(
  'refuses what cannot be read so, and text that the file quotes: %s',
  (text, environment, said) => {
    expect(saidOf(text, { environment })).toEqual([said]);
  },
);

it.each(['listen: { proxy: { address: ${A} } }', 'realm: [${A}]'])(
  'says that a variable inside braces wants quotes: %s',
  (text) => {
    expect(saidOf(text, { environment: { A: 'x' } })[0]).toContain('write "${A}" in quotes');
  },
);

it('takes over the keys of other maps by <<, and leaves keys that begin with x- to the file', () => {
  const { config } = parse(`x-shared: &shared { headBytes: 20000, targetBytes: 4096 }
x-more: &more { targetBytes: 1024, headTimeoutMs: 5000 }
limits: { <<: [*shared, *more], headBytes: 30000 }`);
  expect(config.limits).toMatchObject({
    headBytes: 30000,
    targetBytes: 4096,
    headTimeoutMs: 5000,
  });
  expect(saidOf('limits: { <<: 5 }')[0]).toContain('expected an alias of a map');
  expect(saidOf('limits: { x-own: 5 }')[0]).toContain('unknown key');
});

const REDIS = 'kind: redis, url: "rediss://redis.internal:6379/0"';

it('reads a password from a file, without its line break, and shows it to nobody', () => {
  const dir = folder({ pw: 'correct horse\n' });
  const { config, warnings, files } = parseIn(
    dir,
    `store: { ${REDIS}, username: gate, passwordFile: pw }`,
  );
  const { store } = config;
  if (store.kind !== 'redis') return expect.unreachable();
  expect(store.password?.reveal()).toBe('correct horse');
  expect(
    `${JSON.stringify(config)} ${inspect(config, { depth: 9, showHidden: true })} ${store.password}`,
  ).not.toContain('correct');
  expect(warnings).toEqual([]);
  expect(files).toEqual([join(dir, 'pw')]);
});

it.each(['secret\n\n', ' secret', 'secret \n'])(
  'warns of a secret with white space at an end, which counts as a part of it: %j',
  (text) => {
    const { warnings } = parseIn(
      folder({ pw: text }),
      `store: { ${REDIS}, username: gate, passwordFile: pw }`,
    );
    expect(warnings.map(({ message }) => message).join()).toContain(
      'begins or ends with white space',
    );
  },
);

it('warns of a password that everyone can read, and refuses an empty one', () => {
  const dir = folder({ pw: 'x', empty: '\n' });
  chmodSync(join(dir, 'pw'), 0o644);
  expect(
    parseIn(dir, `store: { ${REDIS}, passwordFile: pw }`).warnings.map(({ path }) => path),
  ).toEqual(['store.passwordFile']);
  expect(() => parseIn(dir, `store: { ${REDIS}, passwordFile: empty }`)).toThrow(
    'store.passwordFile: the file is empty',
  );
});

it('takes a password from the environment, and none that is written out', () => {
  const environment = { P: 's3cret' };
  const { store } = parse(`store: { ${REDIS}, password: "\${P}" }`, { environment }).config;
  expect(store.kind === 'redis' && store.password?.reveal()).toBe('s3cret');
  const written = saidOf(`store: { ${REDIS}, password: hunter2 }`);
  expect(written).toEqual([
    expect.stringContaining('store.password: a password is not written into this file'),
  ]);
  expect(written.join()).not.toContain('hunter2');
  expect(saidOf(`store: { ${REDIS}, password: "hunter2\${P}" }`, { environment })).toHaveLength(1);
});

it.each([
  ['store: { kind: redis }', 'store.url: is missing'],
  ['store: { kind: redis, url: "redis://u:p@localhost" }', 'store.url: expected redis://'],
  ['store: { kind: redis, url: "http://localhost" }', 'store.url: expected redis://'],
  [
    'store: { kind: redis, url: "redis://localhost", tls: {} }',
    'store.tls: only with a rediss: URL',
  ],
  ['store: { kind: embedded, url: "redis://localhost" }', 'store.url: unknown key'],
  [
    `store: { ${REDIS}, password: "\${P}", passwordFile: /dev/null }`,
    'store.password: either password or passwordFile, not both',
  ],
  [`store: { ${REDIS}, keyPrefix: "a{b}" }`, 'store.keyPrefix: expected'],
])('refuses %s', (text, message) => {
  expect(saidOf(text, { environment: { P: 'x' } }).join('\n')).toContain(message);
});

it('warns of a Redis that is reached in the clear, except on this machine', () => {
  const warned = (url: string) =>
    parse(`store: { kind: redis, url: "${url}" }`).warnings.map(({ path }) => path);
  expect(warned('redis://10.0.0.5:6379')).toEqual(['store.url']);
  expect(warned('redis://localhost.example.com')).toEqual(['store.url']);
  for (const local of [
    'redis://127.0.0.1:6379/2',
    'redis://localhost',
    'redis://[::1]:6379',
    'rediss://10.0.0.5',
  ])
    expect(warned(local)).toEqual([]);
});

it('takes a Redis by sentinels or as a cluster, each instead of a URL', () => {
  const redis = (keys: string) => `store: { kind: redis, ${keys} }`;
  const { store } = parse(
    redis('sentinels: { name: main, addresses: ["127.0.0.1:26379", "[::1]:26379"] }'),
  ).config;
  expect(store).toMatchObject({
    url: null,
    cluster: null,
    sentinels: { name: 'main', tls: true, username: null },
  });
  expect(store).toMatchObject({
    sentinels: {
      addresses: [
        { host: '127.0.0.1', port: 26379 },
        { host: '::1', port: 26379 },
      ],
    },
  });
  expect(parse(redis('cluster: ["127.0.0.1:7000"], tls: {}')).config.store).toMatchObject({
    cluster: [{ host: '127.0.0.1', port: 7000 }],
    tls: { verify: true, caFile: null },
  });
  expect(saidOf(redis('')).join()).toContain(
    'name one Redis by url, or several by sentinels or cluster',
  );
  expect(saidOf(redis('url: "redis://127.0.0.1", cluster: ["127.0.0.1:1"]')).join()).toContain(
    'either url or cluster',
  );
  expect(saidOf(redis('cluster: []')).join()).toContain('expected at least 1 entries');
  expect(saidOf(redis('cluster: ["127.0.0.1"]')).join()).toContain('expected host:port');
  expect(
    saidOf(
      redis('sentinels: { name: main, addresses: ["127.0.0.1:1"], password: written-out }'),
    ).join('\n'),
  ).toMatch(/store\.sentinels\.password.*not written into this file/);
});

it('warns of sentinels and cluster nodes that are reached in the clear, except on this machine', () => {
  const warned = (keys: string) =>
    parse(`store: { kind: redis, ${keys} }`).warnings.map(({ path }) => path);
  expect(warned('cluster: ["127.0.0.1:1", "10.0.0.5:1"]')).toEqual(['store.cluster']);
  expect(warned('cluster: ["10.0.0.5:1"], tls: {}')).toEqual([]);
  expect(warned('sentinels: { name: main, addresses: ["10.0.0.5:1"] }')).toEqual([
    'store.sentinels',
  ]);
  expect(
    warned('sentinels: { name: main, addresses: ["10.0.0.5:1"], tls: false }, tls: {}'),
  ).toEqual(['store.sentinels']);
  expect(warned('sentinels: { name: main, addresses: ["localhost:1"] }')).toEqual([]);
});

it('lets an embedded store have one process only', () => {
  const workers = (store: string) => saidOf(`instance: { workers: 2 }\n${store}`).join('\n');
  expect(workers('store: { kind: embedded }')).toContain(
    'instance.workers: an embedded store has one owner',
  );
  expect(workers('')).toContain('instance.workers: an embedded store has one owner');
  expect(workers('store: { kind: redis, url: "redis://127.0.0.1" }')).toBe('');
  const places = (count: number) =>
    workers(
      `store: { kind: redis, url: "redis://127.0.0.1" }\nlimits: { connectionsPerAddress: ${count} }`,
    );
  expect(places(1)).toContain(
    'limits.connectionsPerAddress: each of the 2 workers has an equal part of it',
  );
  expect(places(2)).toBe('');
});

it('lets pass what asks for nothing that is missing', () => {
  expect(saidOf('instance: { workers: 1 }\nregistry: { minReplicaAcks: 0 }')).toEqual([]);
});

function parseIn(dir: string, text: string) {
  return parseConfig(text, join(dir, 'sallyport.yaml'), { environment: {} });
}

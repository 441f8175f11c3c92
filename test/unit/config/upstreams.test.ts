import { expect, it } from 'vitest';
import { folder, parse, saidOf } from './samples.ts';

const upstream = (keys: string) =>
  `upstreams: { api: { ${keys} } }\nroutes: [{ name: p, path: /p, access: public, upstream: api }]`;
const addresses = (list: string) => upstream(`addresses: [${list}]`);

it('fills in what an upstream leaves out', () => {
  expect(parse(addresses('"http://api"')).config.upstreams).toEqual([
    {
      name: 'api',
      addresses: [{ secure: false, host: 'api', port: 80 }],
      protocol: 'http1',
      host: 'preserve',
      tls: null,
      headers: null,
      connectTimeoutMs: 2000,
      responseTimeoutMs: 300000,
      streamIdleTimeoutMs: null,
      maxConnections: 512,
      maxConnectionAgeMs: 300_000,
      ejection: { afterFailures: 5, baseMs: 2000, maxMs: 60_000, countServerErrors: false },
      healthCheck: null,
      assertion: null,
    },
  ]);
});

it.each([
  ['h2', '"http://a"', 'h2 only with https addresses; h2c with http'],
  ['h2c', '"https://a"', 'h2c only with http addresses; h2 with https'],
])('refuses protocol %s for %s', (protocol, list, message) => {
  const said = saidOf(upstream(`addresses: [${list}], protocol: ${protocol}`));
  expect(said).toEqual([`upstreams.api.protocol: ${message}`]);
});

it.each([
  ['http://10.0.0.7:8080', { secure: false, host: '10.0.0.7', port: 8080 }],
  ['https://API.internal', { secure: true, host: 'api.internal', port: 443 }],
  ['https://[fd00::1]:8443', { secure: true, host: 'fd00::1', port: 8443 }],
  ['http://my_container', { secure: false, host: 'my_container', port: 80 }],
])('reads the address %s', (address, expected) => {
  expect(parse(addresses(`"${address}"`)).config.upstreams[0]?.addresses).toEqual([expected]);
});

it.each([
  'http://a/',
  'http://a/path',
  'http://a?b',
  'http://a#b',
  'http://u:p@a',
  'http://a:0',
  'http://a:99999',
  'ftp://a',
  'a:80',
  'HTTP://a',
  'http://',
  'http://1.2.3',
  'http://fd00::1',
  'http://a b',
  'unix:run/app.sock',
  'unix:/run/a b',
  'https+unix:/run/app.sock',
  `unix:/${'a'.repeat(107)}`,
  'srv://_http._tcp.a',
  'srv+http://a',
  'srv+http://_http._udp.a',
  'srv+http://_http._tcp.a:80',
])('refuses the address %s', (address) => {
  expect(saidOf(addresses(`"${address}"`))).toEqual([
    expect.stringMatching(/^upstreams\.api\.addresses\[0\]: expected scheme, host and port only/),
  ]);
});

it('takes a socket of this machine, and a service by its SRV records', () => {
  const { config } = parse(addresses('"unix:/run/app.sock", "srv+http://_http._tcp.App.internal"'));
  expect(config.upstreams[0]!.addresses).toEqual([
    { secure: false, host: 'unix:/run/app.sock', port: 0 },
    { secure: false, host: 'srv:_http._tcp.app.internal', port: 0 },
  ]);
  // Else whoever answers for the name server would choose which name is verified.
  expect(saidOf(addresses('"srv+https://_https._tcp.a.test"'))).toEqual([
    expect.stringContaining('upstreams.api.tls.serverName: is missing'),
  ]);
});

it('does not mix http and https: chance would decide who is sent in the clear', () => {
  expect(saidOf(addresses('"http://a", "https://b"'))).toEqual([
    'upstreams.api.addresses: either all http or all https',
  ]);
});

it('speaks TLS only to https addresses, with a certificate and its key or neither', () => {
  const dir = folder({ c: 'x', k: 'x' });
  expect(saidOf(upstream('addresses: ["http://a"], tls: {}'))).toEqual([
    'upstreams.api.tls: only with https addresses',
  ]);
  const https = 'addresses: ["https://a"]';
  expect(saidOf(upstream(`${https}, tls: { certificateFile: ${dir}/c }`))).toEqual([
    'upstreams.api.tls.keyFile: is missing: certificateFile needs it',
  ]);
  expect(saidOf(upstream(`${https}, tls: { keyFile: ${dir}/k }`))).toEqual([
    'upstreams.api.tls.certificateFile: is missing: keyFile needs it',
  ]);
  expect(
    parse(
      upstream(`${https}, tls: { certificateFile: ${dir}/c, keyFile: ${dir}/k, serverName: b }`),
    ).config.upstreams[0]?.tls,
  ).toEqual({
    caFile: null,
    serverName: 'b',
    certificateFile: `${dir}/c`,
    keyFile: `${dir}/k`,
    verify: true,
  });
});

it('warns of an upstream that is not verified, and of one that no route leads to', () => {
  const warnings = (text: string) => parse(text).warnings.map(({ path }) => path);
  expect(warnings(upstream('addresses: ["https://a"], tls: { verify: false }'))).toEqual([
    'upstreams.api.tls.verify',
  ]);
  expect(warnings('upstreams: { api: { addresses: ["http://a"] } }')).toEqual(['upstreams.api']);
});

it.each(['preserve', 'upstream', 'api.example.com', '"api.example.com:8443"', '"[::1]:80"'])(
  'takes host: %s',
  (host) => {
    expect(saidOf(upstream(`addresses: ["http://a"], host: ${host}`))).toEqual([]);
  },
);

it.each(['"a b"', '"http://a"', '"a/b"', '""', '"a:0"', '"*"'])('refuses host: %s', (host) => {
  expect(saidOf(upstream(`addresses: ["http://a"], host: ${host}`))).toEqual([
    'upstreams.api.host: expected preserve, upstream, or a host name',
  ]);
});

it('names upstreams by any valid name, those of Object.prototype included', () => {
  const text =
    'upstreams: { constructor: { addresses: ["http://a"] } }\nroutes: [{ name: p, path: /p, access: public, upstream: constructor }]';
  expect(parse(text).config.upstreams.map(({ name }) => name)).toEqual(['constructor']);
});

it('checks no health unless a path is given, and then has a bound for everything', () => {
  const [api] = parse(
    upstream('addresses: ["http://a"], healthCheck: { path: "/healthz?deep=no" }'),
  ).config.upstreams;
  expect(api?.healthCheck).toEqual({
    path: '/healthz?deep=no',
    grpcService: null,
    intervalMs: 10_000,
    timeoutMs: 2000,
    unhealthyAfter: 3,
    healthyAfter: 2,
  });
  expect(saidOf(upstream('addresses: ["http://a"], healthCheck: {}'))).toHaveLength(1);
});

it('checks a server of gRPC by its own question, over HTTP/2 only', () => {
  const grpc = (more: string, check = 'grpcService: ""') =>
    saidOf(upstream(`addresses: ["http://a"], ${more} healthCheck: { ${check} }`));
  expect(grpc('protocol: h2c,')).toEqual([]);
  expect(grpc('protocol: h2c,', 'grpcService: shop.Orders')).toEqual([]);
  expect(grpc('')).toEqual(['upstreams.api.healthCheck.grpcService: only with protocol h2 or h2c']);
  expect(grpc('protocol: h2c,', 'grpcService: "a b"')).toEqual([
    expect.stringMatching(/^upstreams\.api\.healthCheck\.grpcService: expected the name/),
  ]);
  expect(grpc('protocol: h2c,', 'grpcService: "", path: /well')).toEqual([
    'upstreams.api.healthCheck: either path or grpcService says what is asked',
  ]);
});

it.each(['""', 'healthz', '"/a b"', '"/a/../b"', '"/a#b"', '"http://a/"', '"/a\\r\\nX: y"'])(
  'refuses the health check path %s',
  (path) => {
    expect(saidOf(upstream(`addresses: ["http://a"], healthCheck: { path: ${path} }`))).toEqual([
      expect.stringMatching(/^upstreams\.api\.healthCheck\.path: expected a path/),
    ]);
  },
);

import { expect, it } from 'vitest';
import { parsePathTemplate, stripPrefixFault } from '../../../src/config/path-template.ts';
import type { Route } from '../../../src/decision/route.ts';
import { parse, ROUTE, routeWith, saidOf } from './samples.ts';

it('compiles a route to what the decision reads', () => {
  const routes: readonly Route[] = parse(
    routeWith({
      host: 'API.Example.com',
      path: '"/apps/{app}/**"',
      application: '"{app}"',
      methods: '[GET, POST]',
      stripPrefix: '/apps',
    }),
  ).config.routes;
  expect(routes).toEqual([
    {
      name: 'r',
      host: 'api.example.com',
      path: '/apps/{app}/**',
      methods: ['GET', 'POST'],
      access: 'account',
      application: { from: 'path', variable: 'app' },
      permission: 'a:read',
      upstreamChecksApplications: false,
      bodyVariables: [],
      bodyVariableBytes: 65536,
      permissionTemplate: null,
      upstream: 'api',
      stripPrefix: '/apps',
      caseInsensitive: false,
      acceptBareToken: false,
      headers: null,
      cors: null,
      acceptBasic: false,
      forwardAuthorization: false,
      audit: 'required',
      errors: 'problem',
      rateLimit: null,
      upgrade: [],
      bodyOn: [],
      action: null,
      rewriteOrigin: [],
    },
  ]);
});

it('reads the rate limit of a route, and finds what would make it none', () => {
  const limited = (rateLimit: string) => routeWith({ rateLimit });
  const { config } = parse(limited('{ requests: 600, windowSeconds: 60, per: account }'));
  expect(config.routes[0]?.rateLimit).toEqual({ requests: 600, windowSeconds: 60, per: 'account' });
  expect(saidOf(limited('{ requests: 0, windowSeconds: 60, per: account }'))).toHaveLength(1);
  expect(saidOf(limited('{ requests: 600, windowSeconds: 60 }'))).toHaveLength(1);
  expect(saidOf(limited('{ requests: 600, windowSeconds: 60, per: address }'))).toHaveLength(1);
  expect(saidOf(limited('{ perSecond: 3 }')).length).toBeGreaterThan(0);
});

it('lets a public route be limited as a whole only: it knows no accounts', () => {
  const limited = (per: string) =>
    routeWith({
      access: 'public',
      permission: null,
      application: null,
      methods: null,
      rateLimit: `{ requests: 5, windowSeconds: 1, per: ${per} }`,
    });
  expect(parse(limited('route')).config.routes[0]?.rateLimit?.per).toBe('route');
  expect(saidOf(limited('account'))).toEqual([
    'routes[0].rateLimit.per: a public route knows no accounts: only `per: route` is possible',
  ]);
});

it('lets a route be upgraded only with GET, for an account, and without a body that decides', () => {
  const upgrade = '[websocket]';
  const publicly = { access: 'public', permission: null, application: null, methods: null };
  expect(parse(routeWith({ methods: '[GET]', upgrade })).config.routes[0]?.upgrade).toEqual([
    'websocket',
  ]);
  expect(saidOf(routeWith({ methods: '[POST]', upgrade }))).toEqual([
    'routes[0].upgrade: an upgrade is asked for with GET, which the route does not take',
  ]);
  expect(saidOf(routeWith({ ...publicly, upgrade }))).toEqual([
    'routes[0].upgrade: not on a public route: a tunnel is always of an account',
  ]);
  const overHttp2 = (taken: string) =>
    routeWith({ methods: '[GET]', upgrade: taken }).replace(
      'addresses:',
      'protocol: h2c, addresses:',
    );
  expect(saidOf(overHttp2('[websocket]'))).toEqual([]);
  expect(saidOf(overHttp2('[websocket, x-bytes]'))).toEqual([
    'routes[0].upgrade: only websocket to an upstream that is spoken to in h2c (RFC 8441)',
  ]);
  const variables = '{ app: { json: /app } }';
  expect(saidOf(routeWith({ methods: '[GET, POST]', upgrade, variables }))).toContainEqual(
    'routes[0].upgrade: not together with variables: they stand in a body, and an upgrade has none',
  );
  for (const protocol of ['h2c', 'h2', 'http', 'https', 'tls', 'WebSocket', 'a/b', '""'])
    expect(saidOf(routeWith({ methods: '[GET]', upgrade: `[${protocol}]` })), protocol).toEqual([
      'routes[0].upgrade[0]: expected the name of a protocol in lower case, such as websocket; never h2c, http or tls',
    ]);
  expect(saidOf(routeWith({ methods: '[GET]', upgrade: '[a, a]' }))).toEqual([
    'routes[0].upgrade[1]: the protocol is given twice',
  ]);
});

it('reads a public route: GET and HEAD, no permission, no application', () => {
  const text = routeWith({ access: 'public', permission: null, application: null, methods: null });
  expect(parse(text).config.routes[0]).toMatchObject({
    access: 'public',
    methods: ['GET', 'HEAD'],
    permission: null,
    application: { from: 'any' },
    host: '*',
  });
});

it('takes the shape of refusals from the file where a route says none', () => {
  const errorsOf = (changes: Record<string, string>, file: string) =>
    parse(routeWith(changes) + file).config.routes[0]?.errors;
  expect(errorsOf({}, '')).toBe('problem');
  expect(errorsOf({}, 'errors: lifetime')).toBe('lifetime');
  expect(errorsOf({ errors: 'problem' }, 'errors: lifetime')).toBe('problem');
});

it.each([
  ['any', { from: 'any' }],
  ['crm', { from: 'fixed', name: 'crm' }],
  ['"{x}"', { from: 'path', variable: 'x' }],
])('understands application: %s', (application, expected) => {
  expect(parse(routeWith({ path: '"/a/{x}"', application })).config.routes[0]?.application).toEqual(
    expected,
  );
});

it.each([
  ['permission', null, 'is missing (only a route with access: public needs none)'],
  [
    'permission',
    '"sallyport:registry:read"',
    "no route may require one of Sallyport's own permissions",
  ],
  ['permission', '"SallyPort:x"', "no route may require one of Sallyport's own permissions"],
  [
    'permission',
    '"deployments:*"',
    'expected a permission such as deployments:write or deployments:{environment}:write, without *',
  ],
  [
    'permission',
    '"*"',
    'expected a permission such as deployments:write or deployments:{environment}:write, without *',
  ],
  [
    'permission',
    'deployments',
    'expected a permission such as deployments:write or deployments:{environment}:write, without *',
  ],
  ['application', null, 'is missing: {variable}, the name of an application, any or some'],
  ['application', '"{y}"', 'the route has no variable {y}'],
  ['application', '"a b"', 'expected {variable}, the name of an application, any or some'],
  ['methods', null, 'is missing'],
  ['methods', '[]', 'at least one method is needed'],
  ['upstream', 'apl', 'there is no upstream apl (did you mean api?)'],
  ['upstream', 'constructor', 'there is no upstream constructor'],
  ['upstream', null, 'is missing'],
  ['host', '"api.example.com:443"', 'expected a host name without port, *.example.com, or *'],
  ['host', '"*.*.example.com"', 'expected a host name without port, *.example.com, or *'],
  ['host', '"api.example.com."', 'expected a host name without port, *.example.com, or *'],
  ['host', '"*."', 'expected a host name without port, *.example.com, or *'],
  ['host', '"*example.com"', 'expected a host name without port, *.example.com, or *'],
  ['host', '"a.*.example.com"', 'expected a host name without port, *.example.com, or *'],
  ['host', '"*.example.com:443"', 'expected a host name without port, *.example.com, or *'],
  ['host', '"*.example.com."', 'expected a host name without port, *.example.com, or *'],
  ['host', '"*.10.0.0.1"', 'expected a host name without port, *.example.com, or *'],
  ['host', '"*.0.0.1"', 'expected a host name without port, *.example.com, or *'],
  ['host', '"*.[::1]"', 'expected a host name without port, *.example.com, or *'],
  ['host', '"[::g]"', 'expected a host name without port, *.example.com, or *'],
  ['host', '""', 'expected a host name without port, *.example.com, or *'],
  ['stripPrefix', '/b', 'must be whole literal segments at the beginning of the path'],
  ['stripPrefix', '/a', 'would leave nothing of the path'],
  [
    'stripPrefix',
    'a',
    'expected leading segments of the path such as /api, without a slash at the end',
  ],
  ['audit', 'never', 'expected required or best-effort'],
  [
    'name',
    '"a b"',
    'a name has 1 to 64 characters of A-Z a-z 0-9 . _ - and begins with a letter or digit',
  ],
])('refuses a route with %s: %s', (key, value, message) => {
  expect(saidOf(routeWith({ [key]: value }))).toEqual([`routes[0].${key}: ${message}`]);
});

it('refuses methods that are unknown, never let in, or given twice', () => {
  expect(saidOf(routeWith({ methods: '[GET, get, CONNECT, TRACE, GET]' }))).toEqual([
    'routes[0].methods[1]: expected GET or HEAD or POST or PUT or PATCH or DELETE or OPTIONS',
    'routes[0].methods[2]: expected GET or HEAD or POST or PUT or PATCH or DELETE or OPTIONS',
    'routes[0].methods[3]: expected GET or HEAD or POST or PUT or PATCH or DELETE or OPTIONS',
    'routes[0].methods[4]: the method is given twice',
  ]);
});

it('reads a permission with variables of the path, and finds those that are none', () => {
  const withPermission = (permission: string) =>
    routeWith({ path: '"/a/{environment}/{x}"', permission });
  expect(parse(withPermission('"a:{environment}:write"')).config.routes[0]).toMatchObject({
    permission: 'a:{environment}:write',
    permissionTemplate: { variables: ['environment'] },
  });
  const said = (permission: string) => saidOf(withPermission(permission)).join();
  expect(said('"a:{enviroment}:write"')).toBe(
    'routes[0].permission: the route has no variable {enviroment}; it has {environment}, {x}',
  );
  expect(said('"{x}:write"')).toContain('the first word cannot be a variable');
  expect(said('"a:{x}-y"')).toContain('takes the place of a whole word between colons');
  expect(said('"sallyport:{x}:read"')).toContain("Sallyport's own permissions");
  expect(saidOf(routeWith({ permission: '"a:{x}"' }))).toEqual([
    'routes[0].permission: the route has no variable {x}',
  ]);
});

it('reads variables of the body, and finds those that could decide nothing', () => {
  const withVariables = (variables: string, changes: Record<string, string> = {}) =>
    routeWith({
      methods: '[POST]',
      path: '/a',
      application: '"{app}"',
      permission: '"a:{to}:write"',
      variables,
      ...changes,
    });
  const both = '{ app: { json: "/ops/*/app" }, to: { json: /to } }';
  expect(parse(withVariables(both)).config.routes[0]).toMatchObject({
    application: { from: 'body', variable: 'app' },
    bodyVariables: [
      { name: 'app', json: ['ops', '*', 'app'] },
      { name: 'to', json: ['to'] },
    ],
    bodyVariableBytes: 65536,
  });
  const said = (...args: Parameters<typeof withVariables>) => saidOf(withVariables(...args));
  expect(said('{ app: { json: /a } }')).toEqual([
    'routes[0].permission: the route has no variable {to}; it has {app}',
  ]);
  expect(said('{ app: { json: /a }, to: { json: /b }, x: { json: /x } }')).toEqual([
    'routes[0].variables.x: decides nothing: use {x} in application or permission, or leave it out',
  ]);
  expect(said('{ app: { json: ops }, to: { json: /b~2 } }')).toEqual([
    'routes[0].variables.app.json: expected a JSON pointer such as /Operations/*/ApplicationKey (* = every element of an array)',
    'routes[0].variables.to.json: in a pointer ~ is written ~0, and / within a key ~1',
  ]);
  expect(said('{ app: { json: /a/b }, to: { json: /a } }')).toEqual([
    'routes[0].variables.to.json: no body has values both here and for {app}',
  ]);
  expect(said(both, { path: '"/a/{to}"' })).toEqual([
    'routes[0].variables.to: the path has a variable of the same name',
  ]);
  expect(said(both, { methods: '[POST, GET, DELETE]', bodyOn: '[DELETE]' })).toEqual([
    'routes[0].methods[1]: the route is decided by the body: name the method in bodyOn too, or give it a route of its own',
  ]);
  expect(said('{ app: { json: /a, xml: /b }, to: { json: /b } }')).toHaveLength(1);
  expect(said(both, { bodyVariableBytes: '0' })).toHaveLength(1);
  expect(said(both, { bodyVariableBytes: '2000000' })).toHaveLength(1);
  expect(saidOf(routeWith({ bodyVariableBytes: '1000' }))).toEqual([
    'routes[0].bodyVariableBytes: means nothing without variables',
  ]);
});

it('takes some application for an unsafe method only where the service checks it', () => {
  const some = (changes: Record<string, string>) => routeWith({ application: 'some', ...changes });
  expect(parse(some({ methods: '[GET, HEAD]' })).config.routes[0]).toMatchObject({
    application: { from: 'some' },
    upstreamChecksApplications: false,
  });
  expect(saidOf(some({ methods: '[GET, POST]' }))).toEqual([
    expect.stringMatching(/^routes\[0\]\.methods\[1\]: with `application: some` .*upstreamChecks/),
  ]);
  const checked = { methods: '[GET, POST]', upstreamChecksApplications: 'true' };
  expect(parse(some(checked)).config.routes[0]?.upstreamChecksApplications).toBe(true);
  expect(saidOf(routeWith({ upstreamChecksApplications: 'true' }))).toEqual([
    'routes[0].upstreamChecksApplications: means nothing without `application: some`',
  ]);
});

it('takes bodies beside the usual ones where a route says so, of its own methods', () => {
  const withBody = (bodyOn: string) => routeWith({ methods: '[GET, POST, DELETE]', bodyOn });
  expect(parse(withBody('[GET, DELETE]')).config.routes[0]?.bodyOn).toEqual(['GET', 'DELETE']);
  expect(saidOf(withBody('[DELETE, HEAD, DELETE]'))).toEqual([
    'routes[0].bodyOn[1]: the route does not take this method',
    'routes[0].bodyOn[2]: the method is given twice',
  ]);
  expect(saidOf(withBody('[POST]'))).toEqual([
    'routes[0].bodyOn[0]: expected GET or HEAD or DELETE or OPTIONS',
  ]);
  const open = { access: 'public', permission: null, application: null, methods: '[GET]' };
  expect(saidOf(routeWith({ ...open, bodyOn: '[GET]' }))).toEqual([
    'routes[0].bodyOn: a public route takes no body',
  ]);
});

it('gives a public route nothing to do with tokens', () => {
  const text = routeWith({
    access: 'public',
    methods: '[GET, POST]',
    acceptBareToken: 'true',
    forwardAuthorization: 'true',
  });
  expect(saidOf(text)).toEqual([
    'routes[0].methods[1]: a public route lets only GET and HEAD in',
    'routes[0].application: means nothing on a public route: no token is read or forwarded',
    'routes[0].permission: means nothing on a public route: no token is read or forwarded',
    'routes[0].acceptBareToken: means nothing on a public route: no token is read or forwarded',
    'routes[0].forwardAuthorization: means nothing on a public route: no token is read or forwarded',
  ]);
});

it('takes origins of an upstream only in one spelling, and not beside a prefix that is stripped', () => {
  const withOrigins = (rewriteOrigin: string, more = {}) => routeWith({ rewriteOrigin, ...more });
  const good = '["http://10.0.0.7:8080", "https://lifetime.internal"]';
  expect(parse(withOrigins(good)).config.routes[0]?.rewriteOrigin).toHaveLength(2);
  for (const wrong of ['lifetime.internal', 'https://A.b', 'https://a.b/', 'https://a.b:443', '*'])
    expect(saidOf(withOrigins(`["${wrong}"]`)), wrong).toEqual([
      expect.stringMatching(/^routes\[0\]\.rewriteOrigin\[0\]: expected an origin such as/),
    ]);
  expect(saidOf(withOrigins(good, { path: '/a/**', stripPrefix: '/a' }))).toEqual([
    'routes[0].rewriteOrigin: not together with stripPrefix: the links would lack the prefix',
  ]);
});

it('takes an action instead of an upstream, and nothing of a call that is passed on', () => {
  const bare = { upstream: null, permission: null, application: null, action: 'renew-token' };
  expect(parse(routeWith({ ...bare, methods: null })).config.routes[0]).toMatchObject({
    action: 'renew-token',
    methods: ['POST'],
    upstream: '',
    permission: null,
  });
  const means =
    'means nothing with an action: whoever holds the token may exchange it, and no upstream is asked';
  expect(saidOf(routeWith({ action: 'renew-token', methods: '[GET, POST]' }))).toEqual([
    'routes[0].methods[0]: an action takes POST only',
    `routes[0].application: ${means}`,
    `routes[0].permission: ${means}`,
    `routes[0].upstream: ${means}`,
  ]);
  expect(saidOf(routeWith({ ...bare, methods: '[POST]', access: 'public' }))).toContain(
    'routes[0].action: not on a public route: no token is read there',
  );
  expect(saidOf(routeWith({ ...bare, methods: '[POST]', action: 'renew' }))).toEqual([
    'routes[0].action: expected renew-token',
  ]);
});

it('does not let a misspelt access make a route public', () => {
  expect(saidOf(routeWith({ access: 'Public', permission: null }))).toEqual([
    'routes[0].permission: is missing (only a route with access: public needs none)',
    'routes[0].access: expected account or public',
  ]);
});

it('refuses two routes of one name', () => {
  const keys = Object.entries(ROUTE)
    .map(([key, value]) => `${key}: ${value}`)
    .join(', ');
  expect(saidOf(`${routeWith({}).trimEnd().slice(0, -1)}, { ${keys} }]`)).toEqual([
    'routes[1].name: routes[0] has the same name',
  ]);
});

it.each([
  ['/', [{ literal: '' }], false],
  ['/**', [], true],
  ['/a/{b}:go', [{ literal: 'a' }, { variable: 'b' }], false, 'go'],
  ['/a:x-y_z.1~', [{ literal: 'a' }], false, 'x-y_z.1~'],
  ['/a/b', [{ literal: 'a' }, { literal: 'b' }], false],
  ['/a/', [{ literal: 'a' }, { literal: '' }], false],
  ['/a/{b}/**', [{ literal: 'a' }, { variable: 'b' }], true],
  ['/{a}/{b}', [{ variable: 'a' }, { variable: 'b' }], false],
  ['/.well-known/x_y~z-1.0', [{ literal: '.well-known' }, { literal: 'x_y~z-1.0' }], false],
])('reads the path %s', (path, segments, open, verb: string | null = null) => {
  expect(parsePathTemplate(path)).toEqual({ segments, open, verb });
});

it.each([
  '',
  'a',
  '**',
  '//',
  '//**',
  '/a//b',
  '/a//**',
  '/./a',
  '/a/..',
  '/a/.',
  '/a.',
  '/a/*',
  '/*',
  '/**/a',
  '/a**',
  '/a/{b',
  '/{a}b',
  '/{}',
  '/{1a}',
  '/{a}/{a}',
  '/a%2fb',
  '/%61',
  '/a%20b',
  '/a b',
  '/a?b',
  '/a#b',
  '/a;b',
  '/a:b/c',
  '/a:b/',
  '/a/{b}:go/**',
  '/a/{b}:',
  '/a/:go',
  '/:go',
  '/a/{b}:go:on',
  '/a/{b}:go.',
  '/a/{b}:{c}',
  '/a/{b}:*',
  '/a/{b}%3Ago',
  '/a\\b',
  '/ä',
  '/a\u0000',
  `/${'a/'.repeat(40)}`,
])('refuses the path %j', (path) => {
  expect(parsePathTemplate(path)).toEqual(expect.any(String));
});

it('strips whole literal segments only', () => {
  const template = parsePathTemplate('/api/v1/{x}/**');
  if (typeof template === 'string') return expect.unreachable();
  for (const good of ['/api', '/api/v1']) expect(stripPrefixFault(good, template)).toBeNull();
  for (const bad of ['/ap', '/api/', '/', '/api/v1/x', '/api/v1/{x}', 'api', '/v1', '/API'])
    expect(stripPrefixFault(bad, template)).not.toBeNull();
});

it('takes origins for cors only as browsers send them, and none beside acceptBasic', () => {
  const withOrigins = (origins: string) => routeWith({ cors: `{ origins: ${origins} }` });
  expect(parse(withOrigins('["https://a.example:8443"]')).config.routes[0]?.cors).toEqual({
    origins: ['https://a.example:8443'],
    headers: ['Content-Type'],
    maxAgeSeconds: 600,
  });
  for (const wrong of [
    '*',
    'null',
    'a.example',
    'https://A.example',
    'https://a.example/',
    'https://a.example:443',
    'https://*.example',
    'https://u@a.example',
    'file:///',
  ])
    expect(saidOf(withOrigins(`["${wrong}"]`)), wrong).toEqual([
      expect.stringMatching(
        /^routes\[0\]\.cors\.origins\[0\]: expected an origin as browsers send/,
      ),
    ]);
  expect(saidOf(withOrigins('[]'))).toEqual([
    'routes[0].cors.origins: at least one origin is needed',
  ]);
  const both = { cors: '{ origins: ["https://a.example"] }', acceptBasic: 'true' };
  expect(saidOf(routeWith(both))).toEqual([
    'routes[0].cors: not together with acceptBasic: a browser keeps a password and sends it along for any page',
  ]);
});

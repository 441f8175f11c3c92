import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isUnambiguousPath } from '../../../src/http/target.ts';
import { type Message, valuesOf } from '../../support/http-bytes.ts';
import { fieldLines, forwardedMessage, PEER, type Situation } from './samples.ts';

const GET = ['GET /a HTTP/1.1', 'Host: gate.example:8443'];
const forwarded = (fields: readonly string[] = [], situation: Situation = {}) =>
  forwardedMessage([...GET, ...fields], situation);
const TRACEPARENT = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

describe('the request to the upstream', () => {
  it('is the client’s request with our facts, and nothing else', () => {
    expect(
      fieldLines(
        forwarded([
          'Accept: */*',
          `traceparent: ${TRACEPARENT}`,
          'X-Custom:  a  b ',
          'Cookie: c=d',
        ]),
      ),
    ).toEqual([
      'Host: gate.example:8443',
      'Accept: */*',
      'X-Custom: a  b',
      'Cookie: c=d',
      'X-Account-Id: AAAAAAAAAAAA',
      'X-Account-Name: billing-ci',
      'X-Account-Role: viewer',
      'X-Account-Teams: ',
      'X-Request-Id: request-1',
      'X-Forwarded-For: 203.0.113.9',
      'X-Forwarded-Proto: https',
      'X-Forwarded-Host: gate.example:8443',
      'Forwarded: for=203.0.113.9;proto=https;host="gate.example:8443"',
      `traceparent: ${TRACEPARENT}`,
      'Via: 1.1 sallyport',
    ]);
  });

  it('has the target that was decided on, byte for byte', () => {
    for (const target of ['/', '/a%20b?c=%2e%2e/x', '/a;v=1?', '/M%C3%BCller?q="{}"']) {
      expect(forwardedMessage([`GET ${target} HTTP/1.1`, 'Host: h']).line).toBe(
        `GET ${target} HTTP/1.1`,
      );
    }
  });

  it('names the teams, and an account without teams sends an empty field, never the client’s', () => {
    const teams = [
      { team: 'red', role: 'viewer' },
      { team: 'blue', role: 'viewer' },
    ];
    expect(
      valuesOf(forwarded(['X-Account-Teams: all'], { account: { teams } }), 'x-account-teams'),
    ).toEqual(['red,blue']);
    expect(valuesOf(forwarded(['X-Account-Teams: all']), 'x-account-teams')).toEqual(['']);
  });

  it('of a public route says nothing about who is calling, and lets the client say nothing either', () => {
    const message = forwarded(['X-Account-Id: root', 'Authorization: Bearer x'], {
      route: { access: 'public', permission: null, methods: ['GET'] },
    });
    expect(message.fields.filter(([name]) => /account|authorization/i.test(name))).toEqual([]);
    expect(valuesOf(message, 'x-forwarded-for')).toEqual(['203.0.113.9']);
  });

  it('carries Authorization only where the route says so', () => {
    expect(valuesOf(forwarded(['Authorization: Bearer x']), 'authorization')).toEqual([]);
    expect(
      valuesOf(
        forwarded(['Authorization: Bearer x'], { route: { forwardAuthorization: true } }),
        'authorization',
      ),
    ).toEqual(['Bearer x']);
    expect(
      valuesOf(
        forwarded(['Proxy-Authorization: Basic x'], { route: { forwardAuthorization: true } }),
        'proxy-authorization',
      ),
    ).toEqual([]);
  });

  it('keeps fields whose names only resemble reserved ones', () => {
    const kept = [
      'X-Accounting: 1',
      'Account-Id: 2',
      'X-Forwarder: 3',
      'X-Forwarding: 4',
      'X-Request-Identity: 5',
      'Expectation: 6',
      'Hostname: 7',
      'Client: 8',
      'constructor: 9',
    ];
    expect(fieldLines(forwarded(kept)).slice(1, 1 + kept.length)).toEqual(kept);
  });

  it('is framed anew', () => {
    const framing = (...fields: string[]) =>
      fieldLines(forwardedMessage(['POST /a HTTP/1.1', 'Host: h', ...fields])).filter((line) =>
        /^(content-length|transfer-encoding|te|trailer|expect)/i.test(line),
      );
    expect(framing()).toEqual([]);
    expect(framing('Content-Length: 0')).toEqual(['Content-Length: 0']);
    expect(framing('content-length: 007', 'Expect: 100-continue')).toEqual(['Content-Length: 7']);
    expect(framing('TRANSFER-ENCODING: Chunked', 'TE: trailers', 'Trailer: X-Account-Id')).toEqual([
      'Transfer-Encoding: chunked',
    ]);
  });

  it('loses what was for one connection only, by name and by nomination', () => {
    const fields = [
      'Connection: X-Secret, keep-alive',
      'X-Secret: a',
      'x-secret: b',
      'Keep-Alive: timeout=5',
      'Upgrade: h2c',
      'HTTP2-Settings: x',
      'Proxy-Connection: close',
      'X-Kept: c',
    ];
    const names = forwarded(fields).fields.map(([name]) => name.toLowerCase());
    expect(
      names.filter((name) => /secret|keep-alive|upgrade|settings|connection/.test(name)),
    ).toEqual([]);
    expect(names).toContain('x-kept');
  });

  it('keeps our fields when the client nominates them', () => {
    const plain = fieldLines(forwarded()).filter((line) => !line.startsWith('traceparent'));
    const nominated = fieldLines(
      forwarded([
        'Connection: X-Account-Id, X-Account-Teams, x-request-id, forwarded, via, x-forwarded-for',
      ]),
    );
    expect(nominated.filter((line) => !line.startsWith('traceparent'))).toEqual(plain);
  });

  it('has the host that the upstream is to be called by, or the client’s, or its own where HTTP/1.0 gave none', () => {
    expect(valuesOf(forwarded([], { outgoing: { host: 'inner.example' } }), 'host')).toEqual([
      'inner.example',
    ]);
    const old = forwardedMessage(['GET /a HTTP/1.0']);
    expect(valuesOf(old, 'host')).toEqual(['upstream:8080']);
    expect(valuesOf(old, 'forwarded')).toEqual(['for=203.0.113.9;proto=https']);
    expect(valuesOf(old, 'x-forwarded-host')).toEqual([]);
    expect([old.line, valuesOf(old, 'via')]).toEqual(['GET /a HTTP/1.1', ['1.0 sallyport']]);
  });

  it('is appended to in Via', () => {
    expect(valuesOf(forwarded(['Via: 1.0 fred', 'via: 1.1 p.example']), 'via')).toEqual([
      '1.0 fred, 1.1 p.example, 1.1 sallyport',
    ]);
  });
});

describe('the way that a call came', () => {
  it('has IPv6 in quotes and brackets, and says when it was plain HTTP', () => {
    const message = forwarded([], { peer: { address: '2001:db8::1', port: 1, secure: false } });
    expect(valuesOf(message, 'forwarded')).toEqual([
      'for="[2001:db8::1]";proto=http;host="gate.example:8443"',
    ]);
    expect(valuesOf(message, 'x-forwarded-for')).toEqual(['2001:db8::1']);
    expect(valuesOf(message, 'x-forwarded-proto')).toEqual(['http']);
  });

  it('is the client’s story only if a trusted proxy tells it', () => {
    const story = [
      'X-Forwarded-For: 198.51.100.7',
      'Forwarded: for=198.51.100.7',
      'X-Forwarded-Proto: http',
      'X-Forwarded-Host: evil',
    ];
    const stranger = forwarded(story);
    expect([valuesOf(stranger, 'x-forwarded-for'), valuesOf(stranger, 'forwarded')]).toEqual([
      ['203.0.113.9'],
      ['for=203.0.113.9;proto=https;host="gate.example:8443"'],
    ]);
    const trusted = forwarded(story, { trusted: [PEER.address] });
    expect(valuesOf(trusted, 'x-forwarded-for')).toEqual(['198.51.100.7, 203.0.113.9']);
    // The field that the proxy does not set is the client's, and not looked at.
    expect(valuesOf(trusted, 'forwarded')).toEqual([
      'for=198.51.100.7;proto=http;host="evil", for=203.0.113.9;proto=https;host="gate.example:8443"',
    ]);
    expect([valuesOf(trusted, 'x-forwarded-proto'), valuesOf(trusted, 'x-forwarded-host')]).toEqual(
      [['http'], ['evil']],
    );
  });
});

describe('a stripped prefix', () => {
  const stripped = (target: string) =>
    forwardedMessage([`GET ${target} HTTP/1.1`, 'Host: h'], {
      route: { path: '/api/v1/**', stripPrefix: '/api/v1' },
    }).line.split(' ')[1];

  it.each([
    ['/api/v1', '/'],
    ['/api/v1/', '/'],
    ['/api/v1?a=/api/v1', '/?a=/api/v1'],
    ['/api/v1/api/v1/b', '/api/v1/b'],
    ['/api/v1/b%20c/?d', '/b%20c/?d'],
  ])('of %s leaves %s', (target, rest) => {
    expect(stripped(target)).toBe(rest);
  });

  it('never leaves what the target gate would have refused', async () => {
    const segment = fc.string({ unit: fc.constantFrom(...'ab.;%20:@'), maxLength: 6 });
    await fc.assert(
      fc.property(fc.array(segment, { maxLength: 4 }), (segments) => {
        const path = ['/api/v1', ...segments].join('/');
        if (!isUnambiguousPath(path)) return;
        const rest = stripped(path)!;
        expect(isUnambiguousPath(rest)).toBe(true);
        expect(path.endsWith(rest) || rest === '/').toBe(true);
      }),
    );
  });
});

describe('whatever the client sends under a reserved name', () => {
  const reserved = [
    'X-Account-Id',
    'X-Account-Name',
    'X-Account-Role',
    'X-Account-Teams',
    'X-Account-Assertion',
    'X-Account-',
    'X-Forwarded-For',
    'X-Forwarded-Proto',
    'X-Forwarded-Host',
    'X-Forwarded-Prefix',
    'X-Forwarded-Client-Cert',
    'X-Original-Url',
    'X-Original-Method',
    'X-Rewrite-Url',
    'Client-Cert',
    'Client-Cert-Chain',
    'Forwarded',
    'X-Real-Ip',
    'Proxy',
    'Client-Ip',
    'True-Client-Ip',
    'X-Client-Ip',
    'X-Cluster-Client-Ip',
    'Cf-Connecting-Ip',
    'X-Forwarded',
    'X-Envoy-External-Address',
    'Remote-User',
    'Remote-Groups',
    'X-Remote-User',
    'X-Remote-Extra-Scopes',
    'X-Auth-Request-Email',
    'X-Webauth-User',
    'X-Ms-Client-Principal-Name',
    'X-Amzn-Oidc-Identity',
    'X-Ssl-Client-Verify',
    'Ssl-Client-S-Dn',
    'X-Consumer-Username',
    'X-Host',
    'X-Script-Name',
    'X-Request-Id',
    'X-Http-Method-Override',
    'X-Http-Method',
    'X-Method-Override',
    'Upgrade',
    'Keep-Alive',
    'Te',
    'Trailer',
    'Proxy-Authorization',
    'Proxy-Connection',
    'Http2-Settings',
  ];
  const inAnyCase = (name: string) => fc.mixedCase(fc.constant(name));
  const withSpareHyphens = (name: string) =>
    fc
      .tuple(fc.nat(2), fc.nat(1))
      .map(([more, around]) => '-'.repeat(around) + name.replaceAll('-', '-'.repeat(more + 1)));
  const name = fc
    .constantFrom(...reserved)
    .chain((text) => fc.oneof(fc.constant(text), withSpareHyphens(text)))
    .chain(inAnyCase);
  const reservedField = fc
    .tuple(name, fc.constantFrom('root', '', 'client, evil'))
    .map(([text, value]) => `${text}: ${value}`);
  const harmless = fc.constantFrom('Accept: a', 'X-Custom: b', 'Cookie: c', 'x-custom: d');
  const nomination = fc
    .array(fc.constantFrom(...reserved, 'X-Custom'), { minLength: 1, maxLength: 3 })
    .map((names) => `Connection: ${names.join(', ')}`);

  it('never arrives, in any case, order and number, nominated or not; everything else arrives in order', async () => {
    const ours = withoutTrace(forwarded());
    const fields = fc.array(
      fc.oneof(
        { weight: 5, arbitrary: reservedField },
        { weight: 3, arbitrary: harmless },
        { weight: 1, arbitrary: nomination },
      ),
      { maxLength: 12 },
    );
    await fc.assert(
      fc.property(fields, (sent) => {
        const nominated = sent.some((line) => /^connection:.*x-custom/i.test(line));
        const kept = sent.filter((line) =>
          (nominated ? /^(accept|cookie):/i : /^(accept|cookie|x-custom):/i).test(line),
        );
        const got = withoutTrace(forwarded(sent));
        expect(got).toEqual([ours[0], ...kept, ...ours.slice(1)]);
      }),
      { numRuns: 1000 },
    );
  });
});

function withoutTrace(message: Message): string[] {
  return fieldLines(message).filter((line) => !line.startsWith('traceparent:'));
}

describe('the way that a call came behind trusted proxies', () => {
  const BEHIND = {
    trusted: ['203.0.113.9'],
    peer: { address: '203.0.113.9', port: 1, secure: false },
  };

  it('keeps the scheme and host of the client, from X-Forwarded-Proto and -Host', () => {
    const message = forwarded(
      [
        'X-Forwarded-For: 198.51.100.7',
        'X-Forwarded-Proto: https',
        'X-Forwarded-Host: shop.example',
      ],
      BEHIND,
    );
    expect(valuesOf(message, 'x-forwarded-proto')).toEqual(['https']);
    expect(valuesOf(message, 'x-forwarded-host')).toEqual(['shop.example']);
    expect(valuesOf(message, 'x-forwarded-for')).toEqual(['198.51.100.7, 203.0.113.9']);
    expect(valuesOf(message, 'forwarded')).toEqual([
      'for=198.51.100.7;proto=https;host="shop.example", for=203.0.113.9;proto=http;host="gate.example:8443"',
    ]);
  });

  it('keeps them from Forwarded, to which ours is appended', () => {
    const message = forwarded(
      ['Forwarded: for="[2001:db8::7]";proto=https;host=shop.example', 'X-Forwarded-Proto: ftp'],
      { ...BEHIND, from: 'forwarded' },
    );
    expect(valuesOf(message, 'x-forwarded-proto')).toEqual(['https']);
    expect(valuesOf(message, 'x-forwarded-host')).toEqual(['shop.example']);
    expect(valuesOf(message, 'forwarded')).toEqual([
      'for="[2001:db8::7]";proto=https;host=shop.example, for=203.0.113.9;proto=http;host="gate.example:8443"',
    ]);
  });

  it('tells the prefix that was stripped, as it was written, and no other', () => {
    const prefixed = (line: string, ...fields: readonly string[]) =>
      valuesOf(
        forwardedMessage([line, 'Host: h', ...fields], {
          route: { path: '/api/**', stripPrefix: '/api', caseInsensitive: true },
        }),
        'x-forwarded-prefix',
      );
    expect(prefixed('GET /api/a?b HTTP/1.1', 'X-Forwarded-Prefix: /evil')).toEqual(['/api']);
    expect(prefixed('GET /API HTTP/1.1')).toEqual(['/API']);
    expect(
      valuesOf(forwarded(['X-Forwarded-Prefix: /evil'], BEHIND), 'x-forwarded-prefix'),
    ).toEqual([]);
  });
});

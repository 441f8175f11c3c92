import { join } from 'node:path';
import { createLocalJWKSet, decodeJwt, type JSONWebKeySet, jwtVerify } from 'jose';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseConfig } from '../../src/config/load.ts';
import { eventsOfClosed } from '../integration/door/door.ts';
import { Browser } from '../support/console.ts';
import { owner, startGateway, type TestGateway } from '../support/gateway.ts';
import { valuesOf } from '../support/http-bytes.ts';
import { Asker, ENDPOINTS, type Told } from '../support/questions.ts';
import { type RawUpstream, startRawUpstream } from '../support/raw-upstream.ts';

/** What a service is told of its caller in a form that it can prove, and by which doors. */
const KNOWN = { application: 'any', permission: 'test:all' } as const;
const ROUTES = [
  { name: 'signed', path: '/signed/**', methods: ['GET', 'POST'], ...KNOWN, upstream: 'signed' },
  {
    name: 'app',
    path: '/app/{app}/**',
    methods: ['GET'],
    ...KNOWN,
    application: '{app}',
    upstream: 'signed',
  },
  {
    name: 'bound',
    path: '/api/bound/**',
    methods: ['GET', 'POST'],
    ...KNOWN,
    upstream: 'bound',
    stripPrefix: '/api',
  },
  { name: 'plain', path: '/plain', methods: ['GET'], ...KNOWN, upstream: 'plain' },
  { name: 'public', path: '/public', access: 'public', upstream: 'signed' },
];
const FORGED = [
  'X-Account-Assertion: forged',
  'x-aCCount-assertion: forged',
  'X--Account-Assertion: forged',
];

let gate: TestGateway;
let upstream: RawUpstream;
let open: Asker[] = [];

beforeEach(async () => {
  upstream = await startRawUpstream({
    answer: () => [{ send: 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n' }],
  });
  const addresses = [upstream.url];
  gate = await startGateway({
    upstreams: {
      signed: { addresses, assertion: { audience: 'signed' } },
      bound: { addresses, assertion: { audience: 'bound', bind: 'request' } },
      plain: { addresses },
    },
    routes: ROUTES,
    plaintext: true,
    decision: {},
    admin: {},
    config: { assertion: { issuer: 'https://gate.test' }, audit: { foldRefusalsAfter: 3 } },
  });
});

afterEach(async () => {
  for (const one of open) one.close();
  open = [];
  await gate.stop();
  await upstream.stop();
});

async function asker(port: number): Promise<Asker> {
  const one = await Asker.open(port);
  open.push(one);
  return one;
}

const bearer = () => `Authorization: Bearer ${gate.token}`;

/** Through the gate. @returns what came of it, and the values that reached the service */
async function call(line: string, fields: readonly string[] = [bearer()]) {
  upstream.clear();
  const one = await asker(gate.port);
  const head = [`${line} HTTP/1.1`, 'Host: api.test', 'Content-Length: 0', ...FORGED, ...fields];
  const told = await one.ask(`${head.join('\r\n')}\r\n\r\n`);
  const [request] = upstream.requests;
  const assertions = request === undefined ? null : valuesOf(request, 'x-account-assertion');
  return { told, assertions };
}

async function ask(target: string, method = 'GET'): Promise<Told> {
  const one = await asker(gate.gateway.addresses.decision!.port);
  return one.ask(ENDPOINTS['/forward-auth']!({ method, target, fields: [bearer(), ...FORGED] }));
}

async function keySet(): Promise<Told> {
  const one = await asker(gate.gateway.addresses.decision!.port);
  return one.ask('GET /.well-known/jwks.json HTTP/1.1\r\nHost: gate\r\n\r\n');
}

async function verified(assertion: string, audience: string) {
  const set = JSON.parse((await keySet()).body) as JSONWebKeySet;
  const options = { algorithms: ['ES256'], issuer: 'https://gate.test', audience };
  return (await jwtVerify(assertion, createLocalJWKSet(set), options)).payload;
}

const decisionOf = async (told: Told) =>
  (await gate.events()).find(
    ({ id, phase }) => id === told.field('x-request-id') && phase === 'decision',
  )!;

describe('through the gate', () => {
  it('a service that wants it is told who calls, by nobody else, and the record names it', async () => {
    const { told, assertions } = await call('GET /signed/1');
    expect([told.status, assertions!.length]).toEqual([200, 1]);
    const claims = await verified(assertions![0]!, 'signed');
    expect(claims).toMatchObject({
      sub: gate.account.id,
      name: gate.account.name,
      role: 'tester',
      teams: [],
    });
    expect(claims.exp! - claims.iat!).toBe(60);
    expect((await decisionOf(told)).assertionId).toBe(claims.jti);
    // Again, and with another body of facts.
    expect((await call('POST /signed/2')).assertions).toEqual(assertions);
    const crm = (await call('GET /app/CRM/x')).assertions![0]!;
    expect((await verified(crm, 'signed')).application).toBe('CRM');
  });

  it('a service that does not want it, or of a public route, gets none: the client’s is taken off', async () => {
    for (const line of ['GET /plain', 'GET /public']) {
      const { told, assertions } = await call(line);
      expect([told.status, assertions], line).toEqual([200, []]);
      expect(JSON.stringify(upstream.requests[0]!.fields), line).not.toContain('forged');
      expect(await decisionOf(told), line).not.toHaveProperty('assertionId');
    }
  });

  it('one that is bound names the method and the URI as the service gets them', async () => {
    const first = (await call('POST /api/bound/a?token=x')).assertions![0]!;
    expect(upstream.requests[0]!.line).toBe('POST /bound/a?token=x HTTP/1.1');
    const claims = await verified(first, 'bound');
    expect([claims.htm, claims.htu]).toEqual(['POST', 'http://api.test/bound/a']);
    expect((await call('POST /api/bound/a?token=x')).assertions).not.toEqual([first]);
  });

  it('is no longer made for whoever may no longer call', async () => {
    await call('GET /signed/1');
    await gate.administration.deactivateAccount(owner, { id: gate.account.id });
    const { told, assertions } = await call('GET /signed/1');
    expect([told.status, assertions]).toEqual([401, null]);
    await gate.administration.activateAccount(owner, { id: gate.account.id });
  });

  it('changes with the account', async () => {
    const before = (await call('GET /signed/1')).assertions![0]!;
    const permissions = ['test:*'];
    await gate.administration.createRole(owner, { name: 'other', description: '', permissions });
    await gate.administration.editAccount(owner, { id: gate.account.id, role: 'other' });
    const after = (await call('GET /signed/1')).assertions![0]!;
    expect([before, after].map((text) => decodeJwt(text).role)).toEqual(['tester', 'other']);
  });
});

describe('at the decision endpoint', () => {
  it('a permit brings it, in place of nothing', async () => {
    const told = await ask('/signed/1');
    const claims = await verified(told.field('x-account-assertion')!, 'signed');
    expect([told.status, claims.sub]).toEqual([200, gate.account.id]);
    expect(await decisionOf(told)).toMatchObject({ door: 'decision', assertionId: claims.jti });
    expect((await ask('/plain')).field('x-account-assertion')).toBe('');
    const bound = await verified(
      (await ask('/api/bound/a?b', 'POST')).field('x-account-assertion')!,
      'bound',
    );
    expect([bound.htm, bound.htu]).toEqual(['POST', 'https://api.test/api/bound/a']);
  });

  it('tells everybody the keys, for a while, and nothing of what is secret', async () => {
    const told = await keySet();
    expect([told.status, told.field('cache-control'), told.field('content-type')]).toEqual([
      200,
      'public, max-age=300',
      'application/jwk-set+json',
    ]);
    const [key, ...more] = (JSON.parse(told.body) as JSONWebKeySet).keys;
    expect(more).toEqual([]);
    expect(Object.keys(key!).sort()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y']);
    expect(await decisionOf(told)).toMatchObject({
      door: 'decision',
      reason: 'permitted',
      account: null,
      path: '/.well-known/jwks.json',
    });
    const one = await asker(gate.gateway.addresses.decision!.port);
    const asked = await one.ask(
      'HEAD /.well-known/jwks.json HTTP/1.1\r\nHost: gate\r\n\r\n',
      'HEAD',
    );
    expect([asked.status, asked.body]).toEqual([200, '']);
    const posted = await one.ask(
      'POST /.well-known/jwks.json HTTP/1.1\r\nHost: gate\r\nContent-Length: 0\r\n\r\n',
    );
    expect([posted.status, posted.field('allow')]).toEqual([405, 'GET, HEAD']);
  });
});

it('who asks for the keys again and again is counted', async () => {
  const one = await asker(gate.gateway.addresses.decision!.port);
  for (let number = 0; number < 8; number += 1) {
    const told = await one.ask('GET /.well-known/jwks.json HTTP/1.1\r\nHost: gate\r\n\r\n');
    expect(told.status).toBe(200);
  }
  one.close();
  await gate.gateway.close();
  const asked = (await eventsOfClosed(gate)).filter(({ type }) => type === 'call');
  const folded = asked.filter(({ count }) => count !== undefined);
  expect(folded).toMatchObject([{ count: 5, decision: 'permit', reasons: { permitted: 5 } }]);
  expect(asked.filter(({ path }) => path === '/.well-known/jwks.json')).toHaveLength(3);
});

it('the admin listener tells the same keys, and records who asked', async () => {
  const browser = new Browser(gate.gateway.addresses.admin!.port);
  const response = await browser.get('/.well-known/jwks.json');
  expect([response.status, response.text]).toEqual([200, (await keySet()).body]);
  expect(response.headers['cache-control']).toBe('public, max-age=300');
  const asked = (await gate.events()).filter(({ type }) => type === 'admin-call');
  expect(asked.at(-1)).toMatchObject({ path: '/.well-known/jwks.json', account: null });
});

describe('a change of the configuration', () => {
  const reload = async (upstreams: object) => {
    const text = JSON.stringify({ ...JSON.parse(gate.text), upstreams });
    const { config } = parseConfig(text, join(gate.dataDir, 'test.yaml'));
    await gate.gateway.prepareReload(config);
    gate.gateway.reload(config);
  };

  it('begins and ends it with the next call', async () => {
    const { signed, bound, plain } = JSON.parse(gate.text).upstreams;
    await reload({
      signed: plain,
      bound: plain,
      plain: { ...plain, assertion: { audience: 'p' } },
    });
    expect((await call('GET /signed/1')).assertions).toEqual([]);
    expect(decodeJwt((await call('GET /plain')).assertions![0]!).aud).toBe('p');
    await reload({ signed: plain, bound: plain, plain });
    expect((await call('GET /plain')).assertions).toEqual([]);
    expect((await keySet()).status).toBe(404);
    await reload({ signed, bound, plain });
    expect((await call('GET /signed/1')).assertions).toHaveLength(1);
  });
});

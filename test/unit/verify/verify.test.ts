import { createHmac, createPublicKey } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { newKey, type PublishedKey, type SigningKey, signed } from '../../../src/assertion/key.ts';
import {
  type BoundRequest,
  createVerifier,
  KeysUnavailable,
  requestOf,
  type VerifierOptions,
} from '../../../src/verify/verify.ts';

const key = newKey(0);
const now = () => Math.floor(Date.now() / 1000);
const claims = (more: object = {}) => ({
  iss: 'sallyport',
  aud: 'deployments',
  sub: 'AbC123',
  name: 'ci-pipeline',
  role: 'deployer',
  teams: ['customer-apps'],
  application: 'CRM',
  iat: now(),
  nbf: now(),
  exp: now() + 60,
  jti: 'one',
  ...more,
});
const verifier = (more: Partial<VerifierOptions> = {}) =>
  createVerifier({
    keys: { keys: [key.published] },
    issuer: 'sallyport',
    audience: 'deployments',
    ...more,
  });
const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

function reasonOf(
  assertion: unknown,
  options: Partial<VerifierOptions> = {},
  request?: BoundRequest,
): Promise<string> {
  return verifier(options)
    .verify(assertion as string, request)
    .then(
      () => 'taken',
      (error: { reason?: string; name: string }) => error.reason ?? error.name,
    );
}

describe('verify', () => {
  it('says who calls', async () => {
    const caller = await verifier().verify(signed(key, claims()));
    expect(caller).toMatchObject({
      id: 'AbC123',
      name: 'ci-pipeline',
      role: 'deployer',
      teams: ['customer-apps'],
      application: 'CRM',
      applications: null,
      assertionId: 'one',
    });
    expect(caller.expiresAtMs).toBe((caller.claims.exp as number) * 1000);
  });

  it('takes a role that differs, any application, and some of them', async () => {
    const { application: _, ...rest } = claims({ role: null, applications: ['CRM', 'HR'] });
    expect(await verifier().verify(signed(key, rest))).toMatchObject({
      role: null,
      application: null,
      applications: ['CRM', 'HR'],
    });
  });

  it.each<[string, string, () => unknown]>([
    ['nothing', 'missing', () => undefined],
    ['an empty field', 'missing', () => ''],
    ['a field that came twice', 'malformed', () => [signed(key, claims()), signed(key, claims())]],
    ['the same, joined', 'malformed', () => `${signed(key, claims())}, ${signed(key, claims())}`],
    ['words', 'malformed', () => 'Bearer abc'],
    ['no signature', 'malformed', () => `${signed(key, claims()).split('.', 2).join('.')}.`],
    ['more than can be one', 'malformed', () => signed(key, claims({ name: 'x'.repeat(40_000) }))],
    ['alg none', 'malformed', () => forged({ alg: 'none' })],
    [
      'alg HS256 with the public key for a secret',
      'malformed',
      () => forged({ alg: 'HS256' }, hmac),
    ],
    ['alg ES384', 'malformed', () => forged({ alg: 'ES384' })],
    [
      'an extension that must be understood',
      'malformed',
      () => forged({ alg: 'ES256', crit: ['b64'] }),
    ],
    [
      'a header without the name of a key',
      'malformed',
      () => forged({ alg: 'ES256', kid: undefined }),
    ],
    ['a key that is not told', 'key-unknown', () => signed(newKey(0), claims())],
    [
      'another key under its name',
      'signature-wrong',
      () => signed({ ...newKey(0), head: key.head }, claims()),
    ],
    ['other claims under its signature', 'signature-wrong', () => swapped({ sub: 'x' })],
    ['a signature of zeros', 'signature-wrong', () => forged({ alg: 'ES256' })],
    ['another issuer', 'issuer-wrong', () => signed(key, claims({ iss: 'elsewhere' }))],
    ['another audience', 'audience-wrong', () => signed(key, claims({ aud: 'reports' }))],
    [
      'two audiences',
      'audience-wrong',
      () => signed(key, claims({ aud: ['deployments', 'reports'] })),
    ],
    ['one from the future', 'too-early', () => signed(key, claims({ nbf: now() + 30 }))],
    ['one that has expired', 'expired', () => signed(key, claims({ exp: now() - 10 }))],
    ['one without an end', 'malformed', () => signed(key, claims({ exp: undefined }))],
    ['an end that is a text', 'malformed', () => signed(key, claims({ exp: '9999999999' }))],
    ['one that names nobody', 'malformed', () => signed(key, claims({ sub: '' }))],
    ['teams that are none', 'malformed', () => signed(key, claims({ teams: [1] }))],
    ['claims that are a list', 'malformed', () => signed(key, [claims()])],
  ])('refuses %s (%s)', async (_what, reason, assertion) => {
    expect(await reasonOf(assertion())).toBe(reason);
  });

  it('gives clocks a leeway, and no more', async () => {
    const late = signed(key, claims({ exp: now() - 3 }));
    const early = signed(key, claims({ nbf: now() + 3 }));
    expect([await reasonOf(late), await reasonOf(early)]).toEqual(['taken', 'taken']);
    const none = { leewaySeconds: 0 };
    expect([await reasonOf(late, none), await reasonOf(early, none)]).toEqual([
      'expired',
      'too-early',
    ]);
  });

  it('holds what is bound against the request, and insists on it where it is told to', async () => {
    const request = { method: 'POST', uri: 'http://api.test/deployments' };
    const bound = signed(key, claims({ htm: request.method, htu: request.uri }));
    expect(await reasonOf(bound, {}, request)).toBe('taken');
    expect(await reasonOf(bound)).toBe('request-wrong');
    expect(await reasonOf(bound, {}, { ...request, method: 'GET' })).toBe('request-wrong');
    expect(await reasonOf(bound, {}, { ...request, uri: `${request.uri}/1` })).toBe(
      'request-wrong',
    );
    const half = signed(key, claims({ htm: request.method }));
    expect(await reasonOf(half, {}, request)).toBe('request-wrong');
    const free = signed(key, claims());
    expect(await reasonOf(free, {}, request)).toBe('taken');
    expect(await reasonOf(free, { bound: true }, request)).toBe('request-wrong');
  });

  it('reads the request as the gate has written it', () => {
    const message = {
      method: 'GET',
      url: '/a/b?c=d',
      headers: { host: 'api.test:80' },
      socket: {},
    };
    expect(requestOf(message as never)).toEqual({ method: 'GET', uri: 'http://api.test:80/a/b' });
    expect(requestOf(message as never, 'https').uri).toBe('https://api.test:80/a/b');
  });

  it.each<[string, Partial<VerifierOptions>]>([
    ['no audience', { audience: '' }],
    ['no issuer', { issuer: undefined as never }],
    ['a leeway without end', { leewaySeconds: Number.NaN }],
    ['keys that anybody on the way can change', { keys: 'http://gate.internal/jwks.json' }],
    ['keys that are no URL', { keys: 'jwks.json' }],
    ['no keys', { keys: undefined as never }],
    ['an empty set', { keys: { keys: [] } }],
  ])('does not begin with %s', (_what, options) => {
    expect(() => verifier(options)).toThrow(TypeError);
  });
});

describe('the keys', () => {
  let server: Server;
  let url: string;
  let asked = 0;
  let respond: () => { status?: number; text: string };
  const told = (...keys: readonly SigningKey[]) => ({
    text: JSON.stringify({ keys: keys.map(({ published }) => published) }),
  });

  beforeAll(async () => {
    server = createServer((_request, response) => {
      asked += 1;
      const { status = 200, text } = respond();
      response.writeHead(status, { location: '/elsewhere' }).end(text);
    }).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/.well-known/jwks.json`;
  });
  afterAll(() => server.close());
  beforeEach(() => {
    asked = 0;
    respond = () => told(key);
  });

  it('are asked for once, by however many calls', async () => {
    const one = verifier({ keys: url });
    const text = signed(key, claims());
    await Promise.all(Array.from({ length: 20 }, () => one.verify(text)));
    await one.verify(text);
    expect(asked).toBe(1);
  });

  it('are asked for again for a name that is new, and not for each such name', async () => {
    const next = newKey(0);
    let nowMs = 0;
    const { KeySource } = await import('../../../src/verify/key-source.ts');
    const source = new KeySource(url, () => nowMs);
    await source.find(key.kid);
    respond = () => told(key, next);
    await expect(source.find(next.kid)).rejects.toMatchObject({ reason: 'key-unknown' });
    expect(asked).toBe(1);
    nowMs = 30_000;
    expect(await source.find(next.kid)).toBeDefined();
    await expect(source.find('other')).rejects.toMatchObject({ reason: 'key-unknown' });
    expect(asked).toBe(2);
  });

  it('count for five minutes; then what is taken out of the set is gone', async () => {
    let nowMs = 0;
    const { KeySource } = await import('../../../src/verify/key-source.ts');
    const source = new KeySource(url, () => nowMs);
    await source.find(key.kid);
    respond = () => told(newKey(0));
    nowMs = 299_999;
    expect(await source.find(key.kid)).toBeDefined();
    nowMs = 300_000;
    await expect(source.find(key.kid)).rejects.toMatchObject({ reason: 'key-unknown' });
  });

  it('that cannot be read are no refusal, and are tried again', async () => {
    let nowMs = 0;
    const { KeySource } = await import('../../../src/verify/key-source.ts');
    const source = new KeySource(url, () => nowMs);
    respond = () => ({ status: 503, text: '' });
    await expect(source.find(key.kid)).rejects.toThrow(KeysUnavailable);
    await expect(source.find(key.kid)).rejects.toThrow('status 503');
    expect(asked).toBe(1);
    respond = () => told(key);
    nowMs = 1_000;
    expect(await source.find(key.kid)).toBeDefined();
  });

  it('that are away say of a new name that it is not known', async () => {
    let nowMs = 0;
    const { KeySource } = await import('../../../src/verify/key-source.ts');
    const source = new KeySource(url, () => nowMs);
    await source.find(key.kid);
    respond = () => ({ status: 500, text: '' });
    nowMs = 60_000;
    await expect(source.find('other')).rejects.toThrow(KeysUnavailable);
    await expect(source.find('other')).rejects.toThrow(KeysUnavailable);
    expect(await source.find(key.kid)).toBeDefined();
    nowMs = 300_000;
    await expect(source.find(key.kid)).rejects.toThrow(KeysUnavailable);
  });

  const changed = (more: Partial<Record<keyof PublishedKey, string>>) =>
    JSON.stringify({ keys: [{ ...key.published, ...more }] });
  it.each<[string, { status?: number; text: string }]>([
    ['that are no JSON', { text: '<html>' }],
    ['that are no set', { text: '[]' }],
    ['of another kind alone', { text: changed({ kty: 'RSA' }) }],
    ['for encryption alone', { text: changed({ use: 'enc' }) }],
    ['that are not on the curve', { text: changed({ x: key.published.y }) }],
    [
      'of one name',
      { text: JSON.stringify({ keys: [key.published, newKey(0).published, key.published] }) },
    ],
    ['that are elsewhere', { status: 302, text: '' }],
    ['without end', { text: ' '.repeat(70_000) }],
  ])('%s are not taken', async (_what, response) => {
    respond = () => response;
    expect(await reasonOf(signed(key, claims()), { keys: url })).toBe('KeysUnavailable');
  });

  it('may come from a function, whose failure is no refusal either', async () => {
    const text = signed(key, claims());
    const keys = async () => ({ keys: [key.published] });
    expect(await reasonOf(text, { keys: keys as never })).toBe('taken');
    const failing = () => Promise.reject(new Error('ENOENT'));
    expect(await reasonOf(text, { keys: failing })).toBe('KeysUnavailable');
  });
});

/** The public key, which everybody has, taken for a shared secret. */
function hmac(text: string): string {
  const pem = createPublicKey(key.key).export({ format: 'pem', type: 'spki' });
  return createHmac('sha512', pem).update(text).digest('base64url');
}

function forged(head: object, signature: (text: string) => string = () => zeros): string {
  const text = `${encoded({ typ: 'JWT', kid: key.kid, ...head })}.${encoded(claims())}`;
  return `${text}.${signature(text)}`;
}

const zeros = Buffer.alloc(64).toString('base64url');

function swapped(more: object): string {
  const [head, , signature] = signed(key, claims()).split('.');
  return [head, encoded(claims(more)), signature].join('.');
}

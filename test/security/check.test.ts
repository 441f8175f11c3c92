import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CHECK_BYTES, CHECK_PATH } from '../../src/doors/decision/check.ts';
import { http2Door } from '../contract/door-http2.ts';
import type { DoorRequest } from '../contract/door-under-test.ts';
import { CheckClient, checkRequest, optionsOf } from '../support/ext-authz/client.ts';
import { owner, startGateway, type TestGateway } from '../support/gateway.ts';
import type { AskedRequest } from '../support/questions.ts';

/** Envoy's questions over gRPC, by a client of gRPC that is not ours. */
const KNOWN = { application: 'any', permission: 'test:all', upstream: 'none' } as const;
const ROUTES = [
  { name: 'app', path: '/app/**', methods: ['GET', 'POST'], ...KNOWN },
  { name: 'denied', path: '/denied', methods: ['GET'], ...KNOWN, permission: 'other:thing' },
  {
    name: 'limited',
    path: '/limited',
    methods: ['GET'],
    ...KNOWN,
    rateLimit: { requests: 1, windowSeconds: 3600, per: 'account' },
  },
  {
    name: 'basic',
    path: '/basic',
    methods: ['GET'],
    ...KNOWN,
    acceptBasic: true,
    acceptBareToken: true,
  },
  { name: 'public', path: '/public', access: 'public', upstream: 'none' },
];
const NAMES = ['id', 'name', 'role', 'teams', 'applications', 'assertion'] as const;

let gate: TestGateway;
let client: CheckClient;

beforeAll(async () => {
  gate = await startGateway({
    upstreams: { none: { addresses: ['http://127.0.0.1:9'] } },
    routes: ROUTES,
    plaintext: true,
    decision: {},
  });
  client = new CheckClient(gate.gateway.addresses.decision!.port);
});
afterAll(async () => {
  client.close();
  await gate.stop();
});

const mine = () => [`Authorization: Bearer ${gate.token}`];
const about = (target: string, changes: Partial<AskedRequest> = {}): AskedRequest => ({
  method: 'GET',
  target,
  fields: mine(),
  ...changes,
});
type Asked = ReturnType<typeof checkRequest>;
/** The question with other values in `attributes.request.http`. */
const withHttp = (question: Asked, http: object): object => ({
  attributes: {
    ...question.attributes,
    request: { http: { ...question.attributes.request.http, ...http } },
  },
});
const decisions = async () =>
  (await gate.events()).filter(({ type, phase }) => type === 'call' && phase === 'decision');

async function refusal(question: object) {
  const { status, denied_response: denied, http_response } = await client.ask(question);
  expect(http_response).toBe('denied_response');
  const { reason, detail } = JSON.parse(denied!.body);
  return { code: status.code, status: denied!.status.code, reason, detail, denied: denied! };
}

describe('Envoy that asks over gRPC', () => {
  it('is told of a permit whom the service may believe, and what to take off', async () => {
    const forged = [
      ...NAMES.map((name) => `X-Account-${name}: forged`),
      ...['X-Account-Anything: forged', 'X-HTTP-Method-Override: DELETE', 'Remote-User: forged'],
      ...['X-Request-Id: theirs', 'X-Forwarded-For: 192.0.2.1', 'X-Kept: kept', 'Cookie: a=1'],
    ];
    const question = checkRequest(about('/app/1?q=1', { fields: [...mine(), ...forged] }));
    const { status, ok_response: ok } = await client.ask(question);
    expect(status.code).toBe(0);
    const told = optionsOf(ok!.headers);
    const decision = (await decisions()).at(-1);
    expect(told).toEqual({
      'x-account-id': gate.account.id,
      'x-account-name': gate.account.name,
      'x-account-role': 'tester',
      'x-account-teams': '',
      'x-account-applications': '',
      'x-account-assertion': '',
      'x-request-id': decision!.id,
    });
    for (const { append_action, keep_empty_value } of ok!.headers)
      expect([append_action, keep_empty_value]).toEqual(['OVERWRITE_IF_EXISTS_OR_ADD', true]);
    expect([...ok!.headers_to_remove].sort()).toEqual([
      'authorization',
      'remote-user',
      'x-account-anything',
      'x-http-method-override',
    ]);
    expect(decision).toMatchObject({ door: 'decision', method: 'GET', path: '/app/1' });
  });

  it('is told of a refusal in what its client would get from the gate, and never in a fault', async () => {
    await client.ask(checkRequest(about('/limited')));
    const cases: readonly (readonly [number, number, string, AskedRequest])[] = [
      [16, 401, 'token-missing', about('/app/1', { fields: [] })],
      [16, 401, 'token-refused', about('/app/1', { fields: ['Authorization: Bearer no'] })],
      [7, 403, 'permission-denied', about('/denied')],
      [12, 404, 'route-unknown', about('/nowhere')],
      [12, 405, 'method-refused', about('/denied', { method: 'POST' })],
      [8, 429, 'rate-limited', about('/limited')],
      [3, 400, 'target-ambiguous', about('/app/%2e%2e/denied')],
      [12, 501, 'method-unknown', about('/app/1', { method: 'BREW' })],
    ];
    for (const [code, status, reason, asked] of cases) {
      const told = await refusal(checkRequest(asked));
      expect([told.code, told.status, told.reason], reason).toEqual([code, status, reason]);
      const fields = optionsOf(told.denied.headers);
      expect(fields['content-type']).toBe('application/problem+json');
      expect(fields['cache-control']).toBe('no-store');
      if (status === 401) expect(fields['www-authenticate']).toMatch(/^Bearer realm=/);
      if (status === 405) expect(fields.allow).toBe('GET');
      if (status === 429) expect(fields['retry-after']).toMatch(/^\d+$/);
    }
  });

  it('may say the fields byte for byte instead, and the token in another form', async () => {
    const question = checkRequest(about('/app/1'));
    const raw = (pairs: readonly (readonly [string, string])[]) =>
      withHttp(question, {
        headers: {},
        header_map: {
          headers: pairs.map(([key, value]) => ({ key, raw_value: Buffer.from(value, 'latin1') })),
        },
      });
    const token = ['authorization', `Bearer ${gate.token}`] as const;
    const bytes = raw([[':path', '/app/1'], token, ['x-name', 'j\xf6rg'], ['x-name', 'again']]);
    expect((await client.ask(bytes)).status.code).toBe(0);
    expect((await refusal(raw([token, token]))).reason).toBe('request-ambiguous');
    const basic = `Basic ${Buffer.from(`x:${gate.token}`).toString('base64')}`;
    for (const value of [basic, gate.token]) {
      const fields = [`Authorization: ${value}`];
      expect((await client.ask(checkRequest(about('/basic', { fields })))).status.code).toBe(0);
      expect((await refusal(checkRequest(about('/app/1', { fields })))).status).toBe(401);
    }
  });

  it('says whose request it is; from a list nobody is taken', async () => {
    await client.ask(checkRequest(about('/app/1', { client: '192.0.2.77' })));
    await client.ask(checkRequest(about('/app/1', { client: '::ffff:192.0.2.78' })));
    const fields = [
      ...mine(),
      'X-Forwarded-For: 203.0.113.9',
      'X-Envoy-External-Address: 203.0.113.9',
    ];
    await client.ask(checkRequest(about('/app/1', { client: '192.0.2.79', fields })));
    const pipe = {
      attributes: {
        ...checkRequest(about('/app/1')).attributes,
        source: { address: { pipe: { path: '/x' } } },
      },
    };
    await client.ask(pipe);
    expect((await decisions()).slice(-4).map(({ clientAddress }) => clientAddress)).toEqual([
      '192.0.2.77',
      '192.0.2.78',
      '192.0.2.79',
      '127.0.0.1',
    ]);
    for (const address of ['nowhere', '192.0.2.1, 192.0.2.2', 'fe80::1%eth0'])
      expect((await refusal(checkRequest(about('/app/1', { client: address })))).status).toBe(400);
  });

  it('is refused what can be read in more than one way, or not at all', async () => {
    const question = checkRequest(about('/app/1'));
    const { headers } = question.attributes.request.http;
    const header = (changes: object) => withHttp(question, { headers: { ...headers, ...changes } });
    const cases: readonly (readonly [string, string, object])[] = [
      ['no method', 'request-malformed', withHttp(question, { method: '', headers: {} })],
      ['no path', 'request-malformed', withHttp(question, { path: '', headers: {} })],
      ['no host', 'request-malformed', withHttp(question, { host: '', headers: {} })],
      ['no scheme', 'request-malformed', withHttp(question, { scheme: '', headers: {} })],
      ['another scheme', 'request-malformed', withHttp(question, { scheme: 'ftp', headers: {} })],
      ['a query by itself', 'request-ambiguous', withHttp(question, { query: 'a=b' })],
      ['a fragment', 'request-ambiguous', withHttp(question, { fragment: 'a' })],
      ['another path', 'request-ambiguous', header({ ':path': '/public' })],
      ['another method', 'request-ambiguous', header({ ':method': 'POST' })],
      ['another authority', 'request-ambiguous', header({ ':authority': 'other.test' })],
      ['another scheme in the fields', 'request-ambiguous', header({ ':scheme': 'http' })],
      ['another host', 'request-ambiguous', header({ host: 'other.test' })],
      ['a name twice', 'request-ambiguous', header({ Authorization: 'Bearer other' })],
      ['a name that may be taken for another', 'request-malformed', header({ x_account_id: '1' })],
      ['a line break', 'request-malformed', header({ 'x-a': 'a\r\nb: c' })],
      ['a body', 'body-refused', withHttp(question, { body: 'body' })],
      ['a body in bytes', 'body-refused', withHttp(question, { raw_body: Buffer.from('body') })],
      [
        'fields in both forms',
        'request-ambiguous',
        withHttp(question, {
          header_map: { headers: [{ key: 'a', raw_value: Buffer.from('b') }] },
        }),
      ],
      [
        'too many fields',
        'headers-too-large',
        header(Object.fromEntries(Array.from({ length: 130 }, (_, n) => [`x-${n}`, '1']))),
      ],
      ['nothing', 'request-malformed', {}],
    ];
    for (const [what, reason, asked] of cases)
      expect((await refusal(asked)).reason, what).toBe(reason);
    const recorded = (await decisions()).slice(-cases.length);
    expect(recorded.map(({ reason }) => reason)).toEqual(cases.map(([, reason]) => reason));
  });

  it('is told no once the account is out of use, and while the gate cannot know', async () => {
    const { id, token } = await gate.createAccount({ name: 'soon', role: 'tester' });
    const question = checkRequest(about('/app/1', { fields: [`Authorization: Bearer ${token}`] }));
    expect((await client.ask(question)).status.code).toBe(0);
    await gate.administration.deactivateAccount(owner, { id });
    expect((await refusal(question)).status).toBe(401);
  });

  it('is told of no other method, and of nothing without gRPC', async () => {
    const other = client.ask(checkRequest(about('/app/1')), 'Other');
    await expect(other).rejects.toMatchObject({ code: 12 });
    const answers = async (request: Partial<DoorRequest>, ...body: readonly Buffer[]) => {
      const { port } = gate.gateway.addresses.decision!;
      const raw = await http2Door(false).connect({ port, caFile: '' });
      const exchange = await raw.begin({ method: 'POST', target: CHECK_PATH, ...request });
      await exchange.send(...body);
      if (request.length !== undefined) await exchange.endBody();
      const { status, content } = await exchange.response();
      raw.close();
      return [status, content.toString('latin1')] as const;
    };
    const grpc = [['content-type', 'application/grpc']] as const;
    expect((await answers({ method: 'GET' }))[0]).toBe(405);
    expect((await answers({}))[0]).toBe(400);
    expect(
      (
        await answers(
          { fields: [['content-type', 'application/json']], length: 2 },
          Buffer.from('{}'),
        )
      )[0],
    ).toBe(400);
    expect((await answers({ fields: grpc }))[0]).toBe(400);
    const asked = async (bytes: Buffer) => {
      const [status, content] = await answers({ fields: grpc, length: bytes.length }, bytes);
      expect(status).toBe(200);
      return JSON.parse(content.slice(content.indexOf('{"type"'), content.lastIndexOf('}') + 1))
        .reason;
    };
    const framed = (compressed: number, length: number, message: string) =>
      Buffer.concat([Buffer.of(compressed, 0, 0, 0, length), Buffer.from(message, 'latin1')]);
    for (const bytes of [
      framed(1, 0, ''),
      framed(0, 1, ''),
      framed(0, 0, '\x00'),
      framed(0, 1, '\x0a'),
      framed(0, 2, '\x0a\x05'),
      framed(0, 2, '\x0b\x0c'),
      framed(0, 2, '\x02\x00'),
      Buffer.of(0, 0),
    ])
      expect(await asked(bytes), bytes.toString('hex')).toBe('request-malformed');
    // A message that stands twice: readers that put the two together would take both.
    expect(await asked(framed(0, 4, '\x0a\x00\x0a\x00'))).toBe('request-ambiguous');
    expect(await asked(Buffer.alloc(CHECK_BYTES + 1))).toBe('body-too-large');
  });

  it('finds no permit in a refusal of a call of gRPC, however it asks', async () => {
    const { port } = gate.gateway.addresses.decision!;
    const asker = await http2Door(false).connect({ port, caFile: '' });
    const exchange = await asker.begin({
      method: 'POST',
      target: '/ext-authz/app/1',
      fields: [['content-type', 'application/grpc']],
    });
    expect((await exchange.response()).status).toBe(401);
    asker.close();
  });
});

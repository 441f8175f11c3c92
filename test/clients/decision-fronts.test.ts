import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { FRONTS, type RunningFront } from '../support/fronts.ts';
import { owner, startGateway, type TestGateway } from '../support/gateway.ts';
import { type Message, valuesOf } from '../support/http-bytes.ts';
import { Asker, type Told } from '../support/questions.ts';
import { type RawUpstream, startRawUpstream } from '../support/raw-upstream.ts';
import { have, requireOrSkip } from '../support/system.ts';

/**
 * The recipes of config/examples/decision with the programs that they are for. What a client says
 * of itself reaches no service, and no request does that was not permitted as it came there.
 */
const KNOWN = { application: 'any', permission: 'test:all', upstream: 'none' } as const;
const LIMIT = { requests: 1, windowSeconds: 3600, per: 'account' } as const;
const ROUTES = [
  { name: 'app', path: '/app/**', methods: ['GET', 'HEAD', 'POST', 'DELETE'], ...KNOWN },
  { name: 'denied', path: '/denied/**', methods: ['GET'], ...KNOWN, permission: 'other:thing' },
  { name: 'limited', path: '/limited', methods: ['GET'], ...KNOWN, rateLimit: LIMIT },
  { name: 'public', path: '/public', access: 'public', upstream: 'none' },
];
const NAMES = ['Id', 'Name', 'Role', 'Teams', 'Applications', 'Assertion'] as const;
const FORGED = [
  ...NAMES.map((name) => `X-Account-${name}: forged`),
  'x-aCCount-Id: forged',
  'X-Request-Id: forged',
  'X-Original-URI: /public',
  'X-Original-Host: forged',
  'X-Original-Method: GET',
  'X-Original-Forwarded-For: 203.0.113.9',
  'X-Forwarded-Uri: /public',
  'X-Forwarded-Method: GET',
  'X-Forwarded-Host: forged',
  'X-Forwarded-For: 203.0.113.9',
  'X-Envoy-External-Address: 203.0.113.9',
];

/** Of another target than was decided on, for services that believe them. */
const OTHERWISE = [
  'X-HTTP-Method-Override: DELETE',
  'X-HTTP-Method: DELETE',
  'X-Method-Override: DELETE',
  'X-Original-URL: /denied/1',
  'X-Rewrite-URL: /denied/1',
];

describe.each(FRONTS)('$name', ({ part, told: toldAs = {}, passesOverrides = false, start }) => {
  let gate: TestGateway;
  let service: RawUpstream;
  let front: RunningFront;

  beforeAll(async () => {
    if (part !== null && !have(part)) return;
    service = await startRawUpstream({
      answer: () => [{ send: 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok' }],
    });
    gate = await startGateway({
      // What is permitted the front forwards: nobody listens here.
      upstreams: { none: { addresses: ['http://127.0.0.1:9'] } },
      routes: ROUTES,
      plaintext: true,
      decision: {},
    });
    const decision = gate.gateway.addresses.decision!.port;
    front = await start({ decision, service: Number(new URL(service.url).port) });
  }, 60_000);

  beforeEach((ctx) => {
    if (part !== null) requireOrSkip(ctx, part);
  });

  afterAll(async () => {
    await front?.stop();
    await gate?.stop();
    await service?.stop();
  });

  async function call(line: string, fields: readonly string[], body = ''): Promise<Told> {
    service.clear();
    const client = await Asker.open(front.port, '127.0.0.5');
    const length = body === '' ? [] : [`Content-Length: ${body.length}`];
    const head = [`${line} HTTP/1.1`, 'Host: api.test', ...fields, ...length].join('\r\n');
    try {
      return await client.ask(`${head}\r\n\r\n${body}`, line.split(' ')[0]);
    } finally {
      client.close();
    }
  }

  const mine = () => `Authorization: Bearer ${gate.token}`;
  const arrived = () => service.requests;
  const identity = (message: Message) =>
    NAMES.map((name) => valuesOf(message, `x-account-${name.toLowerCase()}`).join('|'));
  const decisions = async () =>
    (await gate.events()).filter(({ type, phase }) => type === 'call' && phase === 'decision');

  it('forwards what is permitted, and says who calls', async () => {
    for (const [line, body] of [
      ['GET /app/1?q=1', ''],
      ['POST /app/%C3%BC/x', 'a body'],
      ['DELETE /app/2', ''],
    ] as const) {
      const response = await call(line, [mine(), ...FORGED], body);
      expect([response.status, response.body], line).toEqual([200, 'ok']);
      const [message, ...more] = arrived();
      expect(more).toEqual([]);
      expect(message!.line).toBe(`${line} HTTP/1.1`);
      expect(message!.body.toString()).toBe(body);
      expect(identity(message!)).toEqual([
        gate.account.id,
        gate.account.name,
        'tester',
        '',
        '',
        '',
      ]);
      expect(valuesOf(message!, 'authorization').filter((value) => value !== '')).toEqual(
        toldAs[404] === undefined ? [] : [`Bearer ${gate.token}`],
      );
      const own = message!.fields.filter(([name]) => /^x-(account|request)/i.test(name));
      expect(JSON.stringify(own)).not.toContain('forged');
      const [method, target] = line.split(' ');
      expect((await decisions()).at(-1)).toMatchObject({
        door: 'decision',
        method,
        path: target!.split('?')[0],
        clientAddress: '127.0.0.5',
        account: { id: gate.account.id },
      });
    }
  });

  it('says of nobody on a public route who calls', async () => {
    expect((await call('GET /public', [mine(), ...FORGED])).status).toBe(200);
    expect(identity(arrived()[0]!)).toEqual(['', '', '', '', '', '']);
  });

  it('forwards no name that a service may take for one of these', async () => {
    for (const name of ['X_Account_Id', 'x_account-role', 'X-Account_Teams']) {
      const response = await call('GET /app/1', [mine(), `${name}: forged`]);
      const said = arrived().flatMap(({ fields }) => fields);
      expect(JSON.stringify(said), `${name}: ${response.status}`).not.toContain('forged');
    }
  });

  it('forwards nothing that asks a service for another method or target', async (ctx) => {
    if (passesOverrides) ctx.skip('what its controller passes on is not for the recipe to say');
    expect((await call('GET /app/1', [mine(), ...OTHERWISE])).status).toBe(200);
    const [message] = arrived();
    const said = message!.fields.filter(([, value]) => /DELETE|denied/.test(value));
    expect(said).toEqual([]);
  });

  it('forwards nothing else', async () => {
    const { id, token } = await gate.createAccount({ name: 'gone', role: 'tester' });
    await gate.administration.deactivateAccount(owner, { id });
    expect((await call('GET /limited', [mine()])).status).toBe(200);
    const cases: readonly (readonly [number, string, readonly string[]])[] = [
      [401, 'GET /app/1', []],
      [401, 'GET /app/1', ['Authorization: Bearer nonsense']],
      [401, 'GET /app/1', [`Authorization: Bearer ${token}`]],
      [403, 'GET /denied/1', [mine()]],
      [404, 'GET /nowhere', [mine()]],
      [405, 'POST /denied/1', [mine()]],
      [429, 'GET /limited', [mine()]],
      [400, 'GET /app/%2e%2e/denied', [mine()]],
      [400, 'GET /app//1', [mine()]],
      [400, 'GET /app/%2fdenied', [mine()]],
    ];
    for (const [status, line, fields] of cases) {
      const response = await call(line, [...fields, ...FORGED]);
      expect(response.status, line).toBe(toldAs[status] ?? status);
      expect(arrived(), line).toEqual([]);
      if (status === 401)
        expect(response.field('www-authenticate'), line).toMatch(/^Bearer realm=/);
    }
    const twice = [mine(), 'Authorization: Bearer other'];
    expect((await call('GET /app/1', twice)).status).toBeGreaterThanOrEqual(400);
    expect(arrived()).toEqual([]);
  });

  it('forwards nothing while Sallyport cannot be asked', async () => {
    await gate.gateway.close();
    const response = await call('GET /app/1', [mine()]);
    expect(response.status).toBeGreaterThanOrEqual(500);
    expect(arrived()).toEqual([]);
  });
});

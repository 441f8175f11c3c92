import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { type Door, startDoor } from '../../integration/door/door.ts';
import { freePort } from '../../support/free-port.ts';
import { owner } from '../../support/gateway.ts';

const ROUTES = [
  {
    name: 'deploy',
    path: '/deployments',
    methods: ['POST', 'DELETE'],
    bodyOn: ['DELETE'],
    application: '{app}',
    permission: 'deployments:write',
    variables: { app: { json: '/ops/*/app' } },
    bodyVariableBytes: 2000,
    upstream: 'raw',
  },
];
const BODY = '{ "ops" : [ {"app":"crm", "n":1.50} ,{"app":"shop"}],\n"\u00e9":"\\u00e9\\/" }';

let door: Door;
let token: string;
let id: string;

async function openDoor(options: Parameters<typeof startDoor>[0] = {}): Promise<void> {
  door = await startDoor({ ...options, gateway: { routes: ROUTES, ...options.gateway } });
  const { administration } = door.gate;
  await administration.createRole(owner, {
    name: 'deployer',
    description: '',
    permissions: ['deployments:write'],
  });
  await administration.createTeam(owner, {
    name: 'sales',
    description: '',
    applications: ['crm', 'shop'],
  });
  const made = await administration.createServiceAccount(owner, {
    name: 'pipeline',
    description: '',
    role: 'none',
    teams: [{ team: 'sales', role: 'deployer' }],
  });
  token = made.token;
  id = made.account.id;
}

const head = (...fields: readonly string[]) =>
  `${['POST /deployments HTTP/1.1', 'Host: gate', `Authorization: Bearer ${token}`, ...fields].join('\r\n')}\r\n\r\n`;
const JSON_TYPE = 'Content-Type: application/json';
const forwarded = () => door.upstream.requests.map(({ body }) => body.toString());
const lengthOf = (body: string | Buffer) => `Content-Length: ${Buffer.byteLength(body)}`;
const CLOSE = 'Connection: close';

async function send(body: string | Buffer, ...fields: readonly string[]) {
  const { text } = await door.talk(
    [head(JSON_TYPE, lengthOf(body), CLOSE, ...fields), body],
    ['POST'],
  );
  return { status: Number(text.slice(9, 12)), text };
}

const decisions = async () =>
  (await door.gate.events()).filter(
    ({ phase, path }) => phase === 'decision' && path === '/deployments',
  );

it('keeps the fields behind a body that decides, and forwards them with it', async () => {
  await openDoor();
  const size = Buffer.byteLength(BODY).toString(16);
  const chunks = `${size}\r\n${BODY}\r\n0\r\nX-Sum: 1\r\nX-Account-Id: root\r\n\r\n`;
  const { text } = await door.talk(
    [head(JSON_TYPE, 'Transfer-Encoding: chunked', CLOSE), chunks],
    ['POST'],
  );
  expect([text.slice(9, 12), forwarded()]).toEqual(['200', [BODY]]);
  expect(door.upstream.requests[0]!.trailers).toEqual([['X-Sum', '1']]);
});

it('decides by the body, forwards it byte for byte, and puts on record what was decided', async () => {
  await openDoor();
  expect((await send(BODY)).status).toBe(200);
  expect(forwarded()).toEqual([BODY]);
  expect((await decisions())[0]).toMatchObject({
    reason: 'permitted',
    applications: ['crm', 'shop'],
    role: 'deployer',
    permission: 'deployments:write',
  });
  const about = async (application: string) => {
    const query = { account: null, cursor: null, limit: 10, phase: 'decision', application };
    return (await door.gate.control.administration.activityPage(owner, query)).items.length;
  };
  expect([await about('crm'), await about('shop'), await about('erp')]).toEqual([1, 1, 0]);
});

it('takes a body of exactly as many bytes as the route reads, and not one more', async () => {
  await openDoor();
  const filled = (bytes: number) => {
    const bare = '{"ops":[{"app":"crm"}],"x":""}';
    return bare.replace('""', `"${'x'.repeat(bytes - bare.length)}"`);
  };
  const chunked = async (body: string) =>
    (
      await door.talk(
        [
          head(JSON_TYPE, 'Transfer-Encoding: chunked', CLOSE),
          `${body.length.toString(16)}\r\n${body}\r\n`,
          '0\r\n\r\n',
        ],
        ['POST'],
      )
    ).text.slice(9, 12);
  expect((await send(filled(2000))).status).toBe(200);
  expect(await chunked(filled(2000))).toBe('200');
  expect(await chunked(filled(2001))).toBe('413');
  expect(forwarded()).toEqual([filled(2000), filled(2000)]);
});

it('refuses as soon as one of several is not permitted', async () => {
  await openDoor();
  const { status, text } = await send('{"ops":[{"app":"crm"},{"app":"erp"}]}');
  expect(status).toBe(403);
  expect(text).toContain('permission-denied');
  expect(door.upstream.requests).toHaveLength(0);
  expect((await decisions())[0]).toMatchObject({ application: 'erp', role: 'none' });
});

it.each([
  ['nothing', '', 400, 'the call needs a body of JSON'],
  ['no value', '{"ops":[{"app":"crm"},{}]}', 403, 'does not say'],
  ['a key twice', '{"ops":[{"app":"crm","app":"erp"}]}', 400, 'stands twice'],
  ['a key in another case', '{"ops":[{"app":"crm","APP":"erp"}]}', 400, 'stands twice'],
  ['an escaped key', '{"ops":[{"app":"crm","\\u0061pp":"erp"}]}', 400, 'body-refused'],
  ['a byte order mark', '\ufeff{"ops":[{"app":"crm"}]}', 400, 'valid JSON'],
  ['more than the route reads', `{"ops":[{"app":"crm"}],"x":"${'x'.repeat(2000)}"}`, 413, ''],
])('refuses a body with %s, and nothing goes upstream', async (_, body, status, said) => {
  await openDoor();
  const answer = await send(body);
  expect(answer.status).toBe(status);
  expect(answer.text).toContain(said);
  expect(door.upstream.requests).toHaveLength(0);
  const [decision] = await decisions();
  expect(decision).toMatchObject({ decision: 'refusal', status, account: { name: 'pipeline' } });
  // No byte of a body is on record.
  expect(JSON.stringify(await door.gate.events())).not.toContain('xxxx');
});

it('goes on with the connection after a refusal that followed the whole body', async () => {
  await openDoor();
  const no = '{"ops":[{"app":"erp"}]}';
  const { text } = await door.talk(
    [head(JSON_TYPE, lengthOf(no)), no, head(JSON_TYPE, lengthOf(BODY), CLOSE), BODY],
    ['POST', 'POST'],
  );
  expect(text.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 403', 'HTTP/1.1 200']);
});

it('reads chunks in whatever pieces they come, counts what they hold, and sends the same content on', async () => {
  await openDoor();
  const pieces: (string | number)[] = [head(JSON_TYPE, 'Transfer-Encoding: chunked', CLOSE)];
  for (const character of [...Buffer.from(BODY, 'utf8').toString('latin1')])
    pieces.push(`1;x=y\r\n${character}\r\n`);
  const bytes = pieces.map((piece) => Buffer.from(String(piece), 'latin1'));
  const { text } = await door.talk([...bytes, '0\r\nX-App: erp\r\n\r\n'], ['POST']);
  expect(text).toContain('HTTP/1.1 200');
  expect(forwarded()).toEqual([BODY]);
  // Passed on, and nothing was decided by it.
  expect(door.upstream.bytes.toString('latin1')).toContain('0\r\nX-App: erp\r\n\r\n');
});

it('asks a client that waits for 100 Continue for its body, but not for one that is too large', async () => {
  await openDoor();
  const client = await door.connect(['POST']);
  await client.send(head(JSON_TYPE, lengthOf(BODY), 'Expect: 100-continue', CLOSE));
  await client.waitFor('100 Continue', (bytes) => bytes.includes('100 Continue'));
  await client.send(BODY);
  expect((await client.waitForClose()).toString('latin1')).toContain('HTTP/1.1 200');
  const { text } = await door.talk(
    [head(JSON_TYPE, 'Content-Length: 2001', 'Expect: 100-continue', CLOSE)],
    ['POST'],
  );
  expect(text).not.toContain('100 Continue');
  expect(text).toContain('HTTP/1.1 413');
});

it('records a client that leaves before its body is whole, and gives its memory back', async () => {
  await openDoor();
  const client = await door.connect(['POST']);
  await client.send(head(JSON_TYPE, 'Content-Length: 1000'), '{"ops":[');
  client.close();
  await expect.poll(decisions).toHaveLength(1);
  const [decision] = await decisions();
  expect(decision).toMatchObject({
    reason: 'request-malformed',
    detail: 'the connection ended before the body did',
    account: { name: 'pipeline' },
  });
  const own = await door.eventsOf('/deployments', 2);
  expect(own[1]).toMatchObject({ phase: 'outcome', reason: 'client-aborted' });
  expect((await send(BODY)).status).toBe(200);
});

it('bounds how slowly such a body may come', async () => {
  await openDoor({
    gateway: { routes: ROUTES, limits: { minBodyBytesPerSecond: 1000, bodyGraceMs: 200 } },
  });
  const { text } = await door.talk([head(JSON_TYPE, 'Content-Length: 1000'), '{"ops":['], ['POST']);
  expect(text).toContain('HTTP/1.1 408');
  expect(door.upstream.requests).toHaveLength(0);
  expect((await decisions())[0]).toMatchObject({ reason: 'request-timeout', route: 'deploy' });
});

it('decides by what holds when the body is whole: an account that was deactivated meanwhile is refused', async () => {
  await openDoor();
  const client = await door.connect(['POST']);
  await client.send(head(JSON_TYPE, lengthOf(BODY), CLOSE), BODY.slice(0, 10));
  await new Promise((resolve) => setTimeout(resolve, 50));
  await door.gate.administration.deactivateAccount(owner, { id });
  await client.send(Buffer.from(BODY).subarray(10));
  expect((await client.waitForClose()).toString('latin1')).toContain('HTTP/1.1 401');
  expect(door.upstream.requests).toHaveLength(0);
});

it('sends the same bytes to another upstream when the first cannot be reached', async () => {
  const [dead, port] = [await freePort(), await freePort()];
  await openDoor({
    upstream: { at: { host: '127.0.0.1', port } },
    upstreamConfig: { addresses: [`http://127.0.0.1:${dead}`, `http://127.0.0.1:${port}`] },
  });
  for (let call = 0; call < 4; call += 1) expect((await send(BODY)).status).toBe(200);
  expect(forwarded()).toEqual([BODY, BODY, BODY, BODY]);
  expect(door.gate.log.some((line) => line.includes(`127.0.0.1:${dead}`))).toBe(true);
});

it('forwards every document as it was written', async () => {
  await openDoor();
  const note = fc.oneof(
    fc.string({ unit: 'grapheme', maxLength: 40 }),
    fc.double({ noNaN: true }),
    fc.array(fc.boolean(), { maxLength: 3 }),
  );
  await fc.assert(
    fc.asyncProperty(note, fc.constantFrom(0, 1, '\t'), async (value, space) => {
      const body = JSON.stringify({ note: value, ops: [{ app: 'crm' }] }, null, space);
      const before = door.upstream.requests.length;
      expect((await send(body)).status).toBe(200);
      expect(forwarded()[before]).toBe(body);
    }),
    { numRuns: 25 },
  );
});

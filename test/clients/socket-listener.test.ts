import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { owner, startGateway, type TestGateway } from '../support/gateway.ts';
import { valuesOf } from '../support/http-bytes.ts';
import { connectRaw, type RawClient } from '../support/raw-client.ts';
import { OK, type RawUpstream, type Step, startRawUpstream } from '../support/raw-upstream.ts';
import { findProgram, have, requireOrSkip } from '../support/system.ts';
import { type Program, startProgram } from '../support/upstreams/upstream.ts';

/** The gate on a socket file: for curl, for nginx in front of it, and for raw connections. */

const run = promisify(execFile);
const PREFACE = 'PROXY TCP4 198.51.100.7 127.0.0.1 4444 443\r\n';

let home: string;
let upstream: RawUpstream;
let answer: readonly Step[] = OK;
let gate: TestGateway | null = null;
let clients: RawClient[] = [];

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'sallyport-sockets-'));
  upstream = await startRawUpstream({ answer: () => answer });
});
afterEach(async () => {
  for (const client of clients) client.close();
  await gate?.stop();
  gate = null;
  clients = [];
  answer = OK;
  upstream.clear();
});
afterAll(async () => {
  await upstream.stop();
  rmSync(home, { recursive: true, force: true });
});

const file = (name: string) => join(home, name);

async function open(proxy: object = {}, more: Readonly<Record<string, unknown>> = {}) {
  const { limits = {}, decision, ...config } = more;
  gate = await startGateway({
    upstreams: { raw: { addresses: [upstream.url] } },
    limits: limits as Record<string, number>,
    config: {
      listen: {
        proxy: { address: `unix:${file('gate.sock')}`, plaintext: true, ...proxy },
        ops: { address: '127.0.0.1:0' },
        ...(decision === undefined ? {} : { decision }),
      },
      ...config,
    },
  });
  await expect.poll(() => gate!.gateway.ready, { timeout: 30_000, interval: 10 }).toBe(true);
  return gate;
}

async function client(name = 'gate.sock'): Promise<RawClient> {
  const made = await connectRaw({ port: 0, path: file(name) });
  clients.push(made);
  return made;
}

const head = (line: string, token: string, ...fields: readonly string[]) =>
  `${[`${line} HTTP/1.1`, 'Host: api.test', `Authorization: Bearer ${token}`, ...fields].join('\r\n')}\r\n\r\n`;

async function statusOf(bytes: string): Promise<string> {
  const one = await client();
  await one.send(bytes);
  return (await one.waitFor('a response', (all) => all.includes('\r\n\r\n')))
    .toString()
    .slice(9, 12);
}

const fieldsOf = (name: string) =>
  upstream.requests.map((request) => valuesOf(request, name).join());

async function restricted(networks: readonly string[]): Promise<string> {
  const { token } = await gate!.administration.createServiceAccount(owner, {
    name: 'restricted',
    description: '',
    role: 'tester',
    allowedNetworks: networks,
  });
  return token;
}

const decisions = async () =>
  (await gate!.events())
    .filter(({ phase }) => phase === 'decision')
    .map(({ reason, clientAddress }) => [reason, clientAddress]);

describe('whoever connects by the socket', () => {
  beforeEach((ctx) => requireOrSkip(ctx, 'curl'));

  it('is let in, and has no address: on record, for services, and for networks', async () => {
    const { token, stop } = await open();
    const words = [
      '-sS',
      '--unix-socket',
      file('gate.sock'),
      '-o',
      file('body'),
      '-w',
      '%{http_code}',
    ];
    const call = async (bearer: string) =>
      (
        await run('curl', [
          ...words,
          ...['-H', `Authorization: Bearer ${bearer}`, '-H', 'X-Forwarded-For: 192.0.2.7'],
          'http://api.test/a',
        ])
      ).stdout;
    expect(await call(token)).toBe('200');
    expect(fieldsOf('x-forwarded-for')).toEqual(['unknown']);
    expect(fieldsOf('forwarded')[0]).toMatch(/^for=unknown;proto=http;/);
    expect(await call(await restricted(['192.0.2.0/24', '0.0.0.0/0', '::/0']))).toBe('401');
    expect(await decisions()).toEqual([
      ['permitted', 'unix'],
      ['address-refused', 'unix'],
    ]);
    await stop();
    expect(existsSync(file('gate.sock'))).toBe(false);
    gate = null;
  });
});

describe('connections by the socket', () => {
  it('wait beside each other for their first byte', async () => {
    const { token } = await open({ http2: { enabled: true } });
    const [one, two] = [await client(), await client()];
    for (const each of [two, one]) {
      await each.send(head('GET /a', token));
      await each.waitFor('a response', (all) => all.includes('\r\n\r\nok'));
    }
    expect([one.closed, two.closed]).toEqual(['open', 'open']);
  });

  it('are those of one address, unless it is trusted', async () => {
    const { token, gateway, config } = await open({}, { limits: { connectionsPerAddress: 1 } });
    const first = await client();
    await first.send(head('GET /a', token));
    await first.waitFor('a response', (all) => all.includes('\r\n\r\nok'));
    const second = await client();
    await second.send(head('GET /a', token));
    await second.waitFor('a response', (all) => all.includes('\r\n\r\nok'));
    await first.waitForClose();
    const { listen } = config;
    const proxy = { ...listen.proxy!, trustedProxies: ['unix'] };
    gateway.reload({ ...config, listen: { ...listen, proxy } });
    expect(await statusOf(head('GET /a', token))).toBe('200');
    await second.send(head('GET /b', token));
    await second.waitFor('another', (all) => all.toString().split('\r\n\r\nok').length === 3);
  });

  it('are ended with the account, in the middle of a response', async () => {
    answer = [{ send: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n' }];
    const { token, account, administration, log } = await open();
    const one = await client();
    await one.send(head('GET /a', token));
    await one.waitFor('its beginning', (all) => all.includes('2\r\nok'));
    await administration.deactivateAccount(owner, { name: account.name });
    expect((await one.waitForClose()).toString()).not.toContain('0\r\n\r\n');
    expect(log.filter((line) => line.includes('failed inside'))).toEqual([]);
  });

  it('begin with the PROXY protocol where `unix` is listed, and are closed if they do not', async () => {
    const { token } = await open({ proxyProtocol: { peers: ['unix'] } });
    expect(await statusOf(PREFACE + head('GET /a', token))).toBe('200');
    const bare = await client();
    await bare.send(head('GET /b', token));
    expect((await bare.waitForClose()).length).toBe(0);
    expect(await decisions()).toEqual([['permitted', '198.51.100.7']]);
    expect(fieldsOf('x-forwarded-for')).toEqual(['198.51.100.7']);
  });

  it('ask for decisions where `unix` is listed, and are closed unread where it is not', async () => {
    const decision = { address: `unix:${file('ask.sock')}`, peers: ['unix'] };
    const { token, gateway, config } = await open({}, { decision });
    const question = [
      ...['GET /auth-request HTTP/1.1', 'Host: gate', 'X-Original-Method: GET'],
      ...['X-Original-URI: /a', 'X-Original-Host: api.test', `Authorization: Bearer ${token}`],
    ];
    const asker = await client('ask.sock');
    await asker.send(`${question.join('\r\n')}\r\n\r\n`);
    await asker.waitFor('a verdict', (all) => all.toString().startsWith('HTTP/1.1 200 '));
    const { listen } = config;
    const next = { ...listen.decision!, peers: ['127.0.0.1'] };
    gateway.reload({ ...config, listen: { ...listen, decision: next } });
    await asker.waitForClose();
    expect((await (await client('ask.sock')).waitForClose()).length).toBe(0);
  });
});

describe('nginx in front', () => {
  let nginx: Program | null = null;
  beforeEach((ctx) => requireOrSkip(ctx, 'nginx', 'curl'));
  afterEach(async () => {
    await nginx?.stop();
    nginx = null;
  });

  it('says whose call it is, as far as `unix` is trusted', async () => {
    if (!have('nginx')) return;
    const { token, gateway, config } = await open();
    writeFileSync(file('nginx.conf'), configuration());
    nginx = startProgram(findProgram('nginx')!, ['-p', home, '-c', 'nginx.conf', '-e', 'stderr']);
    await expect.poll(() => existsSync(file('front.sock')), { timeout: 30_000 }).toBe(true);
    const known = await restricted(['203.0.113.0/24']);
    const call = async (bearer: string) => {
      const fields = ['-H', `Authorization: Bearer ${bearer}`];
      const to = ['--unix-socket', file('front.sock'), 'http://api.test/a'];
      return (
        await run('curl', ['-sS', '-o', file('body'), '-w', '%{http_code}', ...fields, ...to])
      ).stdout;
    };
    expect([await call(token), await call(known)]).toEqual(['200', '401']);
    const { listen } = config;
    const proxy = { ...listen.proxy!, trustedProxies: ['unix'] };
    gateway.reload({ ...config, listen: { ...listen, proxy } });
    expect([await call(token), await call(known)]).toEqual(['200', '200']);
    expect(await decisions()).toEqual([
      ['permitted', 'unix'],
      ['address-refused', 'unix'],
      ['permitted', '203.0.113.7'],
      ['permitted', '203.0.113.7'],
    ]);
    expect(fieldsOf('x-forwarded-proto')).toEqual(['http', 'https', 'https']);
  });

  /** One process, no daemon: what is started here can be stopped here. */
  function configuration(): string {
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
      .map((kind) => `${kind}_temp_path ${file(kind)};`)
      .join(' ');
    return `daemon off; master_process off; pid ${file('nginx.pid')};
events { worker_connections 64; }
http {
  access_log off; error_log stderr; ${temporary}
  server {
    listen unix:${file('front.sock')};
    location / {
      proxy_pass http://unix:${file('gate.sock')};
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For 203.0.113.7;
      proxy_set_header X-Forwarded-Proto https;
    }
  }
}
`;
  }
});

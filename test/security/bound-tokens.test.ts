import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectHttp2 } from 'node:http2';
import { type RequestOptions, request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { CertificateBinding } from '../../src/account/model.ts';
import { thumbprintOf } from '../../src/tls/client-certificate.ts';
import { owner, startGateway, type TestGateway } from '../support/gateway.ts';
import { type RawUpstream, startRawUpstream } from '../support/raw-upstream.ts';
import { newAuthority, writeCertificate } from '../unit/tls/samples.ts';

/**
 * Tokens that are worth nothing by themselves: of accounts that are bound to a client certificate,
 * and of accounts that are let in from some networks alone.
 */
interface Shown {
  readonly cert: string;
  readonly key: string;
}

const folder = mkdtempSync(join(tmpdir(), 'sallyport-bound-'));
const NAME = 'CN=ci';
let gate: TestGateway;
let upstream: RawUpstream;
/** By name: of our CA, of another one with the same subject, of our CA with another subject. */
const shown = {} as Record<'ours' | 'foreign' | 'other', Shown>;
let account: { readonly id: string; readonly token: string };

beforeAll(async () => {
  const ours = await newAuthority([{ dns: 'test' }], 'Ours', 'client');
  const foreign = await newAuthority([{ dns: 'test' }], 'Foreign', 'client');
  const of = async (name: string, authority: typeof ours, subject: string): Promise<Shown> => {
    const place = mkdtempSync(join(folder, name));
    const order = { purpose: 'client', hosts: [{ dns: 'ci.test' }] } as const;
    const files = await writeCertificate(place, subject, authority, order);
    return {
      cert: readFileSync(files.certificateFile, 'utf8'),
      key: readFileSync(files.keyFile, 'utf8'),
    };
  };
  shown.ours = await of('ours', ours, 'ci');
  shown.foreign = await of('foreign', foreign, 'ci');
  shown.other = await of('other', ours, 'someone-else');
  writeFileSync(join(folder, 'clients.pem'), ours.pem);
  upstream = await startRawUpstream({
    answer: (message) =>
      message.line.includes('/stream')
        ? [{ send: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nmore\r\n' }]
        : [{ send: 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n' }],
  });
  const certificates = [{ certificateFile: 'tls.crt', keyFile: 'tls.key' }];
  gate = await startGateway({
    upstreams: { raw: { addresses: [upstream.url] } },
    config: {
      listen: {
        proxy: {
          address: '127.0.0.1:0',
          http2: { enabled: true },
          // A client may come from any place of the loopback: this one is a proxy.
          trustedProxies: ['127.0.0.9'],
          tls: {
            certificates,
            clientCaFile: join(folder, 'clients.pem'),
            clientCertificates: 'optional',
          },
        },
        admin: {
          address: '127.0.0.1:0',
          tls: { certificates, clientCertificates: 'optional' },
        },
        decision: { address: '127.0.0.1:0', peers: ['127.0.0.1'] },
        ops: { address: '127.0.0.1:0' },
      },
    },
  });
  await gate.administration.createRole(owner, {
    name: 'auditor',
    description: '',
    permissions: ['test:*', 'sallyport:registry:read'],
  });
  account = await gate.createAccount({ name: 'ci', role: 'auditor' });
});
afterAll(async () => {
  await gate.stop();
  await upstream.stop();
  rmSync(folder, { recursive: true, force: true });
});
afterEach(() => restrict({ boundTo: null, allowedNetworks: null }));

const restrict = (change: {
  readonly boundTo?: CertificateBinding | null;
  readonly allowedNetworks?: readonly string[] | null;
}) => gate.administration.editAccount(owner, { name: 'ci', ...change });

const printOf = ({ cert }: Shown) => thumbprintOf(new X509Certificate(cert));

/** Status and body of a call with the account's token. */
function call(options: RequestOptions = {}, token = account.token): Promise<[number, string]> {
  return new Promise((resolve, reject) => {
    const asked = request(
      {
        port: gate.port,
        path: '/x',
        agent: false,
        rejectUnauthorized: false,
        ...options,
        headers: { authorization: `Bearer ${token}`, ...options.headers },
      },
      async (response) => {
        const pieces = await response.toArray();
        resolve([response.statusCode!, Buffer.concat(pieces).toString()]);
      },
    );
    asked.on('error', reject).end();
  });
}

const statusOf = async (options: RequestOptions = {}) => (await call(options))[0];

async function lastReason(): Promise<unknown> {
  const decisions = (await gate.events()).filter(({ phase }) => phase === 'decision');
  return decisions.at(-1)!.reason;
}

describe('a token that is bound to a certificate', () => {
  it('counts beside that certificate alone, whoever issued it', async () => {
    await restrict({ boundTo: { thumbprint: printOf(shown.foreign) } });
    expect(await statusOf(shown.foreign)).toBe(200);
    expect(await statusOf(shown.ours)).toBe(401);
    expect(await lastReason()).toBe('token-unbound');
    expect(await statusOf()).toBe(401);
    expect(await lastReason()).toBe('token-unbound');
  });

  it('is refused in the very bytes of one that nobody has', async () => {
    await restrict({ boundTo: { thumbprint: printOf(shown.ours) } });
    const same = async (options: RequestOptions, token?: string) => {
      const [status, body] = await call(options, token);
      return [status, body.replace(/"requestId":"[^"]+"/, '')];
    };
    const unknown = await same({}, `${account.token.slice(0, -1)}${'x'}`);
    expect(await same({})).toEqual(unknown);
    expect(await same(shown.other)).toEqual(unknown);
  });

  it.each(['TLSv1.3', 'TLSv1.2'] as const)(
    'knows the certificate of a session that is resumed (%s)',
    async (version) => {
      await restrict({ boundTo: { subject: NAME } });
      const versions = { minVersion: version, maxVersion: version } as const;
      const resumed = async (who: Partial<Shown>) => {
        const first = await converse({ ...versions, ...who });
        const session = first.session === undefined ? {} : { session: first.session };
        const second = await converse({ ...versions, ...session });
        return [first.status, second.isReused, second.status];
      };
      expect(await resumed(shown.ours)).toEqual([200, true, 200]);
      expect(await resumed(shown.other)).toEqual([401, true, 401]);
      expect(await resumed(shown.foreign)).toEqual([401, true, 401]);
      // Of such a session Node says that it is authorised.
      expect(await resumed({})).toEqual([401, true, 401]);
    },
  );

  it('by its subject counts where our CA vouches for it', async () => {
    await restrict({ boundTo: { subject: 'cn = ci' } });
    expect(await statusOf(shown.ours)).toBe(200);
    expect(await statusOf(shown.foreign)).toBe(401);
    expect(await statusOf(shown.other)).toBe(401);
    expect(await statusOf()).toBe(401);
  });

  it('does so in HTTP/2, stream by stream', async () => {
    await restrict({ boundTo: { thumbprint: printOf(shown.ours) } });
    const statuses = async (who: Partial<Shown>) => {
      const session = connectHttp2(`https://127.0.0.1:${gate.port}`, {
        rejectUnauthorized: false,
        ...who,
      });
      const one = () =>
        new Promise((resolve, reject) => {
          const stream = session.request({
            ':path': '/x',
            authorization: `Bearer ${account.token}`,
          });
          stream.on('response', (fields) => resolve(fields[':status']));
          stream.on('error', reject).resume().end();
        });
      try {
        return [await one(), await one()];
      } finally {
        session.destroy();
      }
    };
    expect(await statuses(shown.ours)).toEqual([200, 200]);
    expect(await statuses(shown.other)).toEqual([401, 401]);
    expect(await statuses({})).toEqual([401, 401]);
  });

  it('is refused behind a trusted proxy, whose certificate is not the caller’s', async () => {
    await restrict({ boundTo: { thumbprint: printOf(shown.ours) } });
    const proxy = { ...shown.ours, localAddress: '127.0.0.9' };
    expect(await statusOf(proxy)).toBe(401);
    expect(await lastReason()).toBe('token-unbound');
    expect(await statusOf({ ...proxy, headers: { 'x-forwarded-for': '192.0.2.7' } })).toBe(401);
  });

  it('is refused at the decision endpoint, where no certificate is known', async () => {
    await restrict({ boundTo: { thumbprint: printOf(shown.ours) } });
    const { status } = await ask();
    expect([status, await lastReason()]).toEqual([401, 'token-unbound']);
    await restrict({ boundTo: null });
    expect((await ask()).status).toBe(200);
  });

  it('is judged by the admin API as well', async () => {
    const { port } = gate.gateway.addresses.admin!;
    const path = '/api/v1/roles';
    await restrict({ boundTo: { thumbprint: printOf(shown.ours) } });
    expect(await statusOf({ port, path, ...shown.ours })).toBe(200);
    expect(await statusOf({ port, path })).toBe(401);
    // The admin listener names no CA: nobody vouches for a subject there.
    await restrict({ boundTo: { subject: NAME } });
    expect(await statusOf({ port, path, ...shown.ours })).toBe(401);
    await restrict({ boundTo: null, allowedNetworks: ['127.0.0.2'] });
    expect(await statusOf({ port, path })).toBe(401);
    expect(await statusOf({ port, path, localAddress: '127.0.0.2' })).toBe(200);
  });

  it('ends what is open once it is bound, and the receipt says so', async () => {
    const stream = await openStream();
    const { revocation } = await restrict({ boundTo: { thumbprint: printOf(shown.ours) } });
    expect(revocation).toMatchObject({ effective: true });
    await stream.ended;
    const own = await openStream(shown.ours);
    await restrict({ boundTo: { thumbprint: printOf(shown.other) } });
    await own.ended;
  });
});

describe('an account that is let in from some networks', () => {
  it('is let in from there, by the address that a trusted proxy conveys', async () => {
    await restrict({ allowedNetworks: ['127.0.0.2', '192.0.2.0/24', '2001:db8::/32'] });
    expect(await statusOf({ localAddress: '127.0.0.2' })).toBe(200);
    expect(await statusOf({ localAddress: '127.0.0.3' })).toBe(401);
    expect(await lastReason()).toBe('address-refused');
    const through = (client: string, localAddress = '127.0.0.9') =>
      statusOf({ localAddress, headers: { 'x-forwarded-for': client } });
    expect(await through('192.0.2.7')).toBe(200);
    expect(await through('::ffff:c000:207')).toBe(200);
    // Another address, which whoever sets them in an IPv6 network can choose.
    expect(await through('64:ff9b::c000:207')).toBe(401);
    expect(await through('2002:c000:207::1')).toBe(401);
    expect(await through('2001:db8::7')).toBe(200);
    expect(await through('192.0.2.7, 203.0.113.9')).toBe(401);
    expect(await through('unknown')).toBe(401);
    // Who is no proxy of ours says so for nothing.
    expect(await through('192.0.2.7', '127.0.0.3')).toBe(401);
  });

  it('is judged by the field of the proxy that asks', async () => {
    await restrict({ allowedNetworks: ['192.0.2.0/24'] });
    expect((await ask('192.0.2.7')).status).toBe(200);
    expect((await ask('203.0.113.9')).status).toBe(401);
    expect((await ask()).status).toBe(401);
  });

  it('loses what is open from elsewhere', async () => {
    const stream = await openStream();
    await restrict({ allowedNetworks: ['127.0.0.0/8'] });
    expect(stream.isOpen()).toBe(true);
    await restrict({ allowedNetworks: ['10.0.0.0/8'] });
    await stream.ended;
  });
});

it('who may do what, and what is on record, say from where', async () => {
  await restrict({ allowedNetworks: ['10.0.0.0/8'], boundTo: { subject: 'O=x, CN=ci' } });
  const question = { account: 'ci', method: 'GET', path: '/x' };
  const from = (address: string) =>
    gate.control.administration.explain(owner, { ...question, from: address });
  expect(await from('192.0.2.7')).toMatchObject({ allowed: false, reason: 'address-refused' });
  expect((await from('10.1.2.3')).because.join(' ')).toContain('client certificate of O=x,CN=ci');
  const said = await gate.control.administration.explain(owner, question);
  expect(said.because.join(' ')).toContain('Only from 10.0.0.0/8');
  const { items } = await gate.control.administration.whoCan(owner, {
    method: 'GET',
    path: '/x',
    from: '192.0.2.7',
  });
  expect(items.map((one) => one.account)).not.toContain('ci');
  const change = (await gate.events()).findLast(({ phase }) => phase === 'change')!;
  expect(change.after).toMatchObject({
    allowedNetworks: ['10.0.0.0/8'],
    boundTo: { subject: 'O=x,CN=ci' },
  });
});

it.each([
  { allowedNetworks: ['10.0.0.7/8'] },
  { allowedNetworks: ['example.test'] },
  { boundTo: { thumbprint: 'abc' } },
  { boundTo: { subject: 'ci' } },
  { boundTo: { subject: 'CN=a', thumbprint: 'b' } as never },
  { boundTo: {} as never },
])('refuses what cannot be read in one way: %j', async (change) => {
  await expect(restrict(change)).rejects.toMatchObject({ code: 'invalid' });
});

/** One call on a connection of its own, and the session with which another one may resume. */
async function converse(options: ConnectionOptions) {
  const socket = connect({
    port: gate.port,
    host: '127.0.0.1',
    rejectUnauthorized: false,
    ...options,
  });
  let session: Buffer | undefined;
  socket.on('session', (one) => {
    session = one;
  });
  try {
    const text = await new Promise<string>((resolve, reject) => {
      socket.on('error', reject);
      socket.once('data', (bytes) => resolve(String(bytes)));
      socket.write(
        `GET /x HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${account.token}\r\n\r\n`,
      );
    });
    await expect.poll(() => session !== undefined || socket.isSessionReused()).toBe(true);
    return { status: Number(text.slice(9, 12)), session, isReused: socket.isSessionReused() };
  } finally {
    socket.destroy();
  }
}

async function openStream(who: Partial<Shown> = {}) {
  const socket: TLSSocket = connect({
    port: gate.port,
    host: '127.0.0.1',
    rejectUnauthorized: false,
    ...who,
  });
  const ended = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  socket.on('error', () => {});
  await new Promise<void>((resolve) => {
    socket.on('data', (bytes) => {
      if (String(bytes).includes('more')) resolve();
    });
    socket.write(
      `GET /stream HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${account.token}\r\n\r\n`,
    );
  });
  return { ended, isOpen: () => !socket.destroyed };
}

function ask(client?: string): Promise<Response> {
  return fetch(`http://127.0.0.1:${gate.gateway.addresses.decision!.port}/auth-request`, {
    headers: {
      authorization: `Bearer ${account.token}`,
      'x-original-method': 'GET',
      'x-original-url': 'https://localhost/x',
      ...(client === undefined ? {} : { 'x-original-forwarded-for': client }),
    },
  });
}

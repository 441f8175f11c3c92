import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { type ConnectionOptions, connect, type SecureVersion, type TLSSocket } from 'node:tls';
import { describe, expect, it, onTestFinished } from 'vitest';
import { TlsAcceptor } from '../../../src/tls/acceptor.ts';
import type { CertificateFiles } from '../../../src/tls/certificate.ts';
import { type HostCheck, ServerCertificates } from '../../../src/tls/server-certificates.ts';
import {
  newTicketKeys,
  rotateTicketKeys,
  type TicketKeys,
  TicketRotation,
} from '../../../src/tls/ticket-keys.ts';
import { folder, newAuthority, writeCertificate } from './samples.ts';

const authority = await newAuthority();
const VERSIONS: readonly SecureVersion[] = ['TLSv1.2', 'TLSv1.3'];

interface Door {
  readonly acceptor: TlsAcceptor;
  readonly port: number;
  /** Of the connections so far, what was said about their hosts. */
  readonly checks: (HostCheck | null)[];
  /** Sizes of what the TLS library was handed of the first bytes, in bytes. */
  readonly pieces: number[];
}

/** A listener that looks at the first bytes before it hands a socket over, as the gate's does. */
async function open(
  certificates: ServerCertificates,
  ticketKeys: TicketKeys = newTicketKeys(),
): Promise<Door> {
  const checks: (HostCheck | null)[] = [];
  const pieces: number[] = [];
  const secured = (socket: TLSSocket, misdirects: HostCheck | null) => {
    checks.push(misdirects);
    socket.on('error', () => {}).end('hello');
  };
  const acceptor = new TlsAcceptor({
    certificates,
    ticketKeys,
    protocols: () => ['http/1.1', 'http/1.0'],
    handshakeTimeoutMs: () => 10_000,
    secured,
    unsecured: () => {},
  });
  const server = createServer((socket) => {
    socket
      .on('error', () => {})
      .once('readable', () => {
        const first = socket.read() as Buffer | null;
        if (first === null) return void socket.destroy();
        socket.unshift(first);
        acceptor.accept(socket, first);
        const read = socket.read.bind(socket);
        socket.read = (size?: number) => {
          const piece = read(size) as Buffer | null;
          if (piece !== null) pieces.push(piece.length);
          return piece;
        };
      });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    acceptor.close();
    server.close();
  });
  return { acceptor, port: (server.address() as AddressInfo).port, checks, pieces };
}

interface Visit {
  readonly resumed: boolean;
  readonly session: Buffer | null;
}

/** One whole connection. Rejects when the server's greeting did not come. */
function visit(port: number, options: ConnectionOptions = {}): Promise<Visit> {
  return new Promise((resolve, reject) => {
    const names = { servername: 'first.test', checkServerIdentity: () => undefined };
    const socket = connect({ port, host: '127.0.0.1', ca: authority.pem, ...names, ...options });
    let session: Buffer | null = null;
    let greeting = '';
    let resumed = false;
    socket.once('secureConnect', () => {
      resumed = socket.isSessionReused();
    });
    socket.on('session', (given) => {
      session = given;
    });
    socket.on('data', (text: Buffer) => {
      greeting += text.toString();
    });
    socket.once('error', reject);
    socket.once('close', () => {
      if (greeting === 'hello') resolve({ resumed, session });
      else reject(new Error('closed without a greeting'));
    });
  });
}

async function resumes(
  port: number,
  { session }: Visit,
  options: ConnectionOptions = {},
): Promise<boolean> {
  return (await visit(port, { session: session!, ...options })).resumed;
}

const oneCertificate = async () =>
  new ServerCertificates([await writeCertificate(folder(), 'first', authority)]);

it('a long ClientHello is handed to the TLS library in pieces that it keeps little memory for', async () => {
  const { port, pieces } = await open(await oneCertificate());
  // Names of protocols that are longer than what the library's first buffer holds.
  await visit(port, {
    ALPNProtocols: ['http/1.1', ...['a', 'b', 'c', 'd'].map((c) => c.repeat(250))],
  });
  expect(pieces.reduce((sum, bytes) => sum + bytes, 0)).toBeGreaterThan(1024);
  expect(Math.max(...pieces)).toBeLessThan(1024);
});

describe.each(VERSIONS)('a ticket of %s', (version) => {
  const only = { minVersion: version, maxVersion: version };

  it('is good with whoever shares the keys, and with nobody else', async () => {
    const keys = newTicketKeys();
    const certificates = await oneCertificate();
    const [one, two, other] = [
      await open(certificates, keys),
      await open(certificates, keys),
      await open(certificates),
    ];
    const first = await visit(one.port, only);
    expect(first.resumed).toBe(false);
    expect(await resumes(two.port, first, only)).toBe(true);
    expect(await resumes(other.port, first, only)).toBe(false);
  });

  it('is good for one more period when the keys rotate, and then no more', async () => {
    const certificates = await oneCertificate();
    const keys = newTicketKeys();
    const { acceptor, port } = await open(certificates, keys);
    const first = await visit(port, only);
    const next = rotateTicketKeys(keys);
    acceptor.setTicketKeys(next);
    expect(await resumes(port, first, only)).toBe(true);
    const second = await visit(port, only);
    acceptor.setTicketKeys(rotateTicketKeys(next));
    expect(await resumes(port, first, only)).toBe(false);
    expect(await resumes(port, second, only)).toBe(true);
  });

  it('outlives a new certificate', async () => {
    const certificates = await oneCertificate();
    const { port } = await open(certificates);
    const first = await visit(port, only);
    certificates.reload([await writeCertificate(folder(), 'first', authority)]);
    expect(await resumes(port, first, only)).toBe(true);
  });

  it('is worth nothing once other clients are asked for', async () => {
    const clients = await newAuthority([{ dns: 'client.test' }], 'Client CA', 'client');
    const { files, caFile, identity } = await clientFiles(clients);
    const certificates = await oneCertificate();
    const { port } = await open(certificates);
    const before = await visit(port, only);
    certificates.reload(undefined, { clientCaFile: caFile });
    await expect(visit(port, { ...only, session: before.session! })).rejects.toThrow();
    const known = await visit(port, { ...only, ...identity(files) });
    expect(await resumes(port, known, { ...only, ...identity(files) })).toBe(true);
    const others = await clientFiles(
      await newAuthority([{ dns: 'client.test' }], 'Other CA', 'client'),
    );
    certificates.reload(undefined, { clientCaFile: others.caFile });
    await expect(
      visit(port, { ...only, session: known.session!, ...identity(files) }),
    ).rejects.toThrow();
  });
});

it('comes up with new keys at an interval, and keeps those of before', async () => {
  const seen: TicketKeys[] = [];
  const turned = Promise.withResolvers<void>();
  const rotation = new TicketRotation((keys) => {
    seen.push(keys);
    if (seen.length === 2) turned.resolve();
  }, 5);
  onTestFinished(() => rotation.close());
  const first = rotation.keys;
  await turned.promise;
  expect(seen[0]!.previous).toBe(first.current);
  expect(seen[1]!.previous).toBe(seen[0]!.current);
  expect(new Set([first, ...seen].map(({ current }) => current.toString('hex'))).size).toBe(
    seen.length + 1,
  );
});

async function clientFiles(clients: Awaited<ReturnType<typeof newAuthority>>) {
  const dir = folder();
  const caFile = join(dir, 'clients.pem');
  writeFileSync(caFile, clients.pem);
  const files = await writeCertificate(dir, 'client', clients, { purpose: 'client' });
  const identity = ({ certificateFile, keyFile }: CertificateFiles) => ({
    cert: readFileSync(certificateFile),
    key: readFileSync(keyFile),
  });
  return { dir, files, caFile, identity };
}

describe.each(VERSIONS)('with CAs for clients, over %s', (version) => {
  it('nobody gets in without a certificate of theirs, whichever certificate of ours is asked for', async () => {
    const clients = await newAuthority([{ dns: 'client.test' }], 'Client CA', 'client');
    const { dir, files, caFile, identity } = await clientFiles(clients);
    const own = [
      await writeCertificate(dir, 'first', authority),
      await writeCertificate(dir, 'second', authority),
    ];
    const { port } = await open(new ServerCertificates(own, Date.now, { clientCaFile: caFile }));
    const stranger = await newAuthority([{ dns: 'client.test' }], 'Client CA', 'client');
    const unfit = [
      {},
      identity(await writeCertificate(folder(), 'client', stranger, { purpose: 'client' })),
      identity(await writeCertificate(folder(), 'client', clients, { purpose: 'server' })),
      identity(
        await writeCertificate(folder(), 'client', clients, {
          purpose: 'client',
          fromDays: -9,
          toDays: -1,
        }),
      ),
    ];
    for (const servername of ['first.test', 'second.test', 'unknown.test']) {
      const shown = { servername, minVersion: version, maxVersion: version };
      expect(await visit(port, { ...shown, ...identity(files) })).toMatchObject({ resumed: false });
      for (const each of unfit) await expect(visit(port, { ...shown, ...each })).rejects.toThrow();
    }
  });
});

it('tells which hosts are out of place: those of another certificate than the one that was shown', async () => {
  const dir = folder();
  const several = new ServerCertificates([
    await writeCertificate(dir, 'first', authority),
    await writeCertificate(dir, 'second', authority, {
      hosts: [{ dns: 'second.test' }, { dns: 'both.test' }],
    }),
    await writeCertificate(dir, 'wild', authority, {
      hosts: [{ dns: '*.wild.test' }, { dns: 'both.test' }],
    }),
  ]);
  const { port, checks } = await open(several);
  const out = async (servername: string, host: string) => {
    await visit(port, { servername });
    return checks.pop()!(host);
  };
  expect(await out('first.test', 'first.test')).toBe(false);
  expect(await out('first.test', 'second.test')).toBe(true);
  expect(await out('first.test', 'a.wild.test')).toBe(true);
  expect(await out('second.test', 'first.test')).toBe(true);
  expect(await out('second.test', 'both.test')).toBe(false);
  expect(await out('a.wild.test', 'both.test')).toBe(false);
  expect(await out('a.wild.test', 'b.wild.test')).toBe(false);
  expect(await out('a.wild.test', 'a.b.wild.test')).toBe(false);
  // The default certificate was shown.
  expect(await out('unknown.test', 'second.test')).toBe(true);
  expect(await out('unknown.test', 'first.test')).toBe(false);
  // No certificate of ours speaks for it, so another connection would be no better.
  expect(await out('first.test', 'elsewhere.test')).toBe(false);
});

it('finds no host out of place where there is one certificate only, or where no name was asked for', async () => {
  const dir = folder();
  const files = [
    await writeCertificate(dir, 'first', authority),
    await writeCertificate(dir, 'second', authority),
  ];
  const one = await open(new ServerCertificates(files.slice(0, 1)));
  await visit(one.port, { servername: 'first.test' });
  const two = await open(new ServerCertificates(files));
  await visit(two.port, { servername: '' });
  expect([one.checks, two.checks]).toEqual([[null], [null]]);
});

import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import {
  type ConnectionOptions,
  connect,
  createServer,
  type Server,
  type TLSSocket,
} from 'node:tls';
import { expect, it, onTestFinished } from 'vitest';
import { CertificateFault } from '../../../src/tls/certificate.ts';
import { ServerCertificates } from '../../../src/tls/server-certificates.ts';
import { folder, newAuthority, writeCertificate } from './samples.ts';

const authority = await newAuthority();

const greet = (socket: TLSSocket): void => {
  socket.end('hello');
};

async function serve(
  certificates: ServerCertificates,
  talk = greet,
): Promise<{ readonly server: Server; readonly port: number }> {
  const server = createServer(certificates.serverOptions(), (socket) =>
    talk(socket.on('error', () => {})),
  );
  server.on('tlsClientError', () => {});
  onTestFinished(certificates.attach(server));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return { server, port: (server.address() as AddressInfo).port };
}

async function open(port: number, options: ConnectionOptions): Promise<TLSSocket> {
  const socket = connect({ port, host: '127.0.0.1', ca: authority.pem, ...options });
  onTestFinished(() => void socket.destroy());
  await once(socket, 'secureConnect');
  return socket;
}

/** The common name of the certificate that the server shows to whoever asks for a name. */
async function shownFor(port: number, servername: string): Promise<unknown> {
  const socket = await open(port, { servername, checkServerIdentity: () => undefined });
  return socket.getPeerCertificate().subject.CN;
}

it('chooses among certificates by the name that the client asks for', async () => {
  const dir = folder();
  const { port } = await serve(
    new ServerCertificates([
      await writeCertificate(dir, 'first', authority),
      await writeCertificate(dir, 'second', authority, {
        hosts: [{ dns: 'second.test' }, { dns: 'both.test' }],
      }),
      await writeCertificate(dir, 'wild', authority, {
        hosts: [{ dns: '*.wild.test' }, { dns: 'both.test' }],
      }),
    ]),
  );
  const shown = async (name: string) => shownFor(port, name);
  expect(await shown('first.test')).toBe('first');
  expect(await shown('second.test')).toBe('second');
  expect(await shown('SECOND.TEST')).toBe('second');
  expect(await shown('a.wild.test')).toBe('wild');
  expect(await shown('a.b.wild.test')).toBe('first');
  expect(await shown('wild.test')).toBe('first');
  expect(await shown('both.test')).toBe('second');
  expect(await shown('unknown.test')).toBe('first');
});

it('stays up whatever name it is asked for', async () => {
  const { port } = await serve(
    new ServerCertificates([await writeCertificate(folder(), 'first', authority)]),
  );
  for (const name of [
    '__proto__',
    'constructor',
    '.',
    '..',
    '.test',
    '*',
    '*.test',
    'x'.repeat(255),
    'a\u0000b',
    'ünï.test',
    '-',
    ' ',
  ]) {
    await shownFor(port, name).catch(() => 'refused');
  }
  expect(await shownFor(port, 'first.test')).toBe('first');
});

it('speaks TLS 1.2 and 1.3 with modern ciphers, and nothing older', async () => {
  const { port } = await serve(
    new ServerCertificates([await writeCertificate(folder(), 'first', authority)]),
  );
  const servername = 'first.test';
  const protocolOf = async (options: ConnectionOptions) =>
    (await open(port, { servername, ...options })).getProtocol();
  expect(await protocolOf({})).toBe('TLSv1.3');
  expect(await protocolOf({ maxVersion: 'TLSv1.2' })).toBe('TLSv1.2');
  const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' } as const;
  await expect(open(port, { servername, ...old })).rejects.toThrow();
  await expect(
    open(port, { servername, maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-SHA' }),
  ).rejects.toThrow();
});

it('prefers its own order of ciphers', async () => {
  const { port } = await serve(
    new ServerCertificates([await writeCertificate(folder(), 'first', authority)]),
  );
  const ciphers =
    'ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256';
  const socket = await open(port, { servername: 'first.test', maxVersion: 'TLSv1.2', ciphers });
  expect(socket.getCipher().name).toBe('ECDHE-ECDSA-AES128-GCM-SHA256');
});

it('agrees on a key by the hybrid with ML-KEM, X25519, P-256 or P-384, and by nothing that costs more', async () => {
  const { port } = await serve(
    new ServerCertificates([await writeCertificate(folder(), 'first', authority)]),
  );
  const agree = async (ecdhCurve: string) =>
    (await open(port, { servername: 'first.test', ecdhCurve })).getProtocol();
  for (const group of ['X25519MLKEM768', 'X25519', 'P-256', 'P-384'])
    expect(await agree(group)).toBe('TLSv1.3');
  for (const group of ['P-521', 'X448', 'ffdhe2048']) await expect(agree(group)).rejects.toThrow();
});

it('offers HTTP/1.1, and HTTP/1.0 to those who ask for nothing else', async () => {
  const { port } = await serve(
    new ServerCertificates([await writeCertificate(folder(), 'first', authority)]),
  );
  const servername = 'first.test';
  expect((await open(port, { servername, ALPNProtocols: ['h2', 'http/1.1'] })).alpnProtocol).toBe(
    'http/1.1',
  );
  expect((await open(port, { servername, ALPNProtocols: ['http/1.0'] })).alpnProtocol).toBe(
    'http/1.0',
  );
  expect(
    (await open(port, { servername, ALPNProtocols: ['http/1.0', 'http/1.1'] })).alpnProtocol,
  ).toBe('http/1.1');
  expect((await open(port, { servername })).alpnProtocol).toBe(false);
  await expect(open(port, { servername, ALPNProtocols: ['h2'] })).rejects.toThrow();
});

it('does not renegotiate', async () => {
  const { port } = await serve(
    new ServerCertificates([await writeCertificate(folder(), 'first', authority)]),
    () => {},
  );
  const socket = await open(port, { servername: 'first.test', maxVersion: 'TLSv1.2' });
  socket.resume();
  const answer = await new Promise<string>((resolve) => {
    socket.on('error', (fault) => resolve(fault.message));
    socket.on('close', () => resolve('closed'));
    socket.renegotiate({}, (fault) => resolve(fault?.message ?? 'renegotiated'));
  });
  expect(answer).toMatch(/no.renegotiation/i);
});

it('shows the new certificate after a reload, the default one as well as those chosen by name', async () => {
  const dir = folder();
  const files = [
    await writeCertificate(dir, 'first', authority),
    await writeCertificate(dir, 'second', authority),
  ];
  const certificates = new ServerCertificates(files);
  const { port } = await serve(certificates);
  const serialOf = async (servername: string) =>
    (await open(port, { servername, checkServerIdentity: () => undefined })).getPeerCertificate()
      .serialNumber;
  const standing = await open(port, { servername: 'first.test' });
  const before = [
    await serialOf('first.test'),
    await serialOf('second.test'),
    await serialOf('unknown.test'),
  ];
  await writeCertificate(dir, 'first', authority);
  await writeCertificate(dir, 'second', authority, { toDays: 60 });
  certificates.reload();
  const after = [
    await serialOf('first.test'),
    await serialOf('second.test'),
    await serialOf('unknown.test'),
  ];
  for (const [index, serial] of after.entries()) expect(serial).not.toBe(before[index]);
  expect(after[2]).toBe(after[0]);
  expect(standing.destroyed).toBe(false);
  expect(certificates.certificates[1]!.expiresAtMs).toBeGreaterThan(
    certificates.certificates[0]!.expiresAtMs,
  );
});

it('keeps what it has when one of the new files is unfit', async () => {
  const dir = folder();
  const files = [
    await writeCertificate(dir, 'first', authority),
    await writeCertificate(dir, 'second', authority),
  ];
  const certificates = new ServerCertificates(files);
  const { port } = await serve(certificates);
  const before = certificates.certificates;
  await writeCertificate(dir, 'first', authority);
  writeFileSync(files[1]!.certificateFile, '-----BEGIN CERTIFICATE-----\nMIIB');
  expect(() => certificates.reload()).toThrow(CertificateFault);
  expect(certificates.certificates).toEqual(before);
  expect(await shownFor(port, 'first.test')).toBe('first');
  expect(await shownFor(port, 'second.test')).toBe('second');
  await writeCertificate(dir, 'second', authority);
  certificates.reload();
  expect(await shownFor(port, 'second.test')).toBe('second');
});

it('can be given other files at a reload', async () => {
  const dir = folder();
  const certificates = new ServerCertificates([await writeCertificate(dir, 'first', authority)]);
  const { port } = await serve(certificates);
  certificates.reload([await writeCertificate(dir, 'other', authority)]);
  expect(await shownFor(port, 'first.test')).toBe('other');
});

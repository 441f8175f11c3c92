import { execFile, spawnSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createServer } from 'node:tls';
import { promisify } from 'node:util';
import { expect, it, onTestFinished } from 'vitest';
import { issueCertificate, newKeyPair } from '../../../src/tls/issue-certificate.ts';
import { ensureLocalCertificate } from '../../../src/tls/local-ca.ts';
import { ServerCertificates } from '../../../src/tls/server-certificates.ts';
import { findProgram, requireOrSkip } from '../../support/system.ts';
import { DAY_MS, folder, newAuthority, writeCertificate } from './samples.ts';

const run = promisify(execFile);

function opensslVerify(
  caFile: string,
  certificateFile: string,
  ...options: readonly string[]
): string {
  const result = spawnSync(findProgram('openssl') ?? '', [
    'verify',
    '-x509_strict',
    '-purpose',
    'sslserver',
    ...options,
    '-CAfile',
    caFile,
    certificateFile,
  ]);
  return `${result.stdout}${result.stderr}`;
}

it('is accepted by curl for localhost, 127.0.0.1 and ::1, and not without its CA', async (ctx) => {
  requireOrSkip(ctx, 'curl');
  const files = await ensureLocalCertificate(folder(), Date.now());
  const answer = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello';
  const server = createServer(new ServerCertificates([files]).serverOptions(), (socket) => {
    socket.on('error', () => {}).once('data', () => socket.end(answer));
  });
  server.on('tlsClientError', () => {});
  server.listen(0, '::');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  for (const host of ['localhost', '127.0.0.1', '[::1]']) {
    const { stdout } = await run('curl', [
      '-sS',
      '--noproxy',
      '*',
      '--cacert',
      files.caFile,
      `https://${host}:${port}/`,
    ]);
    expect(stdout).toBe('hello');
  }
  await expect(
    run('curl', ['-sS', '--noproxy', '*', `https://localhost:${port}/`]),
  ).rejects.toThrow(/certificate/);
  const elsewhere = [
    '--cacert',
    files.caFile,
    '--connect-to',
    `other.test:${port}:127.0.0.1:${port}`,
  ];
  await expect(
    run('curl', ['-sS', '--noproxy', '*', ...elsewhere, `https://other.test:${port}/`]),
  ).rejects.toThrow(/other\.test|subject/);
});

it('is verified by openssl, strictly', async (ctx) => {
  requireOrSkip(ctx, 'openssl');
  const { caFile, certificateFile } = await ensureLocalCertificate(folder(), Date.now());
  expect(opensslVerify(caFile, certificateFile, '-verify_hostname', 'localhost')).toContain('OK');
  expect(opensslVerify(caFile, certificateFile, '-verify_ip', '127.0.0.1')).toContain('OK');
  expect(opensslVerify(caFile, certificateFile, '-verify_ip', '::1')).toContain('OK');
  expect(opensslVerify(caFile, certificateFile, '-verify_hostname', 'example.com')).toContain(
    'hostname mismatch',
  );
});

it('has a CA that can speak for this machine only: openssl refuses whatever else it would sign', async (ctx) => {
  requireOrSkip(ctx, 'openssl');
  const dir = folder();
  const local = [{ dns: 'localhost' }, { ip: '127.0.0.1' }];
  const authority = await newAuthority(local);
  const caFile = join(dir, 'ca.pem');
  writeFileSync(caFile, authority.pem);
  const verify = async (name: string, hosts: Parameters<typeof newAuthority>[0] & {}) =>
    opensslVerify(
      caFile,
      (await writeCertificate(dir, name, authority, { hosts })).certificateFile,
    );
  expect(await verify('good', local)).toContain('OK');
  expect(await verify('name', [{ dns: 'example.com' }])).toContain('permitted subtree violation');
  expect(await verify('mixed', [{ dns: 'localhost' }, { dns: 'example.com' }])).toContain(
    'permitted subtree violation',
  );
  expect(await verify('suffix', [{ dns: 'notlocalhost' }])).toContain(
    'permitted subtree violation',
  );
  expect(await verify('address', [{ ip: '127.0.0.2' }])).toContain('permitted subtree violation');
});

it('has a CA that no further CA can be made from', async (ctx) => {
  requireOrSkip(ctx, 'openssl');
  const dir = folder();
  const root = await newAuthority([{ dns: 'localhost' }], 'Root');
  const keys = await newKeyPair(false);
  const validity = {
    notBefore: new Date(Date.now() - DAY_MS),
    notAfter: new Date(Date.now() + DAY_MS),
  };
  const order = {
    ...validity,
    subject: 'Below',
    publicKey: keys.publicKey,
    issuer: root,
    hosts: [{ dns: 'localhost' }],
    ca: true,
    purpose: 'server',
  } as const;
  const below = { subject: 'Below', ...keys, pem: await issueCertificate(order) };
  const { certificateFile } = await writeCertificate(dir, 'leaf', below, {
    hosts: [{ dns: 'localhost' }],
  });
  writeFileSync(join(dir, 'root.pem'), root.pem);
  writeFileSync(join(dir, 'below.pem'), below.pem);
  expect(
    opensslVerify(join(dir, 'root.pem'), certificateFile, '-untrusted', join(dir, 'below.pem')),
  ).toContain('path length constraint exceeded');
});

it('leaves no key of the CA behind, and nothing that others can read', async () => {
  const dir = folder();
  const files = await ensureLocalCertificate(dir, Date.now());
  expect(readdirSync(dir).sort()).toEqual(['ca.pem', 'tls.crt', 'tls.key']);
  for (const name of readdirSync(dir)) expect(statSync(join(dir, name)).mode & 0o777).toBe(0o600);
  const ca = new X509Certificate(readFileSync(files.caFile));
  expect(
    new X509Certificate(readFileSync(files.certificateFile)).publicKey.equals(ca.publicKey),
  ).toBe(false);
  expect(readFileSync(files.keyFile, 'utf8').match(/BEGIN/g)).toHaveLength(1);
});

it('is kept from start to start, until 7 days before it expires', async () => {
  const dir = folder();
  const now = Date.now();
  const first = await ensureLocalCertificate(dir, now);
  const texts = () => readdirSync(dir).map((name) => readFileSync(join(dir, name), 'utf8'));
  const before = texts();
  expect(first.issued).toBe(true);
  expect(await ensureLocalCertificate(dir, now + 1000)).toEqual({ ...first, issued: false });
  expect((await ensureLocalCertificate(dir, first.expiresAtMs - 7 * DAY_MS - 1000)).issued).toBe(
    false,
  );
  expect(texts()).toEqual(before);
  const renewed = await ensureLocalCertificate(dir, first.expiresAtMs - 7 * DAY_MS + 1000);
  expect(renewed.issued).toBe(true);
  expect(renewed.expiresAtMs).toBeGreaterThan(first.expiresAtMs);
});

it('is issued anew, both together, when what is there does not fit', async () => {
  const dir = folder();
  const stranger = folder();
  await ensureLocalCertificate(stranger, Date.now());
  const damage: readonly ((name: string) => void)[] = [
    (name) => rmSync(join(dir, name)),
    (name) => writeFileSync(join(dir, name), 'x'),
    (name) => writeFileSync(join(dir, name), readFileSync(join(stranger, name))),
  ];
  for (const spoil of damage) {
    for (const name of ['ca.pem', 'tls.crt', 'tls.key']) {
      await ensureLocalCertificate(dir, Date.now());
      spoil(name);
      expect([name, (await ensureLocalCertificate(dir, Date.now())).issued]).toEqual([name, true]);
    }
  }
});

it('closes a key that was opened to others', async () => {
  const dir = folder();
  const { keyFile } = await ensureLocalCertificate(dir, Date.now());
  chmodSync(keyFile, 0o644);
  expect((await ensureLocalCertificate(dir, Date.now())).issued).toBe(false);
  expect(statSync(keyFile).mode & 0o777).toBe(0o600);
});

it('says which folder is not there', async () => {
  await expect(ensureLocalCertificate(join(folder(), 'none'), Date.now())).rejects.toThrow(
    /ENOENT.*none/,
  );
});

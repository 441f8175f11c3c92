import { generateKeyPairSync } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { loadCertificate } from '../../../src/tls/certificate.ts';
import { clientContext, loadClientMaterial } from '../../../src/tls/client-material.ts';
import { DAY_MS, folder, newAuthority, writeCertificate } from './samples.ts';

const faultOf = (files: { certificateFile: string; keyFile: string }): string => {
  try {
    loadCertificate(files, Date.now());
    return 'none';
  } catch (fault) {
    return (fault as Error).message;
  }
};

it('reads a certificate with its chain, its names and its expiry', async () => {
  const authority = await newAuthority();
  const hosts = [{ dns: 'A.test' }, { dns: '*.b.test' }, { ip: '127.0.0.1' }];
  const files = await writeCertificate(folder(), 'a', authority, { hosts, chain: authority.pem });
  const certificate = loadCertificate(files, Date.now());
  expect(certificate.names).toEqual(['a.test', '*.b.test', '127.0.0.1']);
  expect(certificate.chainPem.match(/BEGIN CERTIFICATE/g)).toHaveLength(2);
  expect(Math.abs(certificate.expiresAtMs - Date.now() - 30 * DAY_MS)).toBeLessThan(60_000);
});

it('says what is wrong with a pair, naming the file', async () => {
  const dir = folder();
  const authority = await newAuthority();
  const a = await writeCertificate(dir, 'a', authority);
  const b = await writeCertificate(dir, 'b', authority);
  const empty = join(dir, 'empty');
  writeFileSync(empty, '');
  const broken = join(dir, 'broken');
  writeFileSync(broken, '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n');
  const { certificateFile, keyFile } = a;
  expect(faultOf({ certificateFile, keyFile: b.keyFile })).toBe(
    `${b.keyFile}: the key does not belong to the certificate in ${certificateFile}`,
  );
  expect(faultOf({ certificateFile: keyFile, keyFile: certificateFile })).toBe(
    `${keyFile}: there is no PEM certificate in it (it holds a private key: are the two files swapped?)`,
  );
  expect(faultOf({ certificateFile, keyFile: certificateFile })).toBe(
    `${certificateFile}: there is no PEM private key in it (it holds a certificate: are the two files swapped?)`,
  );
  expect(faultOf({ certificateFile: empty, keyFile })).toBe(
    `${empty}: there is no PEM certificate in it`,
  );
  expect(faultOf({ certificateFile: broken, keyFile })).toBe(
    `${broken}: certificate 1 in it is damaged`,
  );
  expect(faultOf({ certificateFile: join(dir, 'none'), keyFile })).toBe(
    `${join(dir, 'none')}: cannot be read (ENOENT)`,
  );
  expect(faultOf({ certificateFile: dir, keyFile })).toBe(`${dir}: is not a regular file`);
});

it('refuses what has expired, is not valid yet, or is too weak', async () => {
  const dir = folder();
  const authority = await newAuthority();
  expect(
    faultOf(await writeCertificate(dir, 'old', authority, { fromDays: -9, toDays: -1 })),
  ).toMatch(/old\.crt: the certificate expired on \d{4}-/);
  expect(faultOf(await writeCertificate(dir, 'new', authority, { fromDays: 1 }))).toMatch(
    /new\.crt: the certificate is valid only from \d{4}-/,
  );
});

it('refuses a chain that does not follow its certificate', async () => {
  const dir = folder();
  const authority = await newAuthority();
  const namesake = await newAuthority();
  const stranger = await newAuthority(undefined, 'Other CA');
  expect(faultOf(await writeCertificate(dir, 'a', authority, { chain: authority.pem }))).toBe(
    'none',
  );
  const message = /certificate 2 did not issue certificate 1/;
  expect(faultOf(await writeCertificate(dir, 'b', authority, { chain: stranger.pem }))).toMatch(
    message,
  );
  expect(faultOf(await writeCertificate(dir, 'c', authority, { chain: namesake.pem }))).toMatch(
    message,
  );
  expect(
    faultOf(await writeCertificate(dir, 'd', authority, { chain: stranger.pem + authority.pem })),
  ).toMatch(message);
});

it('never shows what a key file holds', async () => {
  const dir = folder();
  const { certificateFile } = await writeCertificate(dir, 'a', await newAuthority());
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const encrypted = privateKey
    .export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' })
    .toString();
  const damaged = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString().replace(/A/g, 'B');
  for (const [name, pem, why] of [
    ['encrypted', encrypted, 'the key is encrypted; only keys without a passphrase are read'],
    [
      'damaged',
      damaged.slice(0, 90).concat('\n-----END PRIVATE KEY-----\n'),
      'the private key in it is damaged',
    ],
  ] as const) {
    const keyFile = join(dir, name);
    writeFileSync(keyFile, pem);
    expect(faultOf({ certificateFile, keyFile })).toBe(`${keyFile}: ${why}`);
  }
});

it('verifies servers unless told otherwise, with the CAs that are named', async () => {
  const dir = folder();
  const authority = await newAuthority();
  const caFile = join(dir, 'ca.pem');
  writeFileSync(caFile, authority.pem);
  const files = await writeCertificate(dir, 'client', authority);
  expect(loadClientMaterial(null, Date.now())).toEqual({
    ca: null,
    serverName: null,
    certificate: null,
    key: null,
    verify: true,
  });
  const material = loadClientMaterial(
    { caFile, serverName: 'a.test', ...files, verify: true },
    Date.now(),
  );
  expect(material).toEqual({
    ca: authority.pem,
    serverName: 'a.test',
    certificate: readFileSync(files.certificateFile, 'utf8'),
    key: readFileSync(files.keyFile, 'utf8'),
    verify: true,
  });
  expect(clientContext(material)).toHaveProperty('context');
  const nothing = { serverName: null, certificateFile: null, keyFile: null, verify: true };
  expect(() => loadClientMaterial({ ...nothing, caFile: files.keyFile }, Date.now())).toThrow(
    'there is no PEM certificate in it',
  );
});

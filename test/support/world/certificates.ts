import { KeyObject } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { issueCertificate, newKeyPair } from '../../../src/tls/issue-certificate.ts';

export interface WorldPair {
  /** PEM texts. */
  readonly certificate: string;
  readonly key: string;
}

export interface WorldAuthority {
  readonly pem: string;
  issue(hosts: readonly string[]): Promise<WorldPair>;
}

const HOUR_MS = 3_600_000;

/** A CA for some names and those below them. */
export async function newWorldAuthority(
  subject: string,
  names: readonly string[] = ['world.test'],
): Promise<WorldAuthority> {
  const dates = {
    notBefore: new Date(Date.now() - HOUR_MS),
    notAfter: new Date(Date.now() + 24 * HOUR_MS),
  };
  const issuer = { subject, ...(await newKeyPair(false)) };
  const hosts = names.map((dns) => ({ dns }));
  const { publicKey } = issuer;
  const own = { ...dates, subject, publicKey, issuer, hosts, ca: true };
  return {
    pem: await issueCertificate({ ...own, purpose: 'server' }),
    issue: async (hosts) => {
      const pair = await newKeyPair(true);
      const certificate = await issueCertificate({
        ...dates,
        subject: hosts[0]!,
        publicKey: pair.publicKey,
        issuer,
        hosts: hosts.map((dns) => ({ dns })),
        ca: false,
        purpose: 'server',
      });
      const key = KeyObject.from(pair.privateKey).export({ type: 'pkcs8', format: 'pem' });
      return { certificate, key: String(key) };
    },
  };
}

/** `NAME.crt` and `NAME.key` in a folder. */
export function writePair(folder: string, name: string, { certificate, key }: WorldPair) {
  const files = {
    certificateFile: join(folder, `${name}.crt`),
    keyFile: join(folder, `${name}.key`),
  };
  writeFileSync(files.certificateFile, certificate);
  writeFileSync(files.keyFile, key, { mode: 0o600 });
  return files;
}

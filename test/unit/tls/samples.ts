import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { CertificateFiles } from '../../../src/tls/certificate.ts';
import { type HostName, issueCertificate } from '../../../src/tls/issue-certificate.ts';

export const DAY_MS = 86_400_000;

export function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'sallyport-tls-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

export interface Authority {
  readonly subject: string;
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
  readonly pem: string;
}

/** A CA that may speak for the given hosts only. */
export function newAuthority(hosts: readonly HostName[] = [{ dns: 'test' }], subject = 'Test CA'): Authority {
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const issuer = { subject, ...keys };
  const pem = issueCertificate({ ...validity(), subject, publicKey: keys.publicKey, issuer, hosts, ca: true });
  return { ...issuer, pem };
}

interface Order {
  readonly hosts?: readonly HostName[];
  readonly fromDays?: number;
  readonly toDays?: number;
  readonly chain?: string;
}

/** Writes `NAME.crt` and `NAME.key`. Validity counts in days from now. */
export function writeCertificate(dir: string, name: string, authority: Authority, order: Order = {}): CertificateFiles {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const hosts = order.hosts ?? [{ dns: `${name}.test` }];
  const pem = issueCertificate({
    ...validity(order.fromDays, order.toDays),
    subject: name,
    publicKey,
    issuer: authority,
    hosts,
    ca: false,
  });
  const files = { certificateFile: join(dir, `${name}.crt`), keyFile: join(dir, `${name}.key`) };
  writeFileSync(files.certificateFile, pem + (order.chain ?? ''));
  writeFileSync(files.keyFile, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  return files;
}

function validity(fromDays = -1, toDays = 30): { readonly notBefore: Date; readonly notAfter: Date } {
  return { notBefore: new Date(Date.now() + fromDays * DAY_MS), notAfter: new Date(Date.now() + toDays * DAY_MS) };
}

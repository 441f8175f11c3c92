import { KeyObject } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { CertificateFiles } from '../../../src/tls/certificate.ts';
import {
  type HostName,
  issueCertificate,
  type KeyPair,
  newKeyPair,
} from '../../../src/tls/issue-certificate.ts';

export const DAY_MS = 86_400_000;

export function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'sallyport-tls-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

export interface Authority extends KeyPair {
  readonly subject: string;
  readonly pem: string;
}

type Purpose = 'server' | 'client';

/** A CA that may speak for the given hosts only. */
export async function newAuthority(
  hosts: readonly HostName[] = [{ dns: 'test' }],
  subject = 'Test CA',
  purpose: Purpose = 'server',
): Promise<Authority> {
  const issuer = { subject, ...(await newKeyPair(false)) };
  const { publicKey } = issuer;
  const pem = await issueCertificate({
    ...validity(),
    subject,
    publicKey,
    issuer,
    hosts,
    ca: true,
    purpose,
  });
  return { ...issuer, pem };
}

interface Order {
  readonly hosts?: readonly HostName[];
  readonly fromDays?: number;
  readonly toDays?: number;
  readonly chain?: string;
  readonly purpose?: Purpose;
}

/** Writes `NAME.crt` and `NAME.key`. Validity counts in days from now. */
export async function writeCertificate(
  dir: string,
  name: string,
  authority: Authority,
  order: Order = {},
): Promise<CertificateFiles> {
  const { publicKey, privateKey } = await newKeyPair(true);
  const { hosts = [{ dns: `${name}.test` }], purpose = 'server' } = order;
  const dates = validity(order.fromDays, order.toDays);
  const pem = await issueCertificate({
    ...dates,
    subject: name,
    publicKey,
    issuer: authority,
    hosts,
    ca: false,
    purpose,
  });
  const files = { certificateFile: join(dir, `${name}.crt`), keyFile: join(dir, `${name}.key`) };
  writeFileSync(files.certificateFile, pem + (order.chain ?? ''));
  writeFileSync(
    files.keyFile,
    KeyObject.from(privateKey).export({ type: 'pkcs8', format: 'pem' }),
    { mode: 0o600 },
  );
  return files;
}

function validity(
  fromDays = -1,
  toDays = 30,
): { readonly notBefore: Date; readonly notAfter: Date } {
  return {
    notBefore: new Date(Date.now() + fromDays * DAY_MS),
    notAfter: new Date(Date.now() + toDays * DAY_MS),
  };
}

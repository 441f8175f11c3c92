import { KeyObject, X509Certificate } from 'node:crypto';
import { chmodSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CertificateFiles, loadCertificate, readCertificates } from './certificate.ts';
import { type HostName, issueCertificate, newKeyPair } from './issue-certificate.ts';

export interface LocalCertificate extends CertificateFiles {
  /** What clients are given to trust (`curl --cacert`). */
  readonly caFile: string;
  /** False when the files of an earlier start are still good. */
  readonly issued: boolean;
  /** Milliseconds since the Unix epoch. */
  readonly expiresAtMs: number;
}

const DAY_MS = 86_400_000;
const LIFETIME_MS = 365 * DAY_MS;
const RENEW_BEFORE_MS = 7 * DAY_MS;
/** Clocks of containers and their hosts differ a little. */
const BACKDATE_MS = 3_600_000;
const PRIVATE = 0o600;

const LOCAL_HOSTS: readonly HostName[] = [{ dns: 'localhost' }, { ip: '127.0.0.1' }, { ip: '::1' }];

/**
 * The certificate of `sallyport dev` for localhost, 127.0.0.1 and ::1, in `ca.pem`, `tls.crt` and
 * `tls.key` of the folder, which must exist. Kept from start to start, until 7 days before it
 * expires.
 *
 * Its CA is safe to trust: it may speak for these three names only, and its key is gone: it signs
 * one certificate and is never written down. So the two are always issued together.
 */
export async function ensureLocalCertificate(
  folder: string,
  nowMs: number,
): Promise<LocalCertificate> {
  const files = {
    caFile: join(folder, 'ca.pem'),
    certificateFile: join(folder, 'tls.crt'),
    keyFile: join(folder, 'tls.key'),
  };
  const expiresAtMs = whenKept(files, nowMs);
  if (expiresAtMs !== null) {
    chmodSync(files.keyFile, PRIVATE);
    return { ...files, issued: false, expiresAtMs };
  }
  const pem = await issueLocalPair(nowMs);
  // The CA last: whoever finds it finds what it has signed. A crash in between leaves files that do
  // not fit, and the next start issues anew.
  writePrivately(files.keyFile, pem.key);
  writePrivately(files.certificateFile, pem.certificate);
  writePrivately(files.caFile, pem.ca);
  return {
    ...files,
    issued: true,
    expiresAtMs: new X509Certificate(pem.certificate).validToDate.getTime(),
  };
}

/** The expiry of what is there, if it fits together and lasts; null when it has to be issued. */
function whenKept(
  files: Omit<LocalCertificate, 'issued' | 'expiresAtMs'>,
  nowMs: number,
): number | null {
  try {
    const certificate = loadCertificate(files, nowMs + RENEW_BEFORE_MS);
    loadCertificate(files, nowMs);
    const leaf = new X509Certificate(readFileSync(files.certificateFile));
    const ca = readCertificates(files.caFile)[0]!;
    const fits =
      leaf.checkIssued(ca) &&
      leaf.verify(ca.publicKey) &&
      ca.validToDate.getTime() >= certificate.expiresAtMs;
    return fits && certificate.names.includes('localhost') ? certificate.expiresAtMs : null;
  } catch {
    return null;
  }
}

/** A CA and the one certificate it ever signs, as PEM. The CA's key lives as long as this call. */
async function issueLocalPair(
  nowMs: number,
): Promise<{ readonly ca: string; readonly certificate: string; readonly key: string }> {
  const authority = await newKeyPair(false);
  const server = await newKeyPair(true);
  const issuer = {
    subject: `Sallyport local CA ${new Date(nowMs).toISOString().slice(0, 19)}Z`,
    ...authority,
  };
  const order = {
    notBefore: new Date(nowMs - BACKDATE_MS),
    notAfter: new Date(nowMs + LIFETIME_MS),
    issuer,
    hosts: LOCAL_HOSTS,
    purpose: 'server',
  } as const;
  const ca = await issueCertificate({
    ...order,
    subject: issuer.subject,
    publicKey: authority.publicKey,
    ca: true,
  });
  const certificate = await issueCertificate({
    ...order,
    subject: 'localhost',
    publicKey: server.publicKey,
    ca: false,
  });
  return {
    ca,
    certificate,
    key: KeyObject.from(server.privateKey).export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}

/** By a rename: nobody ever reads half a file. */
function writePrivately(file: string, text: string): void {
  const draft = `${file}.new`;
  // What a crash has left is not written through: it may be a link.
  rmSync(draft, { force: true });
  writeFileSync(draft, text, { flag: 'wx', mode: PRIVATE });
  chmodSync(draft, PRIVATE);
  renameSync(draft, file);
}

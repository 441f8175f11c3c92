import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';

/** One certificate with its key, as the configuration names them. */
export interface CertificateFiles {
  readonly certificateFile: string;
  readonly keyFile: string;
}

/** A certificate that was read and found fit to serve with. */
export interface Certificate {
  readonly files: CertificateFiles;
  /** PEM: the certificate, then its chain. */
  readonly chainPem: string;
  readonly keyPem: string;
  /** DNS names of the certificate, lower case, `*.` wildcards included, and IP addresses. */
  readonly names: readonly string[];
  /** Milliseconds since the Unix epoch. */
  readonly expiresAtMs: number;
}

/**
 * A certificate, key or CA file that cannot be used. The message names the file and says why; it
 * never shows key material.
 */
export class CertificateFault extends Error {
  override readonly name = 'CertificateFault';
  readonly file: string;

  constructor(file: string, why: string, options?: ErrorOptions) {
    super(`${file}: ${why}`, options);
    this.file = file;
  }
}

const MAX_FILE_BYTES = 1_048_576;
const MAX_CHAIN = 10;
const MIN_RSA_BITS = 2048;
const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

/**
 * Reads a certificate chain and its key, and checks that a client could accept them: the key
 * belongs to the certificate, each link of the chain signed the one before, the certificate is
 * valid at `nowMs` and the key is strong enough. Throws `CertificateFault`.
 */
export function loadCertificate(files: CertificateFiles, nowMs: number): Certificate {
  const chain = readCertificates(files.certificateFile);
  const leaf = chain[0]!;
  const keyPem = readText(files.keyFile);
  const key = readKey(files.keyFile, keyPem);
  if (!leaf.checkPrivateKey(key)) {
    throw new CertificateFault(
      files.keyFile,
      `the key does not belong to the certificate in ${files.certificateFile}`,
    );
  }
  checkStrength(files.keyFile, key);
  checkValidity(files.certificateFile, leaf, nowMs);
  checkChain(files.certificateFile, chain);
  const chainPem = chain.map((certificate) => certificate.toString()).join('');
  return { files, chainPem, keyPem, names: namesOf(leaf), expiresAtMs: leaf.validToDate.getTime() };
}

/** The certificates of a PEM file, in order: at least one. Throws `CertificateFault`. */
export function readCertificates(file: string): readonly X509Certificate[] {
  const text = readText(file);
  const blocks = text.match(PEM_CERTIFICATE) ?? [];
  if (blocks.length === 0) {
    const hint = text.includes('PRIVATE KEY-----')
      ? ' (it holds a private key: are the two files swapped?)'
      : '';
    throw new CertificateFault(file, `there is no PEM certificate in it${hint}`);
  }
  return blocks.map((block, index) => {
    try {
      return new X509Certificate(block);
    } catch (error) {
      throw new CertificateFault(file, `certificate ${index + 1} in it is damaged`, {
        cause: error,
      });
    }
  });
}

function readText(file: string): string {
  try {
    const stat = statSync(file);
    if (!stat.isFile()) throw new CertificateFault(file, 'is not a regular file');
    if (stat.size > MAX_FILE_BYTES)
      throw new CertificateFault(file, `is larger than ${MAX_FILE_BYTES} bytes`);
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (error instanceof CertificateFault) throw error;
    throw new CertificateFault(file, `cannot be read (${(error as NodeJS.ErrnoException).code})`, {
      cause: error,
    });
  }
}

function readKey(file: string, pem: string): KeyObject {
  if (!pem.includes('PRIVATE KEY-----')) {
    const hint = pem.includes('BEGIN CERTIFICATE-----')
      ? ' (it holds a certificate: are the two files swapped?)'
      : '';
    throw new CertificateFault(file, `there is no PEM private key in it${hint}`);
  }
  if (/ENCRYPTED/.test(pem))
    throw new CertificateFault(
      file,
      'the key is encrypted; only keys without a passphrase are read',
    );
  try {
    return createPrivateKey(pem);
  } catch {
    // Without the cause: nothing about a key's inside belongs in a log.
    throw new CertificateFault(file, 'the private key in it is damaged');
  }
}

function checkStrength(file: string, key: KeyObject): void {
  const bits = key.asymmetricKeyDetails?.modulusLength;
  if (bits !== undefined && bits < MIN_RSA_BITS)
    throw new CertificateFault(file, `an RSA key needs ${MIN_RSA_BITS} bits; this has ${bits}`);
}

function checkValidity(file: string, certificate: X509Certificate, nowMs: number): void {
  const { validFromDate, validToDate } = certificate;
  if (validToDate.getTime() <= nowMs)
    throw new CertificateFault(file, `the certificate expired on ${validToDate.toISOString()}`);
  if (validFromDate.getTime() > nowMs)
    throw new CertificateFault(
      file,
      `the certificate is valid only from ${validFromDate.toISOString()} on`,
    );
}

/** The signature is checked as well as the names: two CAs may share a name. */
function checkChain(file: string, chain: readonly X509Certificate[]): void {
  if (chain.length > MAX_CHAIN)
    throw new CertificateFault(file, `more than ${MAX_CHAIN} certificates in the chain`);
  for (const [index, issuer] of chain.entries()) {
    const issued = chain[index - 1];
    if (issued === undefined) continue;
    if (!issued.checkIssued(issuer) || !issued.verify(issuer.publicKey)) {
      throw new CertificateFault(
        file,
        `certificate ${index + 1} did not issue certificate ${index}: the chain must follow its certificate in order`,
      );
    }
  }
}

const ALTERNATIVE_NAME = /(?:DNS|IP Address):("(?:[^"\\]|\\.)*"|[^,]*)/g;

function namesOf(certificate: X509Certificate): readonly string[] {
  return [...(certificate.subjectAltName ?? '').matchAll(ALTERNATIVE_NAME)].map((match) =>
    match[1]!.trim().toLowerCase(),
  );
}

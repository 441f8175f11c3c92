import type { webcrypto } from 'node:crypto';
import type { Extension, JsonGeneralName } from '@peculiar/x509';
import { CertificateFault } from './certificate.ts';

/** A host that a certificate speaks for. */
export type HostName = { readonly dns: string } | { readonly ip: string };

export interface CertificateOrder {
  /** Common name. */
  readonly subject: string;
  /** EC P-256. */
  readonly publicKey: webcrypto.CryptoKey;
  readonly issuer: {
    readonly subject: string;
    readonly publicKey: webcrypto.CryptoKey;
    readonly privateKey: webcrypto.CryptoKey;
  };
  readonly notBefore: Date;
  readonly notAfter: Date;
  /**
   * A CA may issue certificates for these hosts and for nothing else (RFC 5280 §4.2.1.10); any
   * other may be reached by them.
   */
  readonly hosts: readonly HostName[];
  readonly ca: boolean;
  /** What the certificate is good for; a CA, what it may issue for. */
  readonly purpose: 'server' | 'client';
}

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const NAME_CONSTRAINTS = '2.5.29.30';

/**
 * What writing certificates takes, loaded when one is issued and never before: a gate with
 * certificates of its own has no use for it, so these packages are optional. Its decorators need
 * `reflect-metadata` first. Throws `CertificateFault` where they are not installed.
 */
async function library() {
  try {
    return await loaded();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    const why =
      'not installed, and without it no certificate can be issued (run: npm install --include=optional)';
    throw new CertificateFault('the optional package @peculiar/x509', why, { cause: error });
  }
}

async function loaded() {
  await import('reflect-metadata');
  const [x509, asn1X509, { AsnConvert }] = await Promise.all([
    import('@peculiar/x509'),
    import('@peculiar/asn1-x509'),
    import('@peculiar/asn1-schema'),
  ]);
  return { x509, asn1X509, AsnConvert };
}

type Library = Awaited<ReturnType<typeof library>>;

export interface KeyPair {
  readonly publicKey: webcrypto.CryptoKey;
  readonly privateKey: webcrypto.CryptoKey;
}

/** EC P-256. `extractable` false: the private key can sign, and nobody can ever write it down. */
export function newKeyPair(extractable: boolean): Promise<KeyPair> {
  return crypto.subtle.generateKey(ALGORITHM, extractable, ['sign', 'verify']) as Promise<KeyPair>;
}

/** Writes and signs a certificate (RFC 5280, ECDSA with SHA-256). Answers PEM. */
export async function issueCertificate(order: CertificateOrder): Promise<string> {
  const lib = await library();
  const certificate = await lib.x509.X509CertificateGenerator.create({
    subject: [{ CN: [order.subject] }],
    issuer: [{ CN: [order.issuer.subject] }],
    notBefore: order.notBefore,
    notAfter: order.notAfter,
    publicKey: order.publicKey,
    signingKey: order.issuer.privateKey,
    signingAlgorithm: ALGORITHM,
    extensions: await extensionsOf(order, lib),
  });
  return `${certificate.toString('pem')}\n`;
}

async function extensionsOf(order: CertificateOrder, lib: Library): Promise<Extension[]> {
  const { x509 } = lib;
  const usage =
    order.purpose === 'server'
      ? x509.ExtendedKeyUsage.serverAuth
      : x509.ExtendedKeyUsage.clientAuth;
  const extensions: Extension[] = [
    // a CA: of no further CA
    new x509.BasicConstraintsExtension(order.ca, order.ca ? 0 : undefined, true),
    new x509.KeyUsagesExtension(
      order.ca ? x509.KeyUsageFlags.keyCertSign : x509.KeyUsageFlags.digitalSignature,
      true,
    ),
    // On the CA too, so that what it issues is good for nothing else.
    new x509.ExtendedKeyUsageExtension([usage]),
    await x509.SubjectKeyIdentifierExtension.create(order.publicKey),
  ];
  if (order.ca) return [...extensions, nameConstraints(order.hosts, lib)];
  const names = order.hosts.map((host): JsonGeneralName => {
    return 'dns' in host ? { type: 'dns', value: host.dns } : { type: 'ip', value: host.ip };
  });
  return [
    ...extensions,
    new x509.SubjectAlternativeNameExtension(names),
    await x509.AuthorityKeyIdentifierExtension.create(order.issuer.publicKey),
  ];
}

/** As a constraint, an address carries its mask: all ones, this one address. */
function nameConstraints(
  hosts: readonly HostName[],
  { x509, asn1X509, AsnConvert }: Library,
): Extension {
  const subtrees = hosts.map((host) => {
    const name =
      'dns' in host
        ? { dNSName: host.dns }
        : { iPAddress: `${host.ip}/${host.ip.includes(':') ? 128 : 32}` };
    return new asn1X509.GeneralSubtree({ base: new asn1X509.GeneralName(name) });
  });
  const constraints = new asn1X509.NameConstraints({
    permittedSubtrees: new asn1X509.GeneralSubtrees(subtrees),
  });
  return new x509.Extension(NAME_CONSTRAINTS, true, AsnConvert.serialize(constraints));
}

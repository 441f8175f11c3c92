import { createHash, type KeyObject, randomBytes, sign } from 'node:crypto';
import { bitString, encode, octetString, oid, sequence, TAG, TRUE, tagged, time, unsigned, utf8String } from './der.ts';

/** A host that a certificate speaks for. IP addresses as bytes: 4 or 16. */
export type HostName = { readonly dns: string } | { readonly ip: Uint8Array };

export interface CertificateOrder {
  /** Common name. */
  readonly subject: string;
  /** EC P-256. */
  readonly publicKey: KeyObject;
  readonly issuer: { readonly subject: string; readonly publicKey: KeyObject; readonly privateKey: KeyObject };
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** A CA may issue server certificates for these hosts and for nothing else (RFC 5280 §4.2.1.10); a server may be reached by them. */
  readonly hosts: readonly HostName[];
  readonly ca: boolean;
}

const ECDSA_WITH_SHA256 = sequence(oid('1.2.840.10045.4.3.2'));
const DIGITAL_SIGNATURE = bitString(Buffer.from([0x80]), 7);
const KEY_CERT_SIGN = bitString(Buffer.from([0x04]), 2);

/** Writes and signs a certificate (RFC 5280, ECDSA with SHA-256). Answers PEM. */
export function issueCertificate(order: CertificateOrder): string {
  const body = sequence(
    tagged(0, encode(TAG.integer, Buffer.from([2]))), // version 3
    unsigned(Buffer.concat([Buffer.from([0x01]), randomBytes(15)])),
    ECDSA_WITH_SHA256,
    commonName(order.issuer.subject),
    sequence(time(order.notBefore), time(order.notAfter)),
    commonName(order.subject),
    order.publicKey.export({ type: 'spki', format: 'der' }),
    tagged(3, sequence(...(order.ca ? caExtensions(order) : serverExtensions(order)))),
  );
  const signature = sign('sha256', body, order.issuer.privateKey);
  return toPem(sequence(body, ECDSA_WITH_SHA256, bitString(signature)));
}

function caExtensions(order: CertificateOrder): readonly Buffer[] {
  const noFurtherCa = encode(TAG.integer, Buffer.from([0]));
  const subtrees = order.hosts.map((host) => sequence(generalName(host, true)));
  return [
    extension('2.5.29.19', sequence(TRUE, noFurtherCa), true), // basicConstraints
    extension('2.5.29.15', KEY_CERT_SIGN, true), // keyUsage
    extension('2.5.29.30', sequence(tagged(0, Buffer.concat(subtrees))), true), // nameConstraints, permittedSubtrees
    serverAuthOnly(),
    extension('2.5.29.14', octetString(keyIdentifier(order.publicKey))), // subjectKeyIdentifier
  ];
}

function serverExtensions(order: CertificateOrder): readonly Buffer[] {
  return [
    extension('2.5.29.19', sequence(), true),
    extension('2.5.29.15', DIGITAL_SIGNATURE, true),
    serverAuthOnly(),
    extension('2.5.29.17', sequence(...order.hosts.map((host) => generalName(host, false)))), // subjectAltName
    extension('2.5.29.14', octetString(keyIdentifier(order.publicKey))),
    extension('2.5.29.35', sequence(tagged(0, keyIdentifier(order.issuer.publicKey), true))), // authorityKeyIdentifier
  ];
}

/** extendedKeyUsage serverAuth: on the CA too, so that what it issues is good for nothing else. */
function serverAuthOnly(): Buffer {
  return extension('2.5.29.37', sequence(oid('1.3.6.1.5.5.7.3.1')));
}

function extension(id: string, value: Buffer, critical = false): Buffer {
  return sequence(oid(id), ...(critical ? [TRUE] : []), octetString(value));
}

function commonName(text: string): Buffer {
  return sequence(encode(TAG.set, sequence(oid('2.5.4.3'), utf8String(text))));
}

/** As a constraint, an address carries its mask: all ones, this one address. */
function generalName(host: HostName, isConstraint: boolean): Buffer {
  if ('dns' in host) return tagged(2, Buffer.from(host.dns, 'ascii'), true);
  const mask = Buffer.alloc(isConstraint ? host.ip.length : 0, 0xff);
  return tagged(7, Buffer.concat([host.ip, mask]), true);
}

/** RFC 7093 §2, method 1: the first 160 bits of the SHA-256 of the public key (the 65 bytes of a P-256 point). */
function keyIdentifier(key: KeyObject): Buffer {
  const point = key.export({ type: 'spki', format: 'der' }).subarray(-65);
  return createHash('sha256').update(point).digest().subarray(0, 20);
}

function toPem(der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}

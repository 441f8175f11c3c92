import { hash, type X509Certificate } from 'node:crypto';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { nameOfLines } from '../account/distinguished-name.ts';
import type { ClientCertificate } from '../http/request-head.ts';

/** SHA-256 of the certificate in base64url without padding (RFC 8705 §3.1, `x5t#S256`). */
export function thumbprintOf({ raw }: Pick<X509Certificate, 'raw'>): string {
  return hash('sha256', raw, 'base64url');
}

/**
 * The certificate that a client has shown in its handshake, whose key it has; a resumed session
 * bears that of its first handshake. Null: it has shown none.
 */
export function shownCertificate(socket: Socket): ClientCertificate | null {
  if (!(socket instanceof TLSSocket)) return null;
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return null;
  return {
    thumbprint: thumbprintOf(certificate),
    // Of a resumed session without a certificate Node says the same: that there is one comes first.
    subject: socket.authorized ? nameOfLines(certificate.subject) : null,
    validUntilMs: Date.parse(certificate.validTo) || 0,
  };
}

import type { ConnectionOptions } from 'node:tls';
import { loadCertificate, readCertificates } from './certificate.ts';

/** How we speak TLS to an upstream or to the store, as the configuration says it. */
export interface ClientTls {
  readonly caFile: string | null;
  readonly serverName: string | null;
  readonly certificateFile: string | null;
  readonly keyFile: string | null;
  readonly verify: boolean;
}

/**
 * Options for `tls.connect`, files read and checked. The server's certificate is verified against the system's CAs, or against `caFile` alone
 * where that is given. Throws `CertificateFault`. Add `host` and `port`; `servername` is there only where the configuration names it.
 */
export function clientTlsOptions(tls: ClientTls | null, nowMs: number): ConnectionOptions {
  const options: ConnectionOptions = { minVersion: 'TLSv1.2', rejectUnauthorized: tls?.verify ?? true };
  if (tls === null) return options;
  if (tls.caFile !== null) options.ca = readCertificates(tls.caFile).map((certificate) => certificate.toString());
  if (tls.serverName !== null) options.servername = tls.serverName;
  if (tls.certificateFile !== null && tls.keyFile !== null) {
    const { chainPem, keyPem } = loadCertificate({ certificateFile: tls.certificateFile, keyFile: tls.keyFile }, nowMs);
    options.cert = chainPem;
    options.key = keyPem;
  }
  return options;
}

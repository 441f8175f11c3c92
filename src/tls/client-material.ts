import { createSecureContext, type SecureContext } from 'node:tls';
import { loadCertificate, readCertificates } from './certificate.ts';

/** How we speak TLS to an upstream or to the store, as the configuration says it. */
export interface ClientTls {
  readonly caFile: string | null;
  readonly serverName: string | null;
  readonly certificateFile: string | null;
  readonly keyFile: string | null;
  readonly verify: boolean;
}

/** The same with the files read and checked; PEM texts. */
export interface ClientMaterial {
  /** Null: the system's CAs. */
  readonly ca: string | null;
  readonly serverName: string | null;
  readonly certificate: string | null;
  readonly key: string | null;
  readonly verify: boolean;
}

/** Nothing configured: the system's CAs, the name of the address, no certificate of ours. */
const PLAIN: ClientMaterial = {
  ca: null,
  serverName: null,
  certificate: null,
  key: null,
  verify: true,
};

/**
 * Throws `CertificateFault`. `tls` null: everything by default, and that means verified. `nowMs`:
 * the wall clock.
 */
export function loadClientMaterial(tls: ClientTls | null, nowMs: number): ClientMaterial {
  if (tls === null) return PLAIN;
  const { caFile, serverName, certificateFile, keyFile, verify } = tls;
  const ca = caFile === null ? null : readCertificates(caFile).join('');
  if (certificateFile === null || keyFile === null) return { ...PLAIN, ca, serverName, verify };
  const { chainPem, keyPem } = loadCertificate({ certificateFile, keyFile }, nowMs);
  return { ca, serverName, certificate: chainPem, key: keyPem, verify };
}

/** One context for all connections to an upstream: CAs and keys are parsed once, not for each. */
export function clientContext({ ca, certificate, key }: ClientMaterial): SecureContext {
  return createSecureContext({
    minVersion: 'TLSv1.2',
    ...(ca === null ? {} : { ca }),
    ...(certificate === null || key === null ? {} : { cert: certificate, key }),
  });
}

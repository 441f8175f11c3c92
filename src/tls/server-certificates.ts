import { createSecureContext, type SecureContext, type SecureContextOptions, type TlsOptions } from 'node:tls';
import { type Certificate, type CertificateFiles, loadCertificate } from './certificate.ts';

/** AEAD with forward secrecy only, AES-128 first: the fastest where the processor helps, and strong enough. */
const CIPHERS = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
].join(':');

/**
 * SSL_OP_NO_RENEGOTIATION (OpenSSL's number; Node has no name for it). A client of TLS 1.2 could otherwise make the server do handshake
 * after handshake on one connection.
 */
const NO_RENEGOTIATION = 0x4000_0000;

const HANDSHAKE_TIMEOUT_MS = 10_000;
const SESSION_LIFETIME_SECONDS = 300;

/** What both sides of the house's TLS have in common (RFC 9325): TLS 1.2 or newer, our order of ciphers. */
export function secureContextOptions(certificate: Pick<Certificate, 'chainPem' | 'keyPem'>): SecureContextOptions {
  return {
    cert: certificate.chainPem,
    key: certificate.keyPem,
    minVersion: 'TLSv1.2',
    ciphers: CIPHERS,
    honorCipherOrder: true,
    secureOptions: NO_RENEGOTIATION,
    sessionTimeout: SESSION_LIFETIME_SECONDS,
  };
}

/** The part of `tls.Server` that a reload needs. */
export interface ReloadableServer {
  setSecureContext(options: SecureContextOptions): void;
}

/** What metrics and logs may know of a certificate. */
export interface CertificateInfo {
  readonly certificateFile: string;
  readonly names: readonly string[];
  /** Milliseconds since the Unix epoch. */
  readonly expiresAtMs: number;
}

/** Days until a certificate expires, rounded down; negative once it has. */
export function daysToExpiry({ expiresAtMs }: { readonly expiresAtMs: number }, nowMs: number): number {
  return Math.floor((expiresAtMs - nowMs) / 86_400_000);
}

/**
 * The certificates of one listener. The name that the client asks for (SNI) chooses among several; the first is the default. A reload checks
 * everything before it replaces anything.
 */
export class ServerCertificates {
  readonly #now: () => number;
  readonly #servers = new Set<ReloadableServer>();
  #files: readonly CertificateFiles[];
  #held: Held;

  /** Throws `CertificateFault`. `now` is the wall clock, in milliseconds. */
  constructor(files: readonly CertificateFiles[], now: () => number = Date.now) {
    this.#now = now;
    this.#files = files;
    this.#held = hold(files, now());
  }

  get certificates(): readonly CertificateInfo[] {
    return this.#held.certificates.map(({ files, names, expiresAtMs }) => ({
      certificateFile: files.certificateFile,
      names,
      expiresAtMs,
    }));
  }

  /** For `tls.createServer`; then `attach` the server, so that it follows reloads. HTTP/1.1 is the only protocol offered (RFC 7301). */
  serverOptions(): TlsOptions {
    return {
      ...secureContextOptions(this.#held.certificates[0]!),
      ALPNProtocols: ['http/1.1'],
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
      SNICallback: (name, done) => this.#choose(name, done),
    };
  }

  /** The server's default certificate is replaced at each reload. Answers the way back. */
  attach(server: ReloadableServer): () => void {
    this.#servers.add(server);
    return () => this.#servers.delete(server);
  }

  /**
   * Reads the files again, or other ones. Throws `CertificateFault` and keeps what it had when one of them is unfit. Connections that stand
   * keep their certificate.
   */
  reload(files: readonly CertificateFiles[] = this.#files): void {
    const next = hold(files, this.#now());
    this.#files = files;
    this.#held = next;
    for (const server of this.#servers) server.setSecureContext(secureContextOptions(next.certificates[0]!));
  }

  /** Called by the TLS library with a name that a stranger chose: whatever happens here, it must not throw into the process. */
  #choose(name: string, done: (error: Error | null, context?: SecureContext) => void): void {
    let context: SecureContext | undefined;
    let fault: Error | null = null;
    try {
      context = this.#held.choose(name);
    } catch (error) {
      fault = error instanceof Error ? error : new Error('no certificate could be chosen');
    }
    // Outside of the guard: what the library's own continuation throws is not ours to answer a second time.
    done(fault, context);
  }
}

interface Held {
  readonly certificates: readonly Certificate[];
  /** Undefined: the server's default. */
  choose(name: string): SecureContext | undefined;
}

function hold(files: readonly CertificateFiles[], nowMs: number): Held {
  if (files.length === 0) throw new Error('a listener with TLS needs at least one certificate');
  const certificates = files.map((each) => loadCertificate(each, nowMs));
  const contexts = new Map<string, SecureContext>();
  for (const certificate of certificates) {
    const context = createSecureContext(secureContextOptions(certificate));
    for (const name of certificate.names) if (!contexts.has(name)) contexts.set(name, context);
  }
  return { certificates, choose: (name) => find(contexts, name) };
}

/** The exact name before the wildcard, which stands for exactly one label (RFC 9525 §6.3). */
function find(contexts: ReadonlyMap<string, SecureContext>, name: string): SecureContext | undefined {
  const lower = name.toLowerCase();
  const exact = contexts.get(lower);
  if (exact !== undefined) return exact;
  const dot = lower.indexOf('.');
  return dot > 0 ? contexts.get(`*${lower.slice(dot)}`) : undefined;
}

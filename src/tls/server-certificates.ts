import { hash } from 'node:crypto';
import {
  createSecureContext,
  type SecureContext,
  type SecureContextOptions,
  type TlsOptions,
} from 'node:tls';
import {
  type Certificate,
  type CertificateFiles,
  loadCertificate,
  readCertificates,
} from './certificate.ts';

/**
 * AEAD with forward secrecy only, AES-128 first: the fastest where the processor helps, and strong
 * enough.
 */
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
 * The key exchanges: the hybrid with ML-KEM first, which also holds against whoever records now and
 * has a quantum computer later, where OpenSSL knows it (3.5, since Node 24.5). No larger ones: with
 * P-521, X448 or finite fields a stranger's few bytes would cost us milliseconds.
 */
const GROUPS = knownGroups(['X25519MLKEM768', 'X25519', 'P-256', 'P-384']);

function knownGroups(groups: readonly string[]): string {
  const known = groups.filter((group) => {
    try {
      return createSecureContext({ ecdhCurve: group }) !== null;
    } catch {
      return false;
    }
  });
  return known.join(':');
}

/**
 * SSL_OP_NO_RENEGOTIATION (OpenSSL's number; Node has no name for it). A client of TLS 1.2 could
 * otherwise make the server do handshake after handshake on one connection.
 */
const NO_RENEGOTIATION = 0x4000_0000;

const HANDSHAKE_TIMEOUT_MS = 10_000;
const SESSION_LIFETIME_SECONDS = 300;
const SESSION_CONTEXT_BYTES = 32;

/**
 * What all servers of the house have in common (RFC 9325): TLS 1.2 or newer, our order of ciphers.
 */
function secureContextOptions(
  certificate: Pick<Certificate, 'chainPem' | 'keyPem'>,
  clients: HeldClients,
): SecureContextOptions {
  return {
    cert: certificate.chainPem,
    key: certificate.keyPem,
    minVersion: 'TLSv1.2',
    ciphers: CIPHERS,
    ecdhCurve: GROUPS,
    honorCipherOrder: true,
    secureOptions: NO_RENEGOTIATION,
    sessionTimeout: SESSION_LIFETIME_SECONDS,
    // A session counts only where the same was asked of the client: with other CAs for clients,
    // tickets of before are worth nothing.
    sessionIdContext: hash('sha256', sessionContext(clients), 'hex').slice(
      0,
      SESSION_CONTEXT_BYTES,
    ),
    // Without a CA of ours nobody vouches for clients, the system's CAs least of all.
    ...(clients.ask === 'none' ? {} : { ca: clients.ca ?? [] }),
  };
}

/** Whether clients are asked for a certificate, and must have one that our CA vouches for. */
export type ClientCertificates = 'none' | 'optional' | 'required';

/** What is asked of clients. */
export interface ClientDemand {
  readonly clientCaFile: string | null;
  /** Null: `required` where a CA is named, else `none`. */
  readonly clientCertificates?: ClientCertificates | null;
}

interface HeldClients {
  readonly ca: string | null;
  readonly ask: ClientCertificates;
}

function holdClients({ clientCaFile, clientCertificates = null }: ClientDemand): HeldClients {
  const ca = clientCaFile === null ? null : readCertificates(clientCaFile).join('');
  return { ca, ask: clientCertificates ?? (ca === null ? 'none' : 'required') };
}

function sessionContext({ ca, ask }: HeldClients): string {
  return ask === 'optional' ? `optional ${ca ?? ''}` : (ca ?? '');
}

/** The part of `tls.Server` that a reload needs. */
export interface ReloadableServer {
  setSecureContext(options: SecureContextOptions): void;
  /** Not in Node's types: what its server reads for each connection that it accepts. */
  requestCert?: boolean;
  rejectUnauthorized?: boolean;
}

/** What metrics and logs may know of a certificate. */
export interface CertificateInfo {
  readonly certificateFile: string;
  readonly names: readonly string[];
  /** Milliseconds since the Unix epoch. */
  readonly expiresAtMs: number;
}

/** Whether a host is out of place on a connection: `host` in lower case, without port. */
export type HostCheck = (host: string) => boolean;

/** What one generation of certificates asks of a server. */
export interface TlsSnapshot {
  readonly options: TlsOptions;
  /** `name`: what the client asked for (SNI). Null: no host is out of place. */
  hostCheck(name: string | false | null): HostCheck | null;
}

/**
 * The certificates of one listener. The name that the client asks for (SNI) chooses among several;
 * the first is the default. A reload checks everything before it replaces anything.
 */
export class ServerCertificates {
  readonly #now: () => number;
  readonly #changed = new Set<() => void>();
  #files: readonly CertificateFiles[];
  #clients: ClientDemand;
  #held: Held;

  /**
   * Throws `CertificateFault`. `now` is the wall clock, in milliseconds. `clients`: by default they
   * are asked for no certificate.
   */
  constructor(
    files: readonly CertificateFiles[],
    now: () => number = Date.now,
    clients: ClientDemand = ASKS_NOTHING,
  ) {
    this.#now = now;
    this.#files = files;
    this.#clients = clients;
    this.#held = hold(files, holdClients(clients), now());
  }

  get certificates(): readonly CertificateInfo[] {
    return this.#held.certificates.map(({ files, names, expiresAtMs }) => ({
      certificateFile: files.certificateFile,
      names,
      expiresAtMs,
    }));
  }

  /**
   * For a server that lives through reloads; then `attach` it, so that it follows them. HTTP/1
   * is the only protocol offered (RFC 7301).
   */
  serverOptions(): TlsOptions {
    return { ...this.#held.options(), SNICallback: (name, done) => answer(this.#held, name, done) };
  }

  /**
   * For servers that are made anew at each change. With one certificate there is nothing to choose,
   * and no handshake waits for our answer.
   */
  snapshot(): TlsSnapshot {
    const held = this.#held;
    const several = held.certificates.length > 1;
    return {
      options: several
        ? { ...held.options(), SNICallback: (name, done) => answer(held, name, done) }
        : held.options(),
      hostCheck: (name) =>
        several && typeof name === 'string' && name !== '' ? held.hostCheck(name) : null,
    };
  }

  /**
   * The server's default certificate, and what it asks of its clients, are replaced at each reload.
   * Answers the way back.
   */
  attach(server: ReloadableServer): () => void {
    return this.onChange(() => {
      const options = this.#held.options();
      server.setSecureContext(options);
      // A context knows the CAs of clients, but not that a certificate is asked for.
      server.requestCert = options.requestCert === true;
      server.rejectUnauthorized = options.rejectUnauthorized === true;
    });
  }

  /** Called after each reload that changed something. Answers the way back. */
  onChange(changed: () => void): () => void {
    this.#changed.add(changed);
    return () => this.#changed.delete(changed);
  }

  /**
   * Reads the files again, or other ones. Throws `CertificateFault` and keeps what it had when one
   * of them is unfit. Connections that stand keep their certificate.
   */
  reload(
    files: readonly CertificateFiles[] = this.#files,
    clients: ClientDemand = this.#clients,
  ): void {
    this.prepare(files, clients)();
  }

  /** The first half of a reload: what it answers is the second, and does not fail. */
  prepare(files: readonly CertificateFiles[], clients: ClientDemand): () => void {
    const next = hold(files, holdClients(clients), this.#now());
    return () => {
      this.#files = files;
      this.#clients = clients;
      this.#held = next;
      for (const changed of this.#changed) changed();
    };
  }
}

const ASKS_NOTHING: ClientDemand = { clientCaFile: null };

interface Chosen {
  readonly certificate: Certificate;
  readonly context: SecureContext;
}

interface Held {
  readonly certificates: readonly Certificate[];
  /** Of the default certificate. */
  options(): TlsOptions;
  /** Undefined: the server's default. */
  choose(name: string): SecureContext | undefined;
  hostCheck(name: string): HostCheck;
}

function hold(files: readonly CertificateFiles[], clients: HeldClients, nowMs: number): Held {
  if (files.length === 0) throw new Error('a listener with TLS needs at least one certificate');
  const certificates = files.map((each) => loadCertificate(each, nowMs));
  const byName = new Map<string, Chosen>();
  for (const certificate of certificates) {
    const context = createSecureContext(secureContextOptions(certificate, clients));
    for (const name of certificate.names)
      if (!byName.has(name)) byName.set(name, { certificate, context });
  }
  const standard = certificates[0]!;
  return {
    certificates,
    options: () => ({
      ...secureContextOptions(standard, clients),
      // `http/1.0` for the health checks of balancers that ask for nothing else.
      ALPNProtocols: ['http/1.1', 'http/1.0'],
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
      ...(clients.ask === 'none'
        ? {}
        : { requestCert: true, rejectUnauthorized: clients.ask === 'required' }),
    }),
    choose: (name) => find(byName, name.toLowerCase())?.context,
    hostCheck: (name) => {
      const shown = find(byName, name.toLowerCase())?.certificate ?? standard;
      // RFC 9110 §15.5.20. A host that no certificate of ours speaks for is the routes' business: a
      // second certificate changes nothing for it.
      return (host) => {
        const meant = find(byName, host);
        return meant !== undefined && meant.certificate !== shown && !covers(shown, host);
      };
    },
  };
}

function covers({ names }: Certificate, host: string): boolean {
  return names.includes(host) || names.includes(wildcardFor(host));
}

/** The exact name before the wildcard. */
function find(byName: ReadonlyMap<string, Chosen>, name: string): Chosen | undefined {
  return byName.get(name) ?? byName.get(wildcardFor(name));
}

/** A wildcard stands for exactly one label (RFC 9525 §6.3). Empty: there is none for this name. */
function wildcardFor(name: string): string {
  const dot = name.indexOf('.');
  return dot > 0 ? `*${name.slice(dot)}` : '';
}

/**
 * Called by the TLS library with a name that a stranger chose: whatever happens here, it must not
 * throw into the process.
 */
function answer(
  held: Held,
  name: string,
  done: (error: Error | null, context?: SecureContext) => void,
): void {
  let context: SecureContext | undefined;
  let fault: Error | null = null;
  try {
    context = held.choose(name);
  } catch (error) {
    fault = error instanceof Error ? error : new Error('no certificate could be chosen');
  }
  // Outside of the guard: what the library's own continuation throws is not ours to answer a second
  // time.
  done(fault, context);
}

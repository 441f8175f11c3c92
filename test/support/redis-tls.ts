import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A private CA and what it has issued, as files. */
export interface RedisCertificates {
  readonly caFile: string;
  /**
   * For 127.0.0.1 and the name `redis.test`; good for servers and for what they are towards each
   * other.
   */
  readonly server: KeyedCertificate;
  readonly client: KeyedCertificate;
  /** Signed by another CA, for the same. */
  readonly stranger: KeyedCertificate & { readonly caFile: string };
}

export interface KeyedCertificate {
  readonly certificateFile: string;
  readonly keyFile: string;
}

const folders: string[] = [];

process.once('exit', () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** Needs openssl. Gone with the process. */
export function issueRedisCertificates(): RedisCertificates {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-redis-tls-'));
  folders.push(folder);
  const at = (name: string) => ({
    certificateFile: join(folder, `${name}.crt`),
    keyFile: join(folder, `${name}.key`),
  });
  const issue = (name: string, issuer: string | null, ...extensions: readonly string[]) => {
    const { certificateFile, keyFile } = at(name);
    const key = [
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-keyout',
      keyFile,
    ];
    const signer =
      issuer === null ? [] : ['-CA', at(issuer).certificateFile, '-CAkey', at(issuer).keyFile];
    const added = extensions.flatMap((extension) => ['-addext', extension]);
    const words = [
      'req',
      '-x509',
      '-subj',
      `/CN=${name}`,
      '-days',
      '2',
      ...key,
      ...signer,
      ...added,
      '-out',
      certificateFile,
    ];
    execFileSync('openssl', words, { stdio: ['ignore', 'ignore', 'pipe'] });
    return { certificateFile, keyFile };
  };
  const leaf = 'basicConstraints=critical,CA:FALSE';
  const ca = issue('ca', null);
  const otherCa = issue('other-ca', null);
  return {
    caFile: ca.certificateFile,
    server: issue('server', 'ca', leaf, 'subjectAltName=IP:127.0.0.1,DNS:redis.test'),
    client: issue('client', 'ca', leaf),
    stranger: {
      ...issue('stranger', 'other-ca', leaf, 'subjectAltName=IP:127.0.0.1,DNS:redis.test'),
      caFile: otherCa.certificateFile,
    },
  };
}

/**
 * Configuration words of a server that also speaks TLS on a port, and asks every client for a
 * certificate.
 */
export function tlsWords({ caFile, server }: RedisCertificates, port: number): readonly string[] {
  const files = [
    '--tls-cert-file',
    server.certificateFile,
    '--tls-key-file',
    server.keyFile,
    '--tls-ca-cert-file',
    caFile,
  ];
  return ['--tls-port', String(port), ...files];
}

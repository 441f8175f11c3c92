import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TlsOptions } from 'node:tls';
import { ensureLocalCertificate } from '../../../src/tls/local-ca.ts';

const folders: string[] = [];
process.once('exit', () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-certificates-'));
  folders.push(folder);
  return folder;
}

/**
 * An upstream's certificate for localhost and 127.0.0.1 by a CA of its own, and how a gate is told
 * to trust it.
 */
export interface UpstreamCertificate {
  readonly server: TlsOptions;
  readonly client: { readonly caFile: string };
}

export async function issueTls(): Promise<UpstreamCertificate> {
  const files = await ensureLocalCertificate(newFolder(), Date.now());
  const server = { key: readFileSync(files.keyFile), cert: readFileSync(files.certificateFile) };
  return { server, client: { caFile: files.caFile } };
}

/** A client certificate that signs for itself, as files. Needs openssl. */
export function issueClientCertificate(): {
  readonly certificateFile: string;
  readonly keyFile: string;
} {
  const folder = newFolder();
  const certificateFile = join(folder, 'client.crt');
  const keyFile = join(folder, 'client.key');
  const key = [
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-keyout',
    keyFile,
  ];
  const extensions = ['-addext', 'extendedKeyUsage=clientAuth'];
  execFileSync(
    'openssl',
    [
      'req',
      '-x509',
      '-subj',
      '/CN=gate',
      '-days',
      '2',
      ...key,
      ...extensions,
      '-out',
      certificateFile,
    ],
    {
      stdio: 'ignore',
    },
  );
  return { certificateFile, keyFile };
}

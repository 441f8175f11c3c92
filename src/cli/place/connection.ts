import { readFileSync } from 'node:fs';
import type { ApiClientOptions } from '../../admin/remote/api-client.ts';
import { readCertificates } from '../../tls/certificate.ts';
import type { Server } from './place.ts';
import { serverUrl } from './server-url.ts';

/** By what a server is asked. Throws `UsageError`, `CertificateFault`. */
export function connectionTo({ server, caFile, token }: Server): ApiClientOptions {
  const url = serverUrl(server);
  return { url, token: token.read(), ca: caFile === null ? null : caText(caFile) };
}

function caText(path: string): string {
  // What holds no certificate would only make every server look like a stranger.
  readCertificates(path);
  return readFileSync(path, 'utf8');
}

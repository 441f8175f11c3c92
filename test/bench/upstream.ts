import { mkdirSync, writeFileSync } from 'node:fs';
import { Agent, get } from 'node:http';
import { join } from 'node:path';
import { type Child, freePort, startChild } from './children.ts';
import { BODY_BYTES } from './mixed.ts';
import { nginxText, nginxWords } from './peers/nginx.ts';

/** The service behind every proxy: an nginx that answers from memory and counts its requests. */
export interface UpstreamServer {
  readonly port: number;
  /** Requests that it has begun to answer, ever. */
  requests(): Promise<number>;
  stop(): Promise<void>;
}

/**
 * Answers with what it was told about the caller: for proving, before anything is measured, that a
 * peer does its job.
 */
export const ECHO_PATH = '/lifetimeapi/rest/v2/applications/crm/echo';

const SMALL = JSON.stringify({ Key: 'crm', Versions: [], Note: '-'.repeat(128) }).slice(0, 127);
const SIZES = { '64k': 64 * 1024, '1m': 1024 * 1024 } as const;

export async function startUpstream(folder: string, cpus: string): Promise<UpstreamServer> {
  const port = await freePort();
  const files = join(folder, 'files', 'lifetimeapi/rest/v2/applications/crm');
  mkdirSync(files, { recursive: true });
  for (const [name, bytes] of Object.entries(SIZES))
    writeFileSync(join(files, name), 'x'.repeat(bytes));
  writeFileSync(join(folder, 'nginx.conf'), text(port, join(folder, 'files')));
  const ready = () =>
    countOf(port).then(
      () => true,
      () => false,
    );
  const child: Child = await startChild({
    cpus,
    command: 'nginx',
    words: nginxWords(folder),
    ready,
  });
  return { port, requests: () => countOf(port), stop: () => child.stop() };
}

function text(port: number, root: string): string {
  return nginxText({
    http: 'open_file_cache max=16 inactive=1h;\n  default_type application/json;',
    server: `
    listen 127.0.0.1:${port} backlog=4096;
    location = /count { stub_status; }
    location = ${ECHO_PATH} { return 200 '$http_x_account_id|$http_x_account_name|$http_authorization'; }
    location /services/ {
      add_header Cache-Control 'private, max-age=0'; add_header ETag '"5f0c31"'; add_header Vary Accept-Encoding;
      add_header X-Content-Type-Options nosniff;
      ${BODY_BYTES.map((bytes) => `location ~ /b${bytes}$ { return 200 '${'x'.repeat(bytes)}'; }`).join('\n      ')}
    }
    location / { return 200 '${SMALL.replaceAll("'", '')}\\n'; }
    location ~ /(64k|1m)$ { root ${root}; }`,
  });
}

const agent = new Agent({ keepAlive: true, maxSockets: 1 });

/** The third number of `stub_status`. */
function countOf(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = get({ host: '127.0.0.1', port, path: '/count', agent }, (response) => {
      let body = '';
      response.on('data', (chunk) => {
        body += String(chunk);
      });
      response.on('end', () => resolve(Number(/^ \d+ \d+ (\d+)/m.exec(body)?.[1] ?? Number.NaN)));
    });
    request.on('error', reject);
  });
}

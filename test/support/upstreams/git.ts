import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface GitServer {
  readonly url: string;
  readonly repository: string;
  stop(): Promise<void>;
}

/**
 * A bare repository behind `git http-backend`, git's own CGI program. The gate's `X-Account-Name`
 * is its `REMOTE_USER`: it lets nobody push who is not named.
 */
export async function startGitServer(): Promise<GitServer> {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-git-'));
  const repository = join(folder, 'sample.git');
  spawnSync('git', ['init', '--quiet', '--bare', '--initial-branch=main', repository]);
  const children = new Set<ChildProcess>();
  const server = createServer((request, response) => {
    const child = spawn('git', ['http-backend'], { env: environmentOf(request, folder) });
    children.add(child);
    child.once('close', () => children.delete(child));
    request.pipe(child.stdin);
    answer(child, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    repository,
    stop: async () => {
      for (const child of children) child.kill();
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** RFC 3875 §4.1, as far as `git http-backend` reads it. */
function environmentOf({ url, method, headers }: IncomingMessage, folder: string) {
  const target = new URL(url ?? '/', 'http://git.example');
  return {
    PATH: process.env.PATH,
    GIT_PROJECT_ROOT: folder,
    GIT_HTTP_EXPORT_ALL: '1',
    REQUEST_METHOD: method,
    PATH_INFO: target.pathname,
    QUERY_STRING: target.search.slice(1),
    CONTENT_TYPE: headers['content-type'],
    CONTENT_LENGTH: headers['content-length'],
    HTTP_CONTENT_ENCODING: headers['content-encoding'],
    GIT_PROTOCOL: headers['git-protocol'] as string | undefined,
    REMOTE_USER: headers['x-account-name'] as string | undefined,
  };
}

/** The head of a CGI answer ends like one of HTTP; `Status` is optional (RFC 3875 §6.3). */
function answer({ stdout }: ChildProcess, response: ServerResponse): void {
  const pieces: Buffer[] = [];
  stdout?.on('data', (piece: Buffer) => pieces.push(piece));
  stdout?.once('end', () => {
    const bytes = Buffer.concat(pieces);
    const end = bytes.indexOf('\r\n\r\n');
    for (const line of bytes.toString('latin1', 0, Math.max(end, 0)).split('\r\n')) {
      const [name = '', value = ''] = line.split(': ');
      if (name === 'Status') response.statusCode = Number.parseInt(value, 10);
      else if (name !== '') response.setHeader(name, value);
    }
    response.end(bytes.subarray(end + 4));
  });
}

import { connect } from 'node:net';
import { freePort, startChild } from '../children.ts';
import type { Stage } from '../stage.ts';
import type { RunningPeer } from './peer.ts';

/**
 * What all nginx peers, and the upstream, have in common: one worker, no log, limits that no load
 * reaches.
 */
export interface NginxParts {
  /** Outside `events` and `http`. */
  readonly main?: string;
  readonly http?: string;
  readonly server: string;
}

export function nginxText({ main = '', http = '', server }: NginxParts): string {
  // Workers of a master that is root would become another user, who may not read the folder of the
  // benchmark.
  const user = process.getuid?.() === 0 ? 'user root;' : '';
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${name};`)
    .join(' ');
  return `daemon off; worker_processes 1; worker_rlimit_nofile 20000; pid nginx.pid; error_log stderr error; ${user}
${main}
events { worker_connections 16384; }
http {
  access_log off; server_tokens off; sendfile on; tcp_nopush on; keepalive_requests 100000000; keepalive_timeout 1h;
  ${temporary}
  ${http}
  server {${server}
  }
}
`;
}

export function nginxWords(folder: string): readonly string[] {
  return ['-p', folder, '-c', 'nginx.conf', '-e', 'stderr'];
}

/** `listen` and, when secure, the certificate and the sessions. */
export function listenText(stage: Stage, port: number, secure: boolean): string {
  if (!secure) return `listen 127.0.0.1:${port} backlog=4096;`;
  const { certificateFile, keyFile } = stage.certificate;
  return `listen 127.0.0.1:${port} ssl backlog=4096;
    ssl_certificate ${certificateFile}; ssl_certificate_key ${keyFile};
    ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache shared:tls:10m; ssl_session_tickets on;`;
}

/** The pool of kept connections to the upstream. */
export function poolText(stage: Stage): string {
  return `upstream deployments { server 127.0.0.1:${stage.upstream.port}; keepalive 128; keepalive_requests 100000000; keepalive_timeout 1h; }`;
}

/**
 * Forwarding as every nginx peer does it. Buffers take a body of 64 KiB whole, and nothing is ever
 * written to a temporary file. `identity`: what is said about the caller.
 */
export function forwardText(identity: string): string {
  return `proxy_pass http://deployments; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $http_host;
      proxy_buffer_size 16k; proxy_buffers 8 16k; proxy_busy_buffers_size 64k; proxy_max_temp_file_size 0; client_max_body_size 0;
      proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Forwarded-Host $http_host;
      proxy_set_header X-Request-Id $request_id;
      ${identity}`;
}

/** Starts an nginx on the proxy's processor. `text` is given the port. */
export async function startNginx(
  stage: Stage,
  name: string,
  text: (port: number, folder: string) => string,
): Promise<RunningPeer> {
  const folder = stage.folder(name);
  const port = await freePort();
  stage.file(folder, 'nginx.conf', text(port, folder));
  const child = await startChild({
    cpus: stage.cpus.proxy,
    command: 'nginx',
    words: nginxWords(folder),
    ready: () => accepts(port),
  });
  return { port, pids: [child.pid], stop: () => child.stop() };
}

export function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    const finish = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => finish(true));
    socket.once('error', () => finish(false));
  });
}

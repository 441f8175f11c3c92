import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findProgram } from '../system.ts';
import type { WorldPair } from './certificates.ts';
import { NAMES, PLACES, PORTS } from './places.ts';
import { holds, listens, run } from './programs.ts';
import { nginxConfiguration } from './service.ts';

/** Between two checks of HAProxy; two alike in a row change its mind. */
const CHECK_MS = 300;
const STATS_PORT = 8404;

export interface Fronts {
  /** Whether HAProxy knows that all gates are ready. */
  up(): Promise<boolean>;
  stop(): Promise<void>;
}

/** HAProxy in both modes and nginx, each before both gates. */
export async function startFronts(
  folder: string,
  pair: WorldPair,
  caFile: string,
): Promise<Fronts> {
  const pem = join(folder, 'front.pem');
  writeFileSync(pem, pair.certificate + pair.key, { mode: 0o600 });
  const file = join(folder, 'haproxy.cfg');
  writeFileSync(file, haproxy(pem, caFile));
  const home = join(folder, 'nginx-front');
  mkdirSync(home);
  writeFileSync(join(home, 'nginx.conf'), nginxConfiguration(home, nginx(pem, caFile)));
  const running = [
    run(findProgram('haproxy')!, ['-db', '-f', file]),
    run(findProgram('nginx')!, ['-p', home, '-c', 'nginx.conf', '-e', 'stderr']),
  ];
  const { tcpFront, httpFront, nginxFront } = PLACES;
  const stop = async () => {
    await Promise.all(running.map((one) => one.end()));
  };
  const up = async () => {
    const response = await fetch(`http://${tcpFront}:${STATS_PORT}/;csv`);
    const rows = (await response.text()).split('\n').filter((row) => /^(tcp|http),gate-/.test(row));
    return rows.length === 2 * PLACES.gates.length && rows.every((row) => row.includes(',UP,'));
  };
  try {
    for (const host of [tcpFront, httpFront, nginxFront])
      await holds(`a front listens on ${host}`, () => listens(host, 443));
    await holds('HAProxy has found the gates', up);
  } catch (error) {
    await stop();
    throw new Error(`the fronts do not start: ${running.map((one) => one.said()).join('\n')}`, {
      cause: error,
    });
  }
  return { up, stop };
}

function haproxy(pem: string, caFile: string): string {
  const servers = (words: string) =>
    PLACES.gates
      .map((host, n) => `  server gate-${n} ${host}:${PORTS.gate} check port ${PORTS.ops} ${words}`)
      .join('\n');
  return `defaults
  timeout connect 10s
  timeout check 10s
  timeout client 60s
  timeout server 60s
  default-server inter ${CHECK_MS}ms fall 2 rise 2
listen tcp
  bind ${PLACES.tcpFront}:443
  mode tcp
  balance roundrobin
  option httpchk
  source ${PLACES.tcpFront}
${servers('send-proxy-v2')}
listen http
  bind ${PLACES.httpFront}:443 ssl crt ${pem} alpn http/1.1
  mode http
  balance roundrobin
  option httpchk GET /readyz
  option forwardfor
  http-request set-header X-Forwarded-Proto https
  source ${PLACES.httpFront}
${servers(`ssl verify required ca-file ${caFile} sni str(${NAMES.gate}) no-check-ssl`)}
listen stats
  bind ${PLACES.tcpFront}:${STATS_PORT}
  mode http
  stats enable
  stats uri /
`;
}

function nginx(pem: string, caFile: string): string {
  const servers = PLACES.gates.map((host) => `server ${host}:${PORTS.gate};`).join(' ');
  return `
  upstream gates { ${servers} keepalive 16; }
  server {
    listen ${PLACES.nginxFront}:443 ssl;
    ssl_certificate ${pem};
    ssl_certificate_key ${pem};
    location / {
      proxy_pass https://gates;
      proxy_http_version 1.1;
      proxy_bind ${PLACES.nginxFront};
      proxy_ssl_verify on;
      proxy_ssl_trusted_certificate ${caFile};
      proxy_ssl_name ${NAMES.gate};
      proxy_ssl_server_name on;
      proxy_set_header Host $host;
      proxy_set_header Connection "";
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_request_buffering off;
    }
  }`;
}

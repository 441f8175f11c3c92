import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { tokenDigest } from '../../../src/account/token.ts';
import { have } from '../../support/system.ts';
import { ROLE, TEAM } from '../callers.ts';
import { freePort, startChild } from '../children.ts';
import type { Stage } from '../stage.ts';
import { accepts } from './nginx.ts';
import type { Peer } from './peer.ts';

const NAMES = ['Id', 'Name', 'Role', 'Teams'] as const;

/**
 * HAProxy speaks no Redis: the digests stand in a map file, which something else would have to
 * write and reload.
 */
export const haproxy: Peer = {
  name: 'haproxy',
  about: 'HAProxy 2.6 (Debian 12), sha2() and a map file',
  does: { verify: 'map file, no Redis', inject: 'yes', record: null },
  missing: () => (have('haproxy') ? null : 'haproxy is not installed'),
  async start(stage, secure) {
    const folder = stage.folder(`haproxy-${secure}`);
    const port = await freePort();
    const map = stage.file(folder, 'tokens.map', mapText(stage));
    const { certificateFile, keyFile } = stage.certificate;
    const pem = stage.file(
      folder,
      'tls.pem',
      readFileSync(certificateFile, 'utf8') + readFileSync(keyFile, 'utf8'),
    );
    const bind = `bind 127.0.0.1:${port} backlog 4096${secure ? ` ssl crt ${pem} alpn http/1.1 ssl-min-ver TLSv1.2` : ''}`;
    const file = stage.file(folder, 'haproxy.cfg', configText(stage, bind, map));
    const child = await startChild({
      cpus: stage.cpus.proxy,
      command: 'haproxy',
      words: ['-db', '-f', file],
      ready: () => accepts(port),
    });
    return { port, pids: [child.pid], stop: () => child.stop() };
  },
};

/** Upper case, as HAProxy's `hex` writes it. As many entries as the registry has accounts. */
function mapText(stage: Stage): string {
  const known = stage.callers.map(
    ({ id, name, token }) => `${tokenDigest(token).toUpperCase()} ${id}|${name}|${ROLE}|${TEAM}`,
  );
  const others = Array.from({ length: Math.max(0, stage.accounts - known.length) }, () => {
    const digest = randomBytes(32).toString('hex').toUpperCase();
    return `${digest} other|other|${ROLE}|${TEAM}`;
  });
  return `${[...known, ...others].join('\n')}\n`;
}

function configText(stage: Stage, bind: string, map: string): string {
  const identity = NAMES.map(
    (name, index) =>
      `http-request set-header X-Account-${name} %[var(txn.account),field(${index + 1},|)]`,
  );
  return `global
  nbthread 1
  maxconn 9000
  tune.maxpollevents 512
defaults
  mode http
  timeout connect 2s
  timeout client 1h
  timeout server 300s
  http-reuse always
frontend gate
  ${bind}
  http-request set-var(txn.account) http_auth_bearer,sha2(256),hex,map(${map})
  http-request return status 401 content-type application/problem+json string '{"status":401,"reason":"token-unknown"}' hdr WWW-Authenticate 'Bearer realm="bench"' unless { var(txn.account) -m found }
  http-request del-header Authorization
  ${identity.join('\n  ')}
  http-request set-header X-Request-Id %[uuid]
  http-request set-header X-Forwarded-For %[src]
  http-request set-header X-Forwarded-Proto ${bind.includes(' ssl ') ? 'https' : 'http'}
  http-request set-header X-Forwarded-Host %[req.hdr(host)]
  default_backend deployments
backend deployments
  server one 127.0.0.1:${stage.upstream.port} pool-max-conn 128 pool-purge-delay 1h
`;
}

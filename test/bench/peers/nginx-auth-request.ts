import { have } from '../../support/system.ts';
import { forwardText, listenText, nginxText, poolText, startNginx } from './nginx.ts';
import type { Peer } from './peer.ts';
import { startService } from './service/start.ts';

const NAMES = ['id', 'name', 'role', 'teams'] as const;

/** nginx asks a small service, over kept connections, before it forwards. */
export const nginxAuthRequest: Peer = {
  name: 'nginx-auth-request',
  about: 'nginx (Debian 12) with auth_request to a service on node:http, both counted',
  does: {
    verify: 'Redis, cached for 5 s',
    inject: 'yes',
    record: 'Redis stream, decision only, at most 20 ms later',
  },
  missing: () => (have('nginx') ? null : 'nginx is not installed'),
  async start(stage, secure) {
    const service = await startService(stage, 'auth-service.ts');
    const nginx = await startNginx(stage, `nginx-auth-request-${secure}`, (port) =>
      nginxText({
        http: `${poolText(stage)}
  upstream auth { server 127.0.0.1:${service.port}; keepalive 128; keepalive_requests 100000000; keepalive_timeout 1h; }`,
        server: `
    ${listenText(stage, port, secure)}
    location / {
      auth_request /auth;
      ${NAMES.map((name) => `auth_request_set $account_${name} $upstream_http_x_account_${name};`).join(' ')}
      ${forwardText(`proxy_set_header Authorization ""; ${NAMES.map((name) => `proxy_set_header X-Account-${name} $account_${name};`).join(' ')}`)}
    }
    location = /auth {
      internal; proxy_pass http://auth; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_pass_request_body off; proxy_set_header Content-Length "";
      proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Method $request_method;
      proxy_set_header X-Forwarded-Uri $request_uri;
    }`,
      }),
    );
    return {
      port: nginx.port,
      pids: [...nginx.pids, service.child.pid],
      compiles: true,
      stop: async () => {
        await nginx.stop();
        await service.child.stop();
      },
    };
  },
};

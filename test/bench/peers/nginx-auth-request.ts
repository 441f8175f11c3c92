import type { Stage } from '../stage.ts';
import { forwardText, listenText, nginxText, poolText, startNginx } from './nginx.ts';
import { cachedParts, luaMissing, luaText } from './nginx-lua.ts';
import type { Peer, RunningPeer } from './peer.ts';

const NAMES = ['id', 'name', 'role', 'teams'] as const;

/** nginx asks a small and fast service, over kept connections, before it forwards. */
export const nginxAuthRequest: Peer = {
  name: 'nginx-auth-request',
  about: 'nginx (Debian 12) with auth_request to a service (nginx and Lua), both counted',
  does: {
    verify: 'Redis, cached for 5 s',
    inject: 'yes',
    record: 'Redis stream, decision only, at most 20 ms later',
  },
  missing: luaMissing,
  start: (stage, secure) => startAsking(stage, secure, false),
};

/** The same with answers kept in nginx: the service is asked once in 5 s for each token. */
export const nginxAuthRequestCached: Peer = {
  name: 'nginx-auth-request-cached',
  about: 'the same, the answers of the service kept by nginx (proxy_cache)',
  does: { verify: 'Redis, cached for 5 s', inject: 'yes', record: null },
  missing: luaMissing,
  start: (stage, secure) => startAsking(stage, secure, true),
};

/** The service that is asked: nginx and Lua. */
export function startService(stage: Stage, name: string): Promise<RunningPeer> {
  return startNginx(stage, `${name}-service`, (port) =>
    luaText(stage, port, false, cachedParts(stage, true), SERVICE),
  );
}

export interface Asking {
  readonly port: number;
  /** `/auth`. */
  readonly path: string;
  /** What the question says, and how the reply is kept. */
  readonly question: string;
  readonly http?: string;
}

/** The nginx that asks before it forwards. */
export function startFront(
  stage: Stage,
  name: string,
  secure: boolean,
  { port: asked, path, question, http = '' }: Asking,
): Promise<RunningPeer> {
  return startNginx(stage, name, (port) =>
    nginxText({
      http: `${poolText(stage)}
  upstream auth { server 127.0.0.1:${asked}; keepalive 128; keepalive_requests 100000000; keepalive_timeout 1h; }
  ${http}`,
      server: `
    ${listenText(stage, port, secure)}
    location / {
      auth_request /auth;
      ${NAMES.map((field) => `auth_request_set $account_${field} $upstream_http_x_account_${field};`).join(' ')}
      ${forwardText(`proxy_set_header Authorization ""; ${NAMES.map((field) => `proxy_set_header X-Account-${field} $account_${field};`).join(' ')}`)}
    }
    location = /auth {
      internal; proxy_pass http://auth${path}; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_pass_request_body off; proxy_set_header Content-Length "";
      ${question}
    }`,
    }),
  );
}

export const SERVICE_QUESTION = `proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Method $request_method;
      proxy_set_header X-Forwarded-Uri $request_uri;`;

async function startAsking(stage: Stage, secure: boolean, cached: boolean): Promise<RunningPeer> {
  const name = `nginx-auth-request${cached ? '-cached' : ''}-${secure}`;
  const service = await startService(stage, name);
  const kept = `proxy_cache answers; proxy_cache_key $http_authorization; proxy_cache_valid 204 5s; proxy_cache_methods GET HEAD POST;`;
  const nginx = await startFront(stage, name, secure, {
    port: service.port,
    path: '',
    question: `${SERVICE_QUESTION} ${cached ? kept : ''}`,
    http: cached ? 'proxy_cache_path answers keys_zone=answers:16m max_size=256m inactive=1m;' : '',
  });
  return {
    port: nginx.port,
    pids: [...nginx.pids, ...service.pids],
    stop: async () => {
      await nginx.stop();
      await service.stop();
    },
  };
}

/** What the service answers to those whom it knows. */
const SERVICE = `${NAMES.map((field) => `add_header X-Account-${field} $account_${field};`).join(' ')}
      content_by_lua_block { ngx.exit(204) }`;

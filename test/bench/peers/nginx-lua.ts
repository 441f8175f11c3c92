import { join } from 'node:path';
import { have } from '../../support/system.ts';
import type { Stage } from '../stage.ts';
import { forwardText, listenText, nginxText, poolText, startNginx } from './nginx.ts';
import type { Peer } from './peer.ts';

/** Where Debian puts them; a relative path would be looked for in the benchmark's folder. */
const MODULES = '/usr/lib/nginx/modules';
const LUA = join(import.meta.dirname, '../lua');
const IDENTITY = `proxy_set_header Authorization ""; proxy_set_header X-Account-Id $account_id; proxy_set_header X-Account-Name $account_name;
      proxy_set_header X-Account-Role $account_role; proxy_set_header X-Account-Teams $account_teams;`;
const VARIABLES =
  'set $account_id ""; set $account_name ""; set $account_role ""; set $account_teams "";';

/** The best that can be made of nginx and Lua: verified from a cache, recorded in batches. */
export const nginxLuaCached: Peer = {
  name: 'nginx-lua-cached',
  about:
    'nginx with Lua (Debian 12), worker cache over a shared dictionary, records gathered for 20 ms',
  does: {
    verify: 'Redis, cached for 5 s',
    inject: 'yes',
    record: 'Redis stream, one event per call, at most 20 ms later',
  },
  missing: luaMissing,
  start: (stage, secure) =>
    startNginx(stage, `nginx-lua-cached-${secure}`, (port) =>
      luaText(stage, port, secure, cachedParts(stage, false)),
    ),
};

/** What is found in most tutorials, with the two commands made one script. */
export const nginxLua: Peer = {
  name: 'nginx-lua',
  about: 'nginx with Lua (Debian 12), one Redis script per request',
  does: {
    verify: 'Redis, every time',
    inject: 'yes',
    record: 'Redis stream, decision before the answer, no outcome',
  },
  missing: luaMissing,
  start: (stage, secure) =>
    startNginx(stage, `nginx-lua-${secure}`, (port) =>
      luaText(stage, port, secure, {
        http: `init_worker_by_lua_block { require("redis").setup("127.0.0.1", ${stage.redisPort}) }`,
        handlers: 'access_by_lua_block { require("direct").access() }',
      }),
    ),
};

/** `isAsked`: by another nginx, which says of which call (`X-Forwarded-Method`, `-Uri`, `-For`). */
export function cachedParts(stage: Stage, isAsked: boolean): LuaParts {
  return {
    http: `lua_shared_dict accounts 64m;
  init_worker_by_lua_block { require("redis").setup("127.0.0.1", ${stage.redisPort}) require("cached").start(${isAsked}) }`,
    handlers:
      'access_by_lua_block { require("cached").access() } log_by_lua_block { require("cached").log() }',
  };
}

export function luaMissing(): string | null {
  return have('nginx') && have('nginx-lua') ? null : 'nginx with its Lua module is not installed';
}

interface LuaParts {
  readonly http: string;
  readonly handlers: string;
}

/** `content`: what is done for those who are let in. */
export function luaText(
  stage: Stage,
  port: number,
  secure: boolean,
  parts: LuaParts,
  content = forwardText(IDENTITY),
): string {
  return nginxText({
    main: ['ndk_http_module', 'ngx_http_lua_module']
      .map((name) => `load_module ${MODULES}/${name}.so;`)
      .join(' '),
    http: `lua_package_path "${LUA}/?.lua;;"; lua_socket_log_errors off;
  ${parts.http}
  ${poolText(stage)}`,
    server: `
    ${listenText(stage, port, secure)}
    location / {
      ${VARIABLES}
      ${parts.handlers}
      ${content}
    }`,
  });
}

import { have } from '../../support/system.ts';
import { freePort, startChild } from '../children.ts';
import type { Stage } from '../stage.ts';
import { accepts } from './nginx.ts';
import type { Peer } from './peer.ts';
import { startService } from './service/start.ts';

/** Caddy asks the same small service as nginx does with auth_request. */
export const caddy: Peer = {
  name: 'caddy',
  about: 'Caddy 2.6 (Debian 12) with forward_auth to a service on node:http, both counted',
  does: {
    verify: 'Redis, cached for 5 s',
    inject: 'yes',
    record: 'Redis stream, decision only, at most 20 ms later',
  },
  missing: () => (have('caddy') ? null : 'caddy is not installed'),
  async start(stage, secure) {
    const service = await startService(stage, 'auth-service.ts');
    const folder = stage.folder(`caddy-${secure}`);
    const port = await freePort();
    const file = stage.file(folder, 'Caddyfile', caddyfile(stage, port, service.port, secure));
    const child = await startChild({
      cpus: stage.cpus.proxy,
      command: 'caddy',
      words: ['run', '--adapter', 'caddyfile', '--config', file],
      env: { XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder, HOME: folder },
      ready: () => accepts(port),
    });
    return {
      port,
      pids: [child.pid, service.child.pid],
      compiles: true,
      stop: async () => {
        await child.stop();
        await service.child.stop();
      },
    };
  },
};

/** HTTP/1.1 only, as the clients speak it; no log. */
function caddyfile(stage: Stage, port: number, authPort: number, secure: boolean): string {
  const { certificateFile, keyFile } = stage.certificate;
  const kept =
    'transport http {\n      keepalive 1h\n      keepalive_idle_conns 256\n      keepalive_idle_conns_per_host 256\n    }';
  return `{
  admin off
  auto_https off
  servers {
    protocols h1
  }
}
:${port} {
  bind 127.0.0.1
  ${secure ? `tls ${certificateFile} ${keyFile}` : ''}
  forward_auth 127.0.0.1:${authPort} {
    uri /auth
    copy_headers X-Account-Id X-Account-Name X-Account-Role X-Account-Teams
    ${kept}
  }
  reverse_proxy 127.0.0.1:${stage.upstream.port} {
    header_up -Authorization
    header_up X-Request-Id {http.request.uuid}
    ${kept}
  }
}
`;
}

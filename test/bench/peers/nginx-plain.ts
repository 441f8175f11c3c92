import { have } from '../../support/system.ts';
import { forwardText, listenText, nginxText, poolText, startNginx } from './nginx.ts';
import type { Peer } from './peer.ts';

/**
 * nginx as a plain proxy: it asks nobody anything and records nothing. The limit of what can be
 * reached, not a peer.
 */
export const nginxPlain: Peer = {
  name: 'nginx-plain',
  about: 'nginx (Debian 12)',
  does: { verify: null, inject: 'only how the call came', record: null },
  missing: () => (have('nginx') ? null : 'nginx is not installed'),
  start: (stage, secure) =>
    startNginx(stage, `nginx-plain-${secure}`, (port) =>
      nginxText({
        http: poolText(stage),
        server: `
    ${listenText(stage, port, secure)}
    location / {
      ${forwardText('proxy_set_header Authorization "";')}
    }`,
      }),
    ),
};

import type { Plan } from './arguments.ts';
import { measureHttp2 } from './h2load.ts';
import { loadOf } from './loads.ts';
import type { TargetName } from './names.ts';
import { forwardText, listenText, nginxText, poolText, startNginx } from './peers/nginx.ts';
import type { RunningPeer } from './peers/peer.ts';
import { startGate } from './peers/sallyport.ts';
import { proveAnswer } from './proof.ts';
import type { Result } from './result.ts';
import type { Stage } from './stage.ts';

/** The requests of `get-128-tls` by HTTP/2. The upstream speaks HTTP/1.1 with both targets. */
export function http2Get(stage: Stage, plan: Plan): Promise<Result[]> {
  return measureHttp2(stage, plan, {
    load: 'h2-get-128',
    path: loadOf('get-128-tls').path,
    words: [],
    start: (target) => startTarget(stage, target),
    prove: async (peer) => void (await proveAnswer(stage, peer, true)),
  });
}

function startTarget(stage: Stage, target: TargetName): Promise<RunningPeer> {
  if (target !== 'nginx-plain')
    return startGate(stage, 'h2', { audit: { guarantee: 'buffered' }, secure: true, http2: true });
  return startNginx(stage, 'h2-nginx', (port) =>
    nginxText({
      http: poolText(stage),
      server: `
    ${listenText(stage, port, true).replace(' ssl ', ' ssl http2 ')}
    http2_max_requests 100000000;
    location / {
      ${forwardText('proxy_set_header Authorization "";')}
    }`,
    }),
  );
}

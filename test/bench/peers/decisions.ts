import { freePort } from '../children.ts';
import type { TargetName } from '../names.ts';
import type { Stage } from '../stage.ts';
import { type Asking, SERVICE_QUESTION, startFront, startService } from './nginx-auth-request.ts';
import { luaMissing } from './nginx-lua.ts';
import type { Peer, RunningPeer } from './peer.ts';
import { startGate } from './sallyport.ts';

/*
 * What decides for an nginx that asks (auth_request, over kept connections). That nginx does the
 * same for each of them, and is not counted.
 */

export const sallyportDecision: Peer = {
  name: 'sallyport-decision',
  about:
    'the decision endpoint of this project, `audit.guarantee: buffered`; not the nginx that asks',
  does: {
    verify: 'Redis, cached under a lease',
    inject: 'yes',
    record: 'Redis stream, decision only, at most 50 ms later',
  },
  missing: luaMissing,
  async start(stage, secure) {
    const decisionPort = await freePort();
    const options = { audit: { guarantee: 'buffered' }, secure: false, decisionPort };
    const gate = await startGate(stage, 'sallyport-decision', options);
    const question = `proxy_set_header X-Original-Method $request_method; proxy_set_header X-Original-URI $request_uri;
      proxy_set_header X-Original-Host $http_host; proxy_set_header X-Original-Forwarded-For $remote_addr;`;
    const asking = { port: decisionPort, path: '/auth-request', question };
    return { ...(await asked(stage, 'sallyport-decision', secure, gate, asking)), compiles: true };
  },
};

export const nginxLuaDecision: Peer = {
  name: 'nginx-lua-decision',
  about: 'the small service of nginx-auth-request (nginx and Lua); not the nginx that asks',
  does: {
    verify: 'Redis, cached for 5 s',
    inject: 'yes',
    record: 'Redis stream, decision only, at most 20 ms later',
  },
  missing: luaMissing,
  async start(stage, secure) {
    const service = await startService(stage, 'nginx-lua-decision');
    const asking = { port: service.port, path: '', question: SERVICE_QUESTION };
    return asked(stage, 'nginx-lua-decision', secure, service, asking);
  },
};

async function asked(
  stage: Stage,
  name: TargetName,
  secure: boolean,
  decides: RunningPeer,
  asking: Asking,
): Promise<RunningPeer> {
  const nginx = await startFront(stage, name, secure, asking);
  return {
    port: nginx.port,
    pids: decides.pids,
    stop: async () => {
      await nginx.stop();
      await decides.stop();
    },
  };
}

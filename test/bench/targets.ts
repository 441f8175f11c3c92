import type { TargetName } from './names.ts';
import { caddy } from './peers/caddy.ts';
import { nginxLuaDecision, sallyportDecision } from './peers/decisions.ts';
import { expressGateway } from './peers/express-gateway.ts';
import { haproxy } from './peers/haproxy.ts';
import { honoHttpProxy3 } from './peers/hono-http-proxy-3.ts';
import { nginxAuthRequest, nginxAuthRequestCached } from './peers/nginx-auth-request.ts';
import { nginxLua, nginxLuaCached } from './peers/nginx-lua.ts';
import { nginxPlain } from './peers/nginx-plain.ts';
import type { Peer, RunningPeer } from './peers/peer.ts';
import {
  sallyportAcknowledged,
  sallyportBeside,
  sallyportBuffered,
  sallyportHashed,
  sallyportHeaders,
  sallyportTruncated,
  sallyportUnchained,
} from './peers/sallyport.ts';
import { proveJob } from './proof.ts';
import type { Stage } from './stage.ts';

const PEERS: { readonly [Name in TargetName]: Peer } = {
  'sallyport-buffered': sallyportBuffered,
  'sallyport-beside': sallyportBeside,
  'sallyport-acknowledged': sallyportAcknowledged,
  'nginx-plain': nginxPlain,
  'nginx-lua-cached': nginxLuaCached,
  'nginx-lua': nginxLua,
  'nginx-auth-request': nginxAuthRequest,
  'nginx-auth-request-cached': nginxAuthRequestCached,
  haproxy,
  caddy,
  'express-gateway': expressGateway,
  'hono-http-proxy-3': honoHttpProxy3,
  'sallyport-unchained': sallyportUnchained,
  'sallyport-truncated': sallyportTruncated,
  'sallyport-hashed': sallyportHashed,
  'sallyport-headers': sallyportHeaders,
  'sallyport-decision': sallyportDecision,
  'nginx-lua-decision': nginxLuaDecision,
};

export function peerOf(name: TargetName): Peer {
  return PEERS[name];
}

/**
 * Peers as they are needed: one process per listener, kept until the end, so that every round but
 * the first meets warm code.
 */
export class RunningPeers {
  readonly #stage: Stage;
  readonly #running = new Map<string, Promise<RunningPeer>>();
  readonly #started: RunningPeer[] = [];

  constructor(stage: Stage) {
    this.#stage = stage;
  }

  get(name: TargetName, secure: boolean): Promise<RunningPeer> {
    const key = `${name} ${secure}`;
    const known = this.#running.get(key) ?? this.#start(name, secure);
    this.#running.set(key, known);
    return known;
  }

  async #start(name: TargetName, secure: boolean): Promise<RunningPeer> {
    const peer = peerOf(name);
    const running = await peer.start(this.#stage, secure);
    this.#started.push(running);
    await proveJob(this.#stage, peer, running, secure);
    return running;
  }

  async stop(): Promise<void> {
    for (const peer of this.#started) await peer.stop();
  }
}

import { type RequestOptions, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { authorizeFor } from './clients.ts';
import type { Peer, RunningPeer } from './peers/peer.ts';
import type { Stage } from './stage.ts';
import { ECHO_PATH } from './upstream.ts';

/**
 * Before a peer is measured it has to show that it does what the table says: the upstream learns
 * who calls and never sees the token, a forged token is refused, and both calls stand in a stream
 * of Redis. A proxy that was set up wrongly would be fast. Throws when it fails.
 */
export async function proveJob(
  stage: Stage,
  peer: Peer,
  running: RunningPeer,
  secure: boolean,
): Promise<void> {
  const caller = stage.callers[0]!;
  const before = await recordsIn(stage);
  const permitted = await proveAnswer(stage, running, secure);
  if (peer.does.verify === null) return;
  const [id = '', name = '', token = ''] = permitted.split('|');
  if (id === '' || !name.startsWith(caller.name))
    throw new Error(`${peer.name} did not say who calls: ${permitted}`);
  if (token !== '' && peer.hidesToken !== false)
    throw new Error(`${peer.name} passed the token on`);
  const refused = await ask(running.port, secure, stage.forged);
  if (refused.status !== 401)
    throw new Error(`${peer.name} answered ${refused.status} to a forged token`);
  if (peer.does.record !== null && !(await grows(stage, before + 2)))
    throw new Error(`${peer.name} did not record both calls`);
}

/** Asks with a good token. Throws when that is not permitted. @returns what the upstream saw */
export async function proveAnswer(
  stage: Stage,
  running: RunningPeer,
  secure: boolean,
): Promise<string> {
  const authorization = authorizeFor(running)(stage.callers[0]!);
  const { status, body } = await ask(running.port, secure, authorization);
  if (status !== 200) throw new Error(`${status} is the answer to a good token: ${body}`);
  return body;
}

/** Within a second at most: records may be gathered. */
async function grows(stage: Stage, least: number): Promise<boolean> {
  for (let attempt = 0; attempt < 50; attempt += 1) {
    if ((await recordsIn(stage)) >= least) return true;
    await sleep(20);
  }
  return false;
}

async function recordsIn(stage: Stage): Promise<number> {
  const lengths = await stage.redis.pipeline(stage.streams.map((stream) => ['XLEN', stream]));
  return lengths.reduce<number>((sum, length) => sum + Number(length), 0);
}

function ask(
  port: number,
  secure: boolean,
  authorization: string,
): Promise<{ readonly status: number; readonly body: string }> {
  const options: RequestOptions = {
    host: '127.0.0.1',
    port,
    path: ECHO_PATH,
    headers: { authorization },
    agent: false,
  };
  return new Promise((resolve, reject) => {
    const request = secure
      ? requestHttps({ ...options, rejectUnauthorized: false })
      : requestHttp(options);
    request.on('error', reject);
    request.on('response', (response) => {
      let body = '';
      response.on('data', (chunk) => {
        body += String(chunk);
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
    });
    request.end();
  });
}

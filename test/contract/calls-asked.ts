import { expect } from 'vitest';
import { type RefusalReason, refusalKind } from '../../src/refusal.ts';
import { CheckClient, checkRequest, optionsOf } from '../support/ext-authz/client.ts';
import { readRequest } from '../support/http-bytes.ts';
import { type AskedRequest, ENDPOINTS } from '../support/questions.ts';
import { authorization, type CallCase } from './calls.ts';
import type { Played, Stage } from './calls-stage.ts';
import { http1Door } from './door-http1.ts';
import { http2Door } from './door-http2.ts';
import type { DoorClient } from './door-under-test.ts';

/**
 * The calls of calls.ts, asked about at the decision endpoint, in every way in which that can be
 * done.
 */
const ASKERS = [http1Door(false), http2Door(false)];

/** What was asked, and what came of it. */
export interface Asked extends Played {
  readonly how: string;
  readonly status: number;
}

const UNSEEN = { tag: '', response: null, upstream: null, varies: false };

/** Asks about a call in every way at once. */
export async function ask(stage: Stage, call: CallCase): Promise<readonly Asked[]> {
  const { port } = stage.plain.gateway.addresses.decision!;
  const asked = ASKERS.flatMap((door) =>
    Object.entries(ENDPOINTS).map(async ([endpoint, question]) => {
      const client = await door.connect({ port, caFile: '' });
      const how = `${door.name}, ${endpoint}`;
      const { token, own } = await stage.token(call.as ?? 'tester');
      const bytes = question(requestOf(call, token));
      if (call.decided === 'rate-limited') await askOne(client, bytes);
      const { status, requestId } = await askOne(client, bytes);
      client.close();
      return { ...UNSEEN, how, own, status, requestId };
    }),
  );
  return Promise.all([...asked, askByCheck(stage, call)]);
}

/** Envoy's question over gRPC, by a client of gRPC that is not ours. */
async function askByCheck(stage: Stage, call: CallCase): Promise<Asked> {
  const client = new CheckClient(stage.plain.gateway.addresses.decision!.port);
  const { token, own } = await stage.token(call.as ?? 'tester');
  const question = checkRequest(requestOf(call, token));
  if (call.decided === 'rate-limited') await client.ask(question);
  const { denied_response: denied, ok_response: ok } = await client.ask(question);
  client.close();
  const fields = optionsOf((denied ?? ok)!.headers);
  const status = denied?.status.code ?? 200;
  return { ...UNSEEN, how: 'gRPC', own, status, requestId: fields['x-request-id'] ?? null };
}

function requestOf(call: CallCase, token: string | null): AskedRequest {
  const { method = 'GET', target, authority, fields = [] } = call;
  const said = [...authorization(token, call), ...fields];
  return {
    method,
    target,
    fields: said.map(
      ([name, value]) => `${name === 'authorization' ? 'Authorization' : name}: ${value}`,
    ),
    ...(authority === undefined ? {} : { host: authority }),
  };
}

/** @param bytes of a question in HTTP/1.1, which is asked in the protocol of its client */
async function askOne(client: DoorClient, bytes: string) {
  const reading = readRequest(Buffer.from(bytes, 'latin1'));
  if (reading.state !== 'complete') throw new Error(`no question: ${bytes}`);
  const { line, fields, body } = reading.message;
  const [method, target] = line.split(' ') as [string, string];
  const own = fields.filter(([name]) => !/^(host|content-length)$/i.test(name));
  const exchange = await client.begin({
    method,
    target,
    authority: fields.find(([name]) => name === 'Host')![1],
    fields: own,
    ...(body.length === 0 ? {} : { length: body.length }),
  });
  if (body.length > 0) await exchange.send(body);
  if (body.length > 0) await exchange.endBody();
  const response = await exchange.response();
  const requestId = response.fields.find(([name]) => name === 'x-request-id')?.[1] ?? null;
  return { status: response.status, requestId };
}

/** @param made the decision about the call that was made */
export async function expectAsked(
  stage: Stage,
  call: CallCase,
  made: Readonly<Record<string, unknown>>,
  asked: readonly Asked[],
): Promise<void> {
  const reason = call.asked ?? call.decided;
  const status = reason === 'permitted' ? 200 : refusalKind(reason as RefusalReason).status;
  for (const one of asked) {
    const what = `${call.what}: ${one.how}`;
    expect(one.status, what).toBe(status);
    const { decision, outcome, door } = await stage.recorded(one, 0);
    expect([door, outcome, decision?.reason], what).toEqual(['decision', null, reason]);
    // Of a target that nobody can read the phrases tell whose it is.
    const phrase = { detail: decision?.detail };
    if (call.asked === undefined) expect(decision, what).toEqual({ ...made, ...phrase });
  }
}

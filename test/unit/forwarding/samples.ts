import type { Account } from '../../../src/account/model.ts';
import type { Route } from '../../../src/decision/route.ts';
import type { Permit } from '../../../src/decision/verdict.ts';
import { type PermittedRequest, upstreamRequest } from '../../../src/forwarding/request-fields.ts';
import { type ClientAddressField, TrustedProxies } from '../../../src/http/client-address.ts';
import type { Peer, RequestHead } from '../../../src/http/request-head.ts';
import { traceOf } from '../../../src/http/trace.ts';
import { requestHead } from '../../../src/http1/head-writer.ts';
import { isHeadFault, parseRequestHead } from '../../../src/http1/request-parser.ts';
import { type Message, readRequest } from '../../support/http-bytes.ts';
import { role } from '../account/samples.ts';
import { decider, route, SampleRegistry } from '../decision/samples.ts';

export const PEER: Peer = { address: '203.0.113.9', port: 4711, secure: true };

/** A head as the wire engine gives it. */
export function parsed(...lines: readonly string[]): RequestHead {
  const head = parseRequestHead(lines.map((line) => `${line}\r\n`).join(''), 8192);
  if (isHeadFault(head)) throw new Error(head.detail);
  return head;
}

export interface Situation {
  readonly route?: Partial<Route>;
  readonly account?: Partial<Account>;
  readonly outgoing?: Partial<PermittedRequest>;
  readonly trusted?: readonly string[];
  /** The field that they set. */
  readonly from?: ClientAddressField;
  readonly peer?: Peer;
}

/** Everything below `/` for whoever is known, unless the situation says otherwise. */
const OPEN: Partial<Route> = {
  path: '/**',
  methods: ['GET', 'POST', 'PUT'],
  permission: 'deployments:read',
};

/** The permit that the real decision gives for the request; only it can make one. */
function permitFor(
  head: RequestHead,
  situation: Situation = {},
): { readonly permit: Permit; readonly head: RequestHead } {
  const registry = new SampleRegistry();
  registry.policy.putRole(role('viewer', 'deployments:read'));
  const token = registry.withToken(situation.account ?? {});
  const routes = [route({ ...OPEN, ...situation.route })];
  const authorised = { ...head, authorization: `Bearer ${token}` };
  const verdict = decider(registry, routes).now(authorised);
  if (!verdict.permitted) throw new Error(`refused: ${verdict.reason}`);
  return { permit: verdict, head: authorised };
}

/** What the upstream gets for these lines, as bytes that another parser than ours has read. */
export function forwardedMessage(lines: readonly string[], situation: Situation = {}): Message {
  const { permit, head } = permitFor(parsed(...lines), situation);
  const peer = situation.peer ?? PEER;
  const request = upstreamRequest({
    head,
    permit,
    peer,
    client: new TrustedProxies(situation.trusted ?? [], situation.from).clientOf(head, peer),
    trace: traceOf(head, 'sampled'),
    requestId: 'request-1',
    assertion: null,
    rules: null,
    host: null,
    authority: 'upstream:8080',
    gate: 'sallyport',
    ...situation.outgoing,
  });
  const text = requestHead(request);
  // The body that the head announces, so that there is a whole message to read.
  const body =
    head.framing.kind === 'chunked'
      ? '0\r\n\r\n'
      : 'x'.repeat(head.framing.kind === 'length' ? head.framing.bytes : 0);
  const reading = readRequest(Buffer.from(text + body, 'latin1'));
  if (reading.state !== 'complete') throw new Error(`no request: ${text}`);
  return reading.message;
}

export function fieldLines(message: Message): string[] {
  return message.fields.map(([name, value]) => `${name}: ${value}`);
}

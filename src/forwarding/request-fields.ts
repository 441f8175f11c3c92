import type { Permit } from '../decision/verdict.ts';
import { type ClientAddress, forwardedNode } from '../http/client-address.ts';
import type { FieldName } from '../http/field-names.ts';
import { hasUnusualBody } from '../http/method.ts';
import { isRemoved } from '../http/removed-fields.ts';
import type { Peer, RequestHead } from '../http/request-head.ts';
import type { Trace } from '../http/trace.ts';
import type { FieldRules } from './field-rules.ts';
import { withoutOwnCookies } from './own-cookies.ts';
import { viaField } from './via.ts';

/**
 * The head that goes upstream: first everything that the client may not say is removed, then ours
 * is set. There is no path on which a client's field of a reserved name survives, also not when we
 * have nothing to put in its place.
 */

const FATE = {
  unknown: 0,
  passed: 1,
  removed: 2,
  authorization: 3,
  via: 4,
  cookie: 5,
  maxForwards: 6,
} as const;

/** What happens to a name: decided once per spelling. */
function fateOf(name: FieldName): number {
  if (name.fate === FATE.unknown) name.fate = judge(name.lower);
  return name.fate;
}

function judge(lower: string): number {
  if (lower === 'authorization') return FATE.authorization;
  if (lower === 'via') return FATE.via;
  if (lower === 'cookie') return FATE.cookie;
  if (lower === 'max-forwards') return FATE.maxForwards;
  return isRemoved(lower) ? FATE.removed : FATE.passed;
}

export interface OutgoingRequest {
  readonly head: RequestHead;
  readonly permit: Permit;
  readonly peer: Peer;
  readonly client: ClientAddress;
  readonly trace: Trace;
  readonly requestId: string;
  /** What the configuration sets, and takes off; null = nothing. */
  readonly fields: FieldRules | null;
  /** Host towards the upstream; null = as the client sent it. */
  readonly host: string | null;
  /** The authority of the chosen upstream, for HTTP/1.0 requests without Host. */
  readonly authority: string;
  /** Name of this gate in `Via`; empty: it does not stand there. */
  readonly gate: string;
}

/** The complete head as latin-1 text, empty line included. */
export function upstreamHead(request: OutgoingRequest): string {
  const { head, permit, fields } = request;
  let text = `${head.method} ${outgoingTarget(head, permit)} HTTP/1.1\r\nHost: ${request.host ?? (head.host || request.authority)}\r\n`;
  let via = '';
  for (let index = 0; index < head.names.length; index += 1) {
    const name = head.names[index]!;
    const fate = fateOf(name);
    if (fate === FATE.removed) continue;
    if (head.nominated.length > 0 && head.nominated.includes(name.lower)) continue;
    if (fields?.touches(name.lower) === true) continue;
    if (fate === FATE.via) via += `${head.values[index]!}, `;
    else if (fate === FATE.cookie) text += cookieField(name.text, head.values[index]!);
    else if (fate === FATE.maxForwards)
      text += `${name.text}: ${onceLess(head.method, head.values[index]!)}\r\n`;
    else if (fate === FATE.passed || permit.route.forwardAuthorization)
      text += `${name.text}: ${head.values[index]!}\r\n`;
  }
  return `${text}${framingField(head)}${connectionField(head)}${identityFields(permit)}${wayFields(request)}${fields === null ? '' : fields.text}${viaField(via, head.version, request.gate)}\r\n`;
}

/** One server less may pass an OPTIONS request on (RFC 9110 §7.6.2); elsewhere nobody counts. */
function onceLess(method: string, value: string): string {
  return method === 'OPTIONS' ? String(Math.min(Number(value), 256) - 1) : value;
}

function cookieField(name: string, value: string): string {
  const left = withoutOwnCookies(value);
  return left === null ? '' : `${name}: ${left}\r\n`;
}

/**
 * The target as it was decided on; only whole literal segments, named by the route, are taken off
 * its front.
 */
function outgoingTarget(head: RequestHead, permit: Permit): string {
  const { stripPrefix } = permit.route;
  if (stripPrefix === '') return head.target;
  const stripped = head.target.slice(stripPrefix.length);
  return stripped.startsWith('/') ? stripped : `/${stripped}`;
}

function framingField(head: RequestHead): string {
  switch (head.framing.kind) {
    case 'length':
      return `Content-Length: ${head.framing.bytes}\r\n`;
    case 'chunked':
      return 'Transfer-Encoding: chunked\r\n';
    case 'none':
      return head.framing.declared ? 'Content-Length: 0\r\n' : '';
  }
}

/**
 * An upstream that does not read this body is told to end the connection before it would read the
 * body as a request.
 */
function connectionField(head: RequestHead): string {
  return hasUnusualBody(head) ? 'Connection: close\r\n' : '';
}

/**
 * Public routes carry no identity: nobody was authenticated. All values are names from the
 * registry, whose grammar has no separators.
 */
function identityFields(permit: Permit): string {
  if (permit.account === null) return '';
  const { id, name, teams } = permit.account.account;
  const teamNames = teams.length === 0 ? '' : teams.map((membership) => membership.team).join(',');
  return `X-Account-Id: ${id}\r\nX-Account-Name: ${name}\r\nX-Account-Role: ${permit.role ?? ''}\r\nX-Account-Teams: ${teamNames}\r\n${applicationsField(permit)}`;
}

/** The service decides about one of these; where it is about one already, there is nothing to say. */
function applicationsField({ route, demand }: Permit): string {
  if (route.application.from !== 'some') return '';
  return `X-Account-Applications: ${(demand?.applications ?? []).join(',')}\r\n`;
}

/**
 * How the call came here (RFC 7239 §4, and its older relatives). In `Forwarded` each proxy speaks of
 * its own side; the single values are those of the client.
 */
function wayFields(request: OutgoingRequest): string {
  const { peer, client, head, trace } = request;
  const scheme = peer.secure ? 'https' : 'http';
  const node = forwardedNode(peer.address);
  const host = head.host === '' ? '' : `;host="${head.host}"`;
  const chain = client.forwardedFor === '' ? '' : `${client.forwardedFor}, `;
  const forwarded = client.forwarded === '' ? '' : `${client.forwarded}, `;
  const traceparent = trace.traceparent === null ? '' : `traceparent: ${trace.traceparent}\r\n`;
  const tracestate = trace.tracestate === null ? '' : `tracestate: ${trace.tracestate}\r\n`;
  const asked = client.host || head.host;
  const forwardedHost = asked === '' ? '' : `X-Forwarded-Host: ${asked}\r\n`;
  return (
    `X-Request-Id: ${request.requestId}\r\nX-Forwarded-For: ${chain}${peer.address}\r\nX-Forwarded-Proto: ${client.proto || scheme}\r\n${forwardedHost}${prefixField(request)}` +
    `Forwarded: ${forwarded}for=${node};proto=${scheme}${host}\r\n${traceparent}${tracestate}`
  );
}

/** What was taken off the front of the path, as the client wrote it. */
function prefixField({ head, permit }: OutgoingRequest): string {
  const { length } = permit.route.stripPrefix;
  return length === 0 ? '' : `X-Forwarded-Prefix: ${head.target.slice(0, length)}\r\n`;
}

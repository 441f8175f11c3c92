import type { Permit } from '../decision/verdict.ts';
import { type ClientAddress, forwardedNode } from '../http/client-address.ts';
import type { FieldName } from '../http/field-names.ts';
import { Fields } from '../http/fields.ts';
import { hasUnusualBody } from '../http/method.ts';
import type { OutgoingRequest } from '../http/outgoing.ts';
import { isRemoved } from '../http/removed-fields.ts';
import type { Peer, RequestHead } from '../http/request-head.ts';
import { SOCKET_PEER } from '../http/socket-address.ts';
import type { Trace } from '../http/trace.ts';
import { upgradeFor } from '../http/upgrade.ts';
import type { FieldRules } from './field-rules.ts';
import { addIdentity } from './identity-fields.ts';
import { withoutOwnCookies } from './own-cookies.ts';
import { addVia } from './via.ts';

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

export interface PermittedRequest {
  readonly head: RequestHead;
  readonly permit: Permit;
  readonly peer: Peer;
  readonly client: ClientAddress;
  readonly trace: Trace;
  readonly requestId: string;
  /** Tells the upstream who calls, signed; null = it wants none. */
  readonly assertion: string | null;
  /** What the configuration sets, and takes off; null = nothing. */
  readonly rules: FieldRules | null;
  /** Host towards the upstream; null = as the client sent it. */
  readonly host: string | null;
  /** The authority of the chosen upstream, for HTTP/1.0 requests without Host. */
  readonly authority: string;
  /** Name of this gate in `Via`; empty: it does not stand there. */
  readonly gate: string;
}

/** The head that goes to the upstream. */
export function upstreamRequest(request: PermittedRequest): OutgoingRequest {
  const { head, permit, rules } = request;
  const fields = new Fields();
  const via = addPassed(fields, head, permit.route.forwardAuthorization, rules);
  addIdentity(fields, permit, request.assertion);
  addWay(fields, request);
  if (rules !== null) fields.addAll(rules.fields);
  addVia(fields, via, head.version, request.gate);
  const { upgrade } = permit;
  return {
    method: head.method,
    target: outgoingTarget(head, permit.route),
    host: request.host ?? (head.host || request.authority),
    fields,
    framing: head.framing,
    upgrade: upgrade === null ? null : upgradeFor(head, upgrade, fields),
    // A server that does not look for a body there takes it for the next request. Nor is a request
    // read where another protocol was asked for (RFC 9931).
    isLast: upgrade !== null || hasUnusualBody(head),
    takesTrailers: head.takesTrailers,
  };
}

/** Everything that a client may say. @returns its `Via`, each value with `, ` behind it */
function addPassed(
  fields: Fields,
  { method, names, values, nominated }: RequestHead,
  withAuthorization: boolean,
  rules: FieldRules | null,
): string {
  let via = '';
  for (let index = 0; index < names.length; index += 1) {
    const name = names[index]!;
    const fate = fateOf(name);
    if (fate === FATE.removed) continue;
    if (nominated.length > 0 && nominated.includes(name.lower)) continue;
    if (rules?.touches(name.lower) === true) continue;
    const value = values[index]!;
    if (fate === FATE.passed) fields.add(name.text, value);
    else if (fate === FATE.via) via += `${value}, `;
    else if (fate === FATE.cookie) addCookie(fields, name.text, value);
    else if (fate === FATE.maxForwards) fields.add(name.text, onceLess(method, value));
    else if (withAuthorization) fields.add(name.text, value);
  }
  return via;
}

/** One server less may pass an OPTIONS request on (RFC 9110 §7.6.2); elsewhere nobody counts. */
function onceLess(method: string, value: string): string {
  return method === 'OPTIONS' ? String(Math.min(Number(value), 256) - 1) : value;
}

function addCookie(fields: Fields, name: string, value: string): void {
  const left = withoutOwnCookies(value);
  if (left !== null) fields.add(name, left);
}

/**
 * The target as it was decided on; only whole literal segments, named by the route, are taken off
 * its front.
 */
export function outgoingTarget(
  { target }: Pick<RequestHead, 'target'>,
  { stripPrefix }: Pick<Permit['route'], 'stripPrefix'>,
): string {
  if (stripPrefix === '') return target;
  const stripped = target.slice(stripPrefix.length);
  return stripped.startsWith('/') ? stripped : `/${stripped}`;
}

/**
 * How the call came here (RFC 7239 §4, and its older relatives). In `Forwarded` each proxy speaks
 * of its own side; the single values are those of the client.
 */
function addWay(
  fields: Fields,
  { head, permit, peer, client, trace, requestId }: PermittedRequest,
) {
  const scheme = peer.secure ? 'https' : 'http';
  const from = peer.address === SOCKET_PEER ? 'unknown' : peer.address;
  const chain = client.forwardedFor === '' ? '' : `${client.forwardedFor}, `;
  fields
    .add('X-Request-Id', requestId)
    .add('X-Forwarded-For', `${chain}${from}`)
    .add('X-Forwarded-Proto', client.proto || scheme);
  const asked = client.host || head.host;
  if (asked !== '') fields.add('X-Forwarded-Host', asked);
  // What was taken off the front of the path, as the client wrote it.
  const { length } = permit.route.stripPrefix;
  if (length > 0) fields.add('X-Forwarded-Prefix', head.target.slice(0, length));
  const forwarded = client.forwarded === '' ? '' : `${client.forwarded}, `;
  const host = head.host === '' ? '' : `;host="${head.host}"`;
  fields.add('Forwarded', `${forwarded}for=${forwardedNode(peer.address)};proto=${scheme}${host}`);
  if (trace.traceparent !== null) fields.add('traceparent', trace.traceparent);
  if (trace.tracestate !== null) fields.add('tracestate', trace.tracestate);
}

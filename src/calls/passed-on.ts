import type { Permit } from '../decision/verdict.ts';
import { addCors } from '../forwarding/cors-fields.ts';
import { rulesFor } from '../forwarding/field-rules.ts';
import { calledBy, withPublicOrigin } from '../forwarding/public-origin.ts';
import { upstreamRequest } from '../forwarding/request-fields.ts';
import { clientFields } from '../forwarding/response-fields.ts';
import { passedTrailers } from '../forwarding/trailer-fields.ts';
import type { Upstream } from '../forwarding/upstream.ts';
import type { ClientAddress } from '../http/client-address.ts';
import type { Fields } from '../http/fields.ts';
import type { OutgoingRequest } from '../http/outgoing.ts';
import type { Peer, RequestHead } from '../http/request-head.ts';
import type { ResponseHead } from '../http/response-head.ts';
import type { Trailers } from '../http/trailers.ts';
import { addRate } from './own-response.ts';
import type { CallRecord } from './record.ts';

/*
 * What of a call's messages is passed on: its request to the upstream, and the heads of the
 * upstream's responses to its client.
 */

/** @param gate name of this gate in `Via` */
export function requestFor(
  upstream: Upstream,
  permit: Permit,
  head: RequestHead,
  peer: Peer,
  record: CallRecord,
  gate: string,
): OutgoingRequest {
  return upstreamRequest({
    head,
    permit,
    peer,
    client: record.address,
    trace: record.traceTo(permit.account !== null),
    requestId: record.id,
    assertion: record.assertion === null ? null : record.assertion.text,
    rules: upstream.fields === null ? null : rulesFor(upstream.fields, permit.route.name),
    host: upstream.host,
    authority: upstream.authority,
    gate,
  });
}

/** What goes upstream behind the content of a request; null: nothing. */
export function requestTrailers(
  upstream: Upstream,
  permit: Permit,
  { nominated }: RequestHead,
  received: Trailers,
): Fields | null {
  const rules = upstream.fields === null ? null : rulesFor(upstream.fields, permit.route.name);
  return passedTrailers(received, nominated, rules);
}

/** The upstream's head with links that lead where the client called, if its route wants them so. */
export function withPublicLinks(
  received: ResponseHead,
  { rewriteOrigin }: Permit['route'],
  request: RequestHead,
  client: ClientAddress,
  peer: Peer,
): ResponseHead {
  if (rewriteOrigin.length === 0) return received;
  return withPublicOrigin(received, rewriteOrigin, calledBy(client, request, peer.secure));
}

/**
 * The fields of the final response.
 *
 * @param gate name of this gate in `Via`
 */
export function finalFields(
  response: ResponseHead,
  { rate, route: { cors } }: Permit,
  request: RequestHead,
  requestId: string,
  gate: string,
): Fields {
  const fields = clientFields(response, requestId, gate, cors !== null);
  addRate(fields, rate);
  if (cors !== null) addCors(fields, cors, request);
  return fields;
}

/** Server-Timing (W3C), in milliseconds, beside what the upstream says there. */
export function addTiming(
  fields: Fields,
  { overheadMs, upstreamMs }: Pick<CallRecord, 'overheadMs' | 'upstreamMs'>,
): void {
  const gate = Math.max(0, overheadMs).toFixed(2);
  const upstream = Math.max(0, upstreamMs ?? 0).toFixed(2);
  fields.add('Server-Timing', `gate;dur=${gate}, upstream;dur=${upstream}`);
}

import type { Permit, Verdict } from '../decision/verdict.ts';
import { SERVER_METHODS, WHOLE_SERVER } from '../decision/whole-server.ts';
import { preflightFields } from '../forwarding/cors-fields.ts';
import { maxForwards } from '../http/max-forwards.ts';
import type { OwnResponse } from '../http/outgoing.ts';
import type { RequestHead } from '../http/request-head.ts';
import type { RefusalReason } from '../refusal.ts';
import { optionsResponse, preflightResponse, refusalOf } from './own-response.ts';
import type { CallClient, CallServices } from './port.ts';

/*
 * What the gate itself responds to one call, where no upstream does.
 */

/** @param reason another one than was decided where something else came in between */
export function refusalTo(
  { verdicts }: Pick<CallClient, 'verdicts'>,
  { format }: Pick<CallServices, 'format'>,
  verdict: Verdict,
  reason: RefusalReason,
  requestId: string,
): OwnResponse {
  return verdicts === null
    ? refusalOf(verdict, reason, requestId, format)
    : verdicts.refused(verdict, reason, requestId, format);
}

/** Of OPTIONS: it is about the gate itself, or no server may pass it on any more. */
export function goesNoFurther({ method, path, names, values }: RequestHead): boolean {
  return method === 'OPTIONS' && (path === '*' || maxForwards(names, values) === 0);
}

/** To OPTIONS that goes no further (RFC 9110 §7.6.2, §9.3.7): the gate is the last to be asked. */
export function optionsTo(
  head: RequestHead,
  { decider }: Pick<CallServices, 'decider'>,
  { route, rate }: Permit,
  requestId: string,
): OwnResponse {
  const allow =
    route === WHOLE_SERVER ? SERVER_METHODS : decider.table.allowed(head.host, head.path);
  return optionsResponse(requestId, allow, rate);
}

/** @param method that of the call about which a browser asks */
export function preflightTo(
  head: RequestHead,
  { route }: Permit,
  method: string,
  requestId: string,
): OwnResponse {
  return preflightResponse(requestId, preflightFields(route, head, method));
}

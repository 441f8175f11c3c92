import type { Assertion, Bound, Caller } from '../assertion/assertions.ts';
import type { Permit, Refusal, Verdict } from '../decision/verdict.ts';
import { outgoingTarget } from '../forwarding/request-fields.ts';
import type { RequestHead } from '../http/request-head.ts';
import type { CallClient, CallServices } from './port.ts';

/**
 * What tells the upstream of a permit who calls. Null: it wants nothing of the kind, or nobody was
 * authenticated, or the gate itself does what was asked for. `unavailable`: there is no key to sign
 * it with, so the call must not go on.
 */
function assertionFor(
  services: CallServices,
  permit: Permit,
  head: RequestHead,
  client: CallClient,
): Assertion | 'unavailable' | null {
  const { assertions } = services;
  const { upstream } = permit.route;
  const bind = assertions?.wishOf(upstream)?.bind;
  if (assertions === null || bind === undefined || !hasCaller(permit)) return null;
  const assertion =
    bind === null
      ? assertions.of(upstream, permit)
      : assertions.bound(upstream, permit, boundTo(services, permit, head, client, bind.scheme));
  return assertion ?? 'unavailable';
}

/** Where a call keeps what it was given. */
interface Vouched {
  assertion: Assertion | null;
}

/**
 * A verdict with what tells the upstream who calls, kept in `record`. Without a key to sign it with
 * nobody is let in.
 */
export function vouchedFor(
  services: CallServices,
  verdict: Verdict,
  head: RequestHead | null,
  client: CallClient,
  record: Vouched,
): Verdict {
  if (!verdict.permitted) return verdict;
  const assertion = assertionFor(services, verdict, head!, client);
  if (assertion === 'unavailable') return { ...verdict, ...NOT_VOUCHED_FOR } as unknown as Refusal;
  record.assertion = assertion;
  return verdict;
}

/**
 * Whether a permit can still be acted upon. The body, or the record, was waited for: what was
 * signed before may be half its life old, and is then signed anew.
 */
export function isStillVouchedFor(
  services: CallServices,
  permit: Permit,
  head: RequestHead,
  client: CallClient,
  record: Vouched,
): boolean {
  const { assertion } = record;
  if (assertion === null || services.assertions?.isFresh(assertion) === true) return true;
  const next = assertionFor(services, permit, head, client);
  if (next === 'unavailable') return false;
  record.assertion = next;
  return true;
}

/** In place of a permit. */
const NOT_VOUCHED_FOR = {
  permitted: false,
  reason: 'assertion-unavailable',
  allow: [],
  detail: null,
} as const;

/** A browser's preflight has none either. */
function hasCaller(permit: Permit): permit is Permit & Caller {
  return permit.account !== null && permit.preflight === null;
}

/**
 * The request as its service gets it: what it compares with. Where somebody else forwards it, as it
 * was asked about.
 */
function boundTo(
  { upstreams }: CallServices,
  { route }: Permit,
  head: RequestHead,
  { peer, verdicts }: CallClient,
  scheme: string,
): Bound {
  if (verdicts !== null)
    return {
      htm: head.method,
      htu: `${peer.secure ? 'https' : 'http'}://${head.host}${head.path}`,
    };
  const { host, authority } = upstreams.get(route.upstream)!;
  const [path] = outgoingTarget(head, route).split('?', 1);
  return { htm: head.method, htu: `${scheme}://${host ?? (head.host || authority)}${path}` };
}

import type { Assertion, Bound, Caller } from '../assertion/assertions.ts';
import type { Permit } from '../decision/verdict.ts';
import { outgoingTarget } from '../forwarding/request-fields.ts';
import type { RequestHead } from '../http/request-head.ts';
import type { CallClient, CallServices } from './port.ts';

/**
 * What tells the upstream of a permit who calls. Null: it wants nothing of the kind, or nobody was
 * authenticated, or the gate itself does what was asked for. `unavailable`: there is no key to sign
 * it with, so the call must not go on.
 */
export function assertionFor(
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

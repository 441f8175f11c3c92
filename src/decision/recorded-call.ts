import type { PolicyView } from '../account/policy.ts';
import type { Principal } from '../account/principal.ts';
import type { JudgedCall } from '../audit/event/asked-decision.ts';
import type { RefusalReason } from '../refusal.ts';
import { standingOf } from './authenticate.ts';
import { authoriseDemand } from './authorise.ts';
import type { Route } from './route.ts';
import { permittedApplications } from './some-application.ts';

/** What the record of a call says of what it asked, and what it was told. */
export interface RecordedCall extends JudgedCall {
  readonly unsafe: boolean;
}

/** What would be told today, and the role that would decide. */
export interface Rejudged {
  readonly reason: RefusalReason | 'permitted';
  readonly role: string | null;
}

/**
 * Whether what was told came from what the account may do, and from nothing in the request alone:
 * only such a call can be judged anew by its record. Whatever was refused for its form, its rate,
 * its token or its sender would be so again, whatever the roles say.
 */
export function isAboutRights(call: RecordedCall, route: Route | null): boolean {
  if (call.permitted) return true;
  if (call.reason !== 'permission-denied' || call.hasDetail) return false;
  // A role was asked; where some application is enough, there may have been none to ask.
  return call.permissions.length > 0 && (isNamed(call) || route?.application.from === 'some');
}

function isNamed({ role, applications }: RecordedCall): boolean {
  return role !== null || applications !== null;
}

/**
 * Judges a recorded call by these records, as if it came now with the live token, from where it
 * came. It must be about rights.
 *
 * @param route of that name today; null: there is none any more, or no routes are known
 * @param nowMs wall clock
 * @returns null: that depends on what only the route could say
 */
export function rejudge(
  policy: PolicyView,
  account: Principal | null,
  call: RecordedCall,
  route: Route | null,
  nowMs: number,
): Rejudged | null {
  if (account === null) return { reason: 'token-unknown', role: null };
  const standing = standingOf(account, nowMs);
  if (standing !== 'proven') return { reason: standing, role: null };
  // The gate's own: whoever is known may.
  if (call.permissions.length === 0) return { reason: 'permitted', role: null };
  const method = call.unsafe ? 'POST' : 'GET';
  const { allowed, role } = authoriseDemand(policy, account, route, call, method);
  if (!allowed && route === null && (call.applications ?? []).length > 1)
    if (mayOnSome(policy, account, call)) return null;
  return { reason: allowed ? 'permitted' : 'permission-denied', role };
}

function mayOnSome(policy: PolicyView, account: Principal, call: RecordedCall): boolean {
  const found = permittedApplications(policy, account, call.permissions);
  return found === null || found.length > 0;
}

import type { PolicyView } from '../account/policy.ts';
import { tokenId } from '../account/token.ts';
import type { RefusalReason } from '../refusal.ts';
import type { Lookup } from '../registry/replica/port.ts';
import { standingFrom } from './authenticate.ts';
import type { Origin } from './origin.ts';
import type { Permit } from './verdict.ts';
import { WHOLE_SERVER } from './whole-server.ts';

/**
 * Whether a permit that was issued would be issued again, now that its account is `lookup`. Null:
 * yes. Asked about calls that are still under way when the registry changes; it looks at what the
 * permit kept (token, application, route), and from where the call came, so that no request needs
 * to be kept for it.
 *
 * `lookup` must be an answer about the permit's account. `nowMs`: wall clock.
 */
export function whyNoLonger(
  policy: PolicyView,
  permit: Permit,
  origin: Origin,
  lookup: Exclude<Lookup, { found: 'unavailable' }>,
  nowMs: number,
): RefusalReason | null {
  // Public routes ask for nobody.
  if (permit.account === null) return null;
  if (lookup.found === 'absent') return 'token-revoked';
  const { account } = lookup;
  const live = permit.tokenId === tokenId(account.liveDigest);
  const previous =
    permit.tokenId === tokenId(account.previousDigest) && nowMs < account.previousUntilMs;
  if (!live && !previous) return 'token-revoked';
  const standing = standingFrom(account, origin.address, origin.certificate, nowMs);
  if (standing !== 'proven') return standing;
  return mayStill(policy, permit, account) ? null : 'permission-denied';
}

function mayStill(
  policy: PolicyView,
  { route, application, demand, unsafe }: Permit,
  account: Extract<Lookup, { found: 'account' }>['account'],
): boolean {
  if (route === WHOLE_SERVER || route.action !== null) return true;
  const permissions = demand?.permissions ?? [route.permission ?? ''];
  const applications = demand?.applications ?? (application === null ? null : [application]);
  const roles =
    applications?.map((name) => account.effectiveRole(name, policy.ownerOf(name))) ??
    (unsafe ? [account.account.role, ...account.perApplicationRoles] : [account.account.role]);
  return roles.every((role) =>
    permissions.every((permission) => policy.roleAllows(role, permission)),
  );
}

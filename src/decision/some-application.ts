import type { PolicyView } from '../account/policy.ts';
import type { Principal } from '../account/principal.ts';

/**
 * So long `X-Account-Applications` may be, in bytes. Services bound the heads that they take; a
 * list that was cut would say less than is permitted, so a longer one permits nothing.
 */
export const APPLICATIONS_BYTES_MAX = 4096;

/**
 * The applications of the registry on which the account has all the permissions, in the order of
 * their names; null: more than can be told.
 *
 * Candidates are what teams own and what the account has grants on. Where its default role does not
 * permit, only its own teams and grants need to be looked at.
 */
export function permittedApplications(
  policy: PolicyView,
  account: Principal,
  permissions: readonly string[],
): readonly string[] | null {
  const byRole = new Map<string, boolean>();
  const may = (role: string): boolean => {
    let allowed = byRole.get(role);
    if (allowed === undefined) {
      allowed = permissions.every((permission) => policy.roleAllows(role, permission));
      byRole.set(role, allowed);
    }
    return allowed;
  };
  const found = new Set<string>();
  let bytes = 0;
  for (const candidate of candidates(policy, account, may(account.account.role))) {
    if (found.has(candidate)) continue;
    if (!may(account.effectiveRole(candidate, policy.ownerOf(candidate)))) continue;
    found.add(candidate);
    bytes += candidate.length + 1;
    if (bytes > APPLICATIONS_BYTES_MAX) return null;
  }
  return [...found].sort();
}

function* candidates(
  policy: PolicyView,
  { account: { grants, teams } }: Principal,
  everywhere: boolean,
): Generator<string> {
  for (const { application } of grants) yield application;
  if (everywhere) yield* policy.ownedApplications();
  else for (const { team } of teams) yield* policy.applicationsOf(team);
}

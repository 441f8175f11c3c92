import { isName } from '../account/model.ts';
import type { PolicyView } from '../account/policy.ts';
import type { Principal, RoleRule } from '../account/principal.ts';
import { isUnsafe } from './method.ts';
import type { Route } from './route.ts';
import type { Variable } from './route-table.ts';

/**
 * The outcome of asking whether an account may do what a route is for, with all that `explain`
 * tells about it.
 */
export interface Authorisation {
  readonly allowed: boolean;
  /**
   * The application judged, in the registry's spelling where there is one; null where the route is
   * about any, or none can be named.
   */
  readonly application: string | null;
  /** The role that decided; null when no role came to be asked. */
  readonly role: string | null;
  readonly because: Because;
}

export type Because =
  /** The effective role has the permission, or lacks it. */
  | { readonly kind: 'role'; readonly rule: RoleRule['rule']; readonly team: string | null }
  /**
   * Unsafe call on a route about any application: this per-application role lacks the permission.
   */
  | { readonly kind: 'withheld'; readonly by: string }
  /** The path names no possible application. */
  | { readonly kind: 'not-a-name' }
  /**
   * On a case-insensitive route: the registry knows several applications that differ by case alone.
   */
  | { readonly kind: 'ambiguous'; readonly spellings: readonly string[] };

/**
 * Whether the account may use the route. Deny by default: a role or permission that does not exist
 * allows nothing.
 */
export function authorise(
  policy: PolicyView,
  account: Principal,
  route: Route,
  variables: readonly Variable[],
  method: string,
): Authorisation {
  // A public route never comes here, and compileRoute lets no other be without a permission; if one
  // were, it would be refused.
  const permission = route.permission ?? '';
  if (route.application.from === 'any') return authoriseAny(policy, account, permission, method);
  const named = nameApplication(policy, account, route, variables);
  if ('kind' in named) return { allowed: false, application: null, role: null, because: named };
  const owner = policy.ownerOf(named.application);
  const { rule, role } = account.roleRule(named.application, owner);
  const because: Because = { kind: 'role', rule, team: rule === 'team' ? owner : null };
  return {
    allowed: policy.roleAllows(role, permission),
    application: named.application,
    role,
    because,
  };
}

/**
 * The default role decides. An unsafe call might reach any application, so it also needs the
 * consent of every role that replaces the default one somewhere: lowering on one application cannot
 * be walked around.
 */
function authoriseAny(
  policy: PolicyView,
  account: Principal,
  permission: string,
  method: string,
): Authorisation {
  const role = account.account.role;
  const because: Because = { kind: 'role', rule: 'default', team: null };
  if (!policy.roleAllows(role, permission))
    return { allowed: false, application: null, role, because };
  const withholding = isUnsafe(method)
    ? account.perApplicationRoles.find(
        (perApplication) => !policy.roleAllows(perApplication, permission),
      )
    : undefined;
  if (withholding === undefined) return { allowed: true, application: null, role, because };
  return {
    allowed: false,
    application: null,
    role: withholding,
    because: { kind: 'withheld', by: withholding },
  };
}

type Named =
  | { readonly application: string }
  | Extract<Because, { kind: 'not-a-name' | 'ambiguous' }>;

function nameApplication(
  policy: PolicyView,
  account: Principal,
  route: Route,
  variables: readonly Variable[],
): Named {
  if (route.application.from === 'fixed') return { application: route.application.name };
  const wanted = route.application.from === 'path' ? route.application.variable : null;
  const segment = variables.find((variable) => variable.name === wanted)?.value;
  // A server on Windows takes `crm.` for `crm`, whose role may be another.
  if (segment === undefined || !isName(segment) || segment.endsWith('.'))
    return { kind: 'not-a-name' };
  return route.caseInsensitive ? knownSpelling(policy, account, segment) : { application: segment };
}

/**
 * The upstream takes `crm` and `CRM` for one application, so the decision must too, or changing the
 * case would walk around a grant that lowers. The spelling that the account's grants and the teams
 * know counts; if they know several, nobody can say which is meant, and the answer is no. An
 * application that neither knows keeps the client's spelling: the default role decides either way.
 */
function knownSpelling(policy: PolicyView, account: Principal, segment: string): Named {
  const folded = segment.toLowerCase();
  const granted = account.grantedLike(folded);
  const owned = policy.ownedLike(folded);
  const spellings = granted.length === 0 ? owned : [...new Set([...granted, ...owned])];
  if (spellings.length > 1) return { kind: 'ambiguous', spellings };
  return { application: spellings[0] ?? segment };
}

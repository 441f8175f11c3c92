import { isName } from '../account/model.ts';
import type { PolicyView } from '../account/policy.ts';
import type { Principal, RoleRule } from '../account/principal.ts';
import { isUnsafe } from '../http/method.ts';
import { type Demand, type PermissionsFault, permissionsOf, valuesOf } from './demand.ts';
import type { Route } from './route.ts';
import type { Variable } from './route-table.ts';
import { permittedApplications } from './some-application.ts';

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
  /** The permission that was judged; null when none came to be. */
  readonly permission: string | null;
  /** Null: one application, or any, and the permission as the route writes it. */
  readonly demand: Demand | null;
}

export type Because =
  /** The effective role has the permission, or lacks it. */
  | { readonly kind: 'role'; readonly rule: RoleRule['rule']; readonly team: string | null }
  /**
   * Unsafe call on a route about any application: this per-application role lacks the permission.
   */
  | { readonly kind: 'withheld'; readonly by: string }
  /** The request names no possible application. */
  | { readonly kind: 'not-a-name' }
  /**
   * On a case-insensitive route: the registry knows several applications that differ by case alone.
   */
  | { readonly kind: 'ambiguous'; readonly spellings: readonly string[] }
  /** Some applications permit, and that is enough here. */
  | { readonly kind: 'some' }
  /** Not one application of the registry permits. */
  | { readonly kind: 'none' }
  /** More permit than a service can be told. */
  | { readonly kind: 'too-many-applications' }
  /** A variable of the permission has no value that could be one, or there are too many. */
  | PermissionsFault;

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
  const { from } = route.application;
  if (route.permissionTemplate !== null || from === 'body' || from === 'some')
    return authoriseEach(policy, account, route, variables, method);
  // A public route never comes here, and compileRoute lets no other be without a permission; if one
  // were, it would be refused.
  const permission = route.permission ?? '';
  if (from === 'any') return judgeAny(policy, account, permission, method);
  const named = nameApplication(policy, account, route, variables);
  return typeof named === 'string' ? judgeOn(policy, account, named, permission) : refused(named);
}

/**
 * The same about a call of which no more is known than what it asked: for the record of calls,
 * whose requests are gone.
 *
 * @param route null: it is not known any more, so that some applications of `demand` may have been
 * enough
 */
export function authoriseDemand(
  policy: PolicyView,
  account: Principal,
  route: Pick<Route, 'application' | 'caseInsensitive'> | null,
  { applications, permissions }: Demand,
  method: string,
): Authorisation {
  if (route?.application.from === 'some')
    return authoriseSome(policy, account, permissions, method);
  if (route === null || !route.caseInsensitive || applications === null)
    return judgeEach(policy, account, { applications, permissions }, method);
  const named = new Set<string>();
  for (const application of applications) {
    const spelling = nameOf(policy, account, route, application);
    if (typeof spelling !== 'string') return refused(spelling);
    named.add(spelling);
  }
  return judgeEach(policy, account, { applications: [...named], permissions }, method);
}

/** Every permission that the values of the variables make. */
function authoriseEach(
  policy: PolicyView,
  account: Principal,
  route: Route,
  variables: readonly Variable[],
  method: string,
): Authorisation {
  const permissions = permissionsOf(route, variables);
  if ('kind' in permissions) return refused(permissions);
  if (route.application.from === 'some') return authoriseSome(policy, account, permissions, method);
  const applications = applicationsOf(policy, account, route, variables);
  if (applications !== null && 'kind' in applications) return refused(applications);
  const demand: Demand = { applications, permissions };
  return { ...judgeEach(policy, account, demand, method), demand };
}

/** One application that permits is enough; the service is told which do. */
function authoriseSome(
  policy: PolicyView,
  account: Principal,
  permissions: readonly string[],
  method: string,
): Authorisation {
  const applications = permittedApplications(policy, account, permissions);
  if (applications === null) return refused({ kind: 'too-many-applications' });
  const demand: Demand = { applications, permissions };
  if (applications.length === 0) return { ...refused({ kind: 'none' }), demand };
  const because: Because = { kind: 'some' };
  return { ...judgeEach(policy, account, demand, method), because, demand };
}

/** The first that is not allowed; else all are, and a role is named where it is the same in all. */
function judgeEach(
  policy: PolicyView,
  account: Principal,
  { applications, permissions }: Demand,
  method: string,
): Authorisation {
  let judged: Authorisation | null = null;
  let sameRole = true;
  for (const application of applications ?? [null]) {
    for (const permission of permissions) {
      const one =
        application === null
          ? judgeAny(policy, account, permission, method)
          : judgeOn(policy, account, application, permission);
      if (!one.allowed) return one;
      sameRole &&= judged === null || judged.role === one.role;
      judged = one;
    }
  }
  // None was asked for: nothing is permitted that was not judged.
  if (judged === null) return refused({ kind: 'not-a-name' });
  const several = applications !== null && applications.length > 1;
  return {
    ...judged,
    application: several ? null : judged.application,
    role: sameRole ? judged.role : null,
  };
}

/** In the registry's spelling, each once; null: the route is about any. */
function applicationsOf(
  policy: PolicyView,
  account: Principal,
  route: Route,
  variables: readonly Variable[],
): readonly string[] | null | Unnamed {
  const { application } = route;
  if (application.from === 'any' || application.from === 'some') return null;
  if (application.from === 'fixed') return [application.name];
  const names = new Set<string>();
  for (const value of valuesOf(variables, application.variable)) {
    const named = nameOf(policy, account, route, value);
    if (typeof named !== 'string') return named;
    names.add(named);
  }
  return names.size === 0 ? { kind: 'not-a-name' } : [...names];
}

/** Nobody's role came to be asked. */
function refused(because: Because): Authorisation {
  return {
    allowed: false,
    application: null,
    role: null,
    because,
    permission: null,
    demand: null,
  };
}

/** Whether the effective role on one application has the permission. */
export function judgeOn(
  policy: PolicyView,
  account: Principal,
  application: string,
  permission: string,
): Authorisation & {
  readonly role: string;
  readonly because: Extract<Because, { kind: 'role' }>;
} {
  const owner = policy.ownerOf(application);
  const { rule, role } = account.roleRule(application, owner);
  return {
    allowed: policy.roleAllows(role, permission),
    application,
    role,
    because: { kind: 'role', rule, team: rule === 'team' ? owner : null },
    permission,
    demand: null,
  };
}

/**
 * The default role decides. An unsafe call might reach any application, so it also needs the
 * consent of every role that replaces the default one somewhere: lowering on one application cannot
 * be walked around.
 */
function judgeAny(
  policy: PolicyView,
  account: Principal,
  permission: string,
  method: string,
): Authorisation {
  const role = account.account.role;
  const because: Because = { kind: 'role', rule: 'default', team: null };
  const rest = { application: null, permission, demand: null };
  if (!policy.roleAllows(role, permission)) return { ...rest, allowed: false, role, because };
  const withholding = isUnsafe(method)
    ? account.perApplicationRoles.find(
        (perApplication) => !policy.roleAllows(perApplication, permission),
      )
    : undefined;
  if (withholding === undefined) return { ...rest, allowed: true, role, because };
  return {
    ...rest,
    allowed: false,
    role: withholding,
    because: { kind: 'withheld', by: withholding },
  };
}

/** Why there is no application to judge. */
type Unnamed = Extract<Because, { kind: 'not-a-name' | 'ambiguous' }>;

const NOT_A_NAME: Unnamed = { kind: 'not-a-name' };

/** The application that the path or the route names. */
function nameApplication(
  policy: PolicyView,
  account: Principal,
  route: Route,
  variables: readonly Variable[],
): string | Unnamed {
  const { application } = route;
  if (application.from === 'fixed') return application.name;
  if ('variable' in application)
    for (const { name, value } of variables)
      if (name === application.variable) return nameOf(policy, account, route, value);
  return NOT_A_NAME;
}

function nameOf(
  policy: PolicyView,
  account: Principal,
  route: Pick<Route, 'caseInsensitive'>,
  text: string,
): string | Unnamed {
  // A server on Windows takes `crm.` for `crm`, whose role may be another.
  if (!isName(text) || text.endsWith('.')) return NOT_A_NAME;
  return route.caseInsensitive ? knownSpelling(policy, account, text) : text;
}

/**
 * The upstream takes `crm` and `CRM` for one application, so the decision must too, or changing the
 * case would walk around a grant that lowers. The spelling that the account's grants and the teams
 * know counts; if they know several, nobody can say which is meant, and the answer is no. An
 * application that neither knows keeps the client's spelling: the default role decides either way.
 */
function knownSpelling(policy: PolicyView, account: Principal, segment: string): string | Unnamed {
  const folded = segment.toLowerCase();
  const granted = account.grantedLike(folded);
  const owned = policy.ownedLike(folded);
  const spellings = granted.length === 0 ? owned : [...new Set([...granted, ...owned])];
  if (spellings.length > 1) return { kind: 'ambiguous', spellings };
  return spellings[0] ?? segment;
}

/** What a caller may be told beside the refusal: about the form of what was sent alone. */
export function detailOf({ kind }: Because): string | null {
  if (kind === 'no-value') return 'what the call is about is no possible name';
  return kind === 'too-many' || kind === 'too-many-applications'
    ? 'the call is about too many things at once'
    : null;
}

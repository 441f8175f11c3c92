import type { PolicyView } from '../account/policy.ts';
import type { Principal, RoleRule } from '../account/principal.ts';
import type { Clock } from '../clock.ts';
import { showJsonPointer } from '../config/json-pointer.ts';
import { isInNetworks } from '../http/network.ts';
import { isUnambiguousPath } from '../http/target.ts';
import type { RefusalReason } from '../refusal.ts';
import { standingOf } from './authenticate.ts';
import { type Authorisation, authorise } from './authorise.ts';
import { admit } from './decide.ts';
import type { Route } from './route.ts';
import type { RouteMatch, RouteTable, Variable } from './route-table.ts';
import { APPLICATIONS_BYTES_MAX } from './some-application.ts';

/** Why a call would be let in or refused, in words, taken from the very functions that decide. */
export interface Explanation {
  readonly allowed: boolean;
  readonly reason: RefusalReason | 'permitted';
  /** Name of the route that matches. */
  readonly route: string | null;
  /** With values in the place of its variables, as far as there are any. */
  readonly permission: string | null;
  readonly application: string | null;
  /** Where the call is about several. */
  readonly applications: readonly string[];
  readonly role: string | null;
  /** Which of the three rules named the role; null when none was asked. */
  readonly rule: RoleRule['rule'] | null;
  /** The team by which it has the role; null when another rule named it. */
  readonly team: string | null;
  /** One sentence per step, in the order of the decision. */
  readonly because: readonly string[];
}

export interface Question {
  readonly account: Principal;
  readonly method: string;
  /** With or without port; lower case. */
  readonly host: string;
  /** Without query. */
  readonly path: string;
  /** What stands in the body, for routes that are decided by it. */
  readonly variables?: readonly Variable[];
  /** The client's address; null or absent: it is not said. */
  readonly from?: string | null;
}

/** Explains a call from first to last step, assuming that the account shows its live token. */
export function explain(
  context: { table: RouteTable; policy: PolicyView; clock: Clock },
  question: Question,
): Explanation {
  const { account, method, host, path } = question;
  const inadmissible = admit(
    { method, framing: { kind: 'none', declared: false } },
    { bodyBytes: 0 },
  );
  if (inadmissible !== null) return refused(inadmissible, `The method ${method} is never let in.`);
  if (!isUnambiguousPath(path))
    return refused(
      'target-ambiguous',
      `Some servers read ${path} as another path, so the gate refuses it: write it without //, dot segments and escapes.`,
    );
  const match = context.table.match(host, path, method);
  if (match.kind === 'route' && match.route.access === 'public') return publicRoute(match.route);
  const standing = standingOf(account, context.clock.wallMs());
  if (standing !== 'proven') return refused(standing, standingWords(account, standing));
  const { from = null } = question;
  const elsewhere = from === null ? null : addressWords(account, from);
  if (elsewhere !== null) return refused('address-refused', elsewhere);
  const asked = { ...question, match };
  const explained = explainKnown(context, asked);
  return explained.allowed
    ? { ...explained, because: [...explained.because, ...conditionsOf(account, from)] }
    : explained;
}

/** Of a caller who is known. */
function explainKnown(
  context: { table: RouteTable; policy: PolicyView },
  question: Question & { readonly match: RouteMatch },
): Explanation {
  const { account, method, host, path, match } = question;
  if (match.kind === 'none')
    return refused(
      'route-unknown',
      `No route matches ${path} on ${host}.`,
      'Compare path and host with the routes of the gate: a path that servers may read in several ways must match one in each of them.',
    );
  if (match.kind === 'method-refused') {
    return refused(
      'method-refused',
      `The routes for ${path} take ${match.allow.join(', ')}, not ${method}.`,
    );
  }
  if (match.route.action !== null) return ownAction(match.route);
  const { route } = match;
  const ofBody = question.variables ?? [];
  const unsaid = unsaidWords(route, ofBody);
  if (unsaid.length > 0)
    return {
      ...refused('body-refused', ''),
      route: route.name,
      permission: route.permission,
      because: unsaid,
    };
  const variables = [...match.variables, ...ofBody];
  return explainAuthorisation(context.policy, account, route, variables, method);
}

/** What must be said of the body before the route can be explained. */
function unsaidWords({ name, bodyVariables }: Route, said: readonly Variable[]): readonly string[] {
  const other = said.find((one) => bodyVariables.every((known) => known.name !== one.name));
  if (other !== undefined) return [`Route ${name} takes no variable ${other.name} from the body.`];
  const unsaid = bodyVariables.filter((known) => said.every((one) => one.name !== known.name));
  if (unsaid.length === 0) return [];
  return [
    `Route ${name} is decided by the body of a request.`,
    ...unsaid.map(
      (known) =>
        `What stands at ${showJsonPointer(known.json)} is not known here: say it as a variable, ${known.name}=VALUE, once for each value.`,
    ),
  ];
}

/** Explains the last step alone: whether the account may use a route that has matched. */
function explainAuthorisation(
  policy: PolicyView,
  account: Principal,
  route: Route,
  variables: readonly Variable[],
  method: string,
): Explanation {
  const authorisation = authorise(policy, account, route, variables, method);
  const { allowed, application, role, because } = authorisation;
  return {
    allowed,
    reason: allowed ? 'permitted' : 'permission-denied',
    route: route.name,
    permission: authorisation.permission ?? route.permission,
    application,
    applications: severalOf(authorisation),
    role,
    ...(because.kind === 'role'
      ? { rule: because.rule, team: because.team }
      : { rule: null, team: null }),
    because: [
      `Route ${route.name} requires ${route.permission}${hereWords(route, authorisation)}.`,
      ...authorisationWords(authorisation, account),
    ],
  };
}

function severalOf({ demand }: Authorisation): readonly string[] {
  const { applications } = demand ?? {};
  return applications === undefined || applications === null || applications.length < 2
    ? []
    : applications;
}

/** What the variables of the permission stand for. */
function hereWords({ permissionTemplate }: Route, { demand }: Authorisation): string {
  return demand === null || permissionTemplate === null
    ? ''
    : `, here ${demand.permissions.join(', ')}`;
}

function authorisationWords(found: Authorisation, account: Principal): readonly string[] {
  const { because, permission, demand } = found;
  const several = severalOf(found);
  if (found.allowed && several.length > 0 && because.kind !== 'some')
    return [
      `The call is about ${several.join(', ')}: on each of them the role of ${account.account.name} has ${demand?.permissions.join(', ')}.`,
    ];
  const { name } = account.account;
  switch (because.kind) {
    case 'not-a-name':
      return ['The application that the call names is not a possible name.'];
    case 'ambiguous':
      return [
        `The application could be any of ${because.spellings.join(', ')}, which differ only by letter case.`,
      ];
    case 'some':
      return [
        `The route is about some application: it is enough that one permits it, and the service must see to the rest.`,
        `${name} has ${demand?.permissions.join(', ')} on ${demand?.applications?.join(', ')}.`,
      ];
    case 'none':
      return [
        `The route is about some application: ${name} has ${demand?.permissions.join(', ')} on none that the registry knows.`,
      ];
    case 'too-many-applications':
      return [
        `The route is about some application, and ${name} has the permission on more than the ${APPLICATIONS_BYTES_MAX} bytes of X-Account-Applications can tell the service.`,
      ];
    case 'no-value':
      return [
        `What stands for {${because.variable}} is not a possible name (at most 64 letters, digits, dots, hyphens and underscores, and no dot at the end), so no role can have the permission.`,
      ];
    case 'too-many':
      return ['The call is about more than can be permitted at once: split it into several.'];
    case 'withheld':
      return [
        `The route is about any application, and the method may change something.`,
        `Role ${because.by}, which ${name} has on some application, lacks ${permission}.`,
      ];
    case 'role':
      return [ruleWords(found, because.rule, because.team, name), roleWords(found)];
  }
}

function ruleWords(
  found: Authorisation,
  rule: RoleRule['rule'],
  team: string | null,
  name: string,
): string {
  if (rule === 'grant')
    return `A grant gives ${name} the role ${found.role} on ${found.application}.`;
  if (rule === 'team')
    return `${found.application} belongs to team ${team}, in which ${name} has the role ${found.role}.`;
  if (rule === 'in-doubt')
    return (
      `The store has lost a change of who owns ${found.application}, and ${name} is in a team that ` +
      'may: there is no role in it until an administrator has changed the team.'
    );
  const where =
    found.application === null
      ? 'The route is about any application'
      : `No grant and no team speaks for ${found.application}`;
  return `${where}: the default role of ${name}, ${found.role}, decides.`;
}

function roleWords({ role, allowed, permission }: Authorisation): string {
  return `Role ${role} ${allowed ? 'has' : 'lacks'} ${permission}.`;
}

/** Null: the account is let in from there. */
function addressWords({ account }: Principal, from: string): string | null {
  const { allowedNetworks } = account;
  if (allowedNetworks === undefined || isInNetworks(allowedNetworks, from)) return null;
  return `${account.name} is let in from ${allowedNetworks.join(', ')} alone, and ${from} is not there.`;
}

/** What the call must bring besides the token. */
function conditionsOf({ account }: Principal, from: string | null): readonly string[] {
  const { name, allowedNetworks, boundTo } = account;
  const networks =
    allowedNetworks === undefined || from !== null
      ? []
      : [`Only from ${allowedNetworks.join(', ')}: from elsewhere ${name} is refused.`];
  if (boundTo === undefined) return networks;
  const certificate =
    'thumbprint' in boundTo
      ? `the client certificate with the SHA-256 thumbprint ${boundTo.thumbprint}`
      : `a client certificate of ${boundTo.subject} that a CA of clientCaFile vouches for`;
  return [
    ...networks,
    `Only on a connection to the gate with ${certificate}: elsewhere, behind trusted proxies and at the decision endpoint too, ${name} is refused.`,
  ];
}

function standingWords(
  account: Principal,
  standing: Exclude<ReturnType<typeof standingOf>, 'proven'>,
): string {
  const { name, kind, expiresAt } = account.account;
  if (kind === 'user')
    return `${name} is a person: people hold no token and are refused by the proxied APIs.`;
  if (standing === 'token-revoked')
    return `${name} is a honey account: its tokens are let in nowhere, and using one raises an alarm.`;
  if (standing === 'account-inactive') return `${name} is inactive.`;
  return standing === 'token-expired'
    ? `${name} expired at ${expiresAt}.`
    : `${name} holds no token that counts.`;
}

/** No role was asked. */
const NOBODY = {
  permission: null,
  application: null,
  applications: [],
  role: null,
  rule: null,
  team: null,
} as const;

function publicRoute(route: Route): Explanation {
  const because = [`Route ${route.name} is public: no token is read.`];
  return { ...NOBODY, allowed: true, reason: 'permitted', route: route.name, because };
}

function ownAction(route: Route): Explanation {
  const because = [
    `On route ${route.name} the gate itself exchanges the token of the caller: whoever holds the live one may.`,
  ];
  return { ...NOBODY, allowed: true, reason: 'permitted', route: route.name, because };
}

function refused(reason: RefusalReason, ...because: readonly string[]): Explanation {
  return { ...NOBODY, allowed: false, reason, route: null, because };
}

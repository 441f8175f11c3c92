import { parsePermissionTemplate } from '../account/permission-template.ts';
import { type PathTemplate, parsePathTemplate } from '../config/path-template.ts';
import { isRouteHost } from '../config/values.ts';
import { hostName } from '../http/host-name.ts';
import { isUnsafe, methodBit, methodBits } from '../http/method.ts';
import type { Route } from './route.ts';

/** A route as it stands in the tree. */
export interface Entry {
  readonly route: Route;
  readonly template: PathTemplate;
  /**
   * How many segments are literal, the empty one of a trailing slash and a verb included: the
   * more, the more specific.
   */
  readonly literals: number;
  readonly methods: number;
  /** Which hosts the route names: 2 one, 1 those below a name, 0 any. The higher one wins. */
  readonly hostRank: number;
  /** Where the variables stand, so that a match does not have to look for them. */
  readonly variables: readonly { readonly name: string; readonly index: number }[];
}

/**
 * One step of a path: what may come next, and the routes that end here. Every node is reached by
 * one way only.
 */
export interface Node {
  /** Whether any literal may come next: else no segment needs to be cut out and looked up. */
  hasLiterals: boolean;
  readonly literals: Map<string, Node>;
  /** Literals of case-insensitive routes, in lower case; null until there is one. */
  folded: Map<string, Node> | null;
  variable: Node | null;
  /** What stands behind a colon in the segment that led here: a node whose literals are verbs. */
  verbs: Node | null;
  /** Whether any node next to this one has verbs. */
  splitsNext: boolean;
  /** Routes whose path ends here. */
  readonly ends: Entry[];
  /** Routes with `/**` from here on. */
  readonly rests: Entry[];
}

export function emptyNode(): Node {
  return {
    hasLiterals: false,
    literals: new Map(),
    folded: null,
    variable: null,
    verbs: null,
    splitsNext: false,
    ends: [],
    rests: [],
  };
}

/**
 * Compiles one route. Throws a `TypeError` for a route that must not exist: the configuration
 * reports such faults with line numbers before it comes to this; here stands the last bar, so that
 * no other way in can bring one.
 */
export function compileRoute(route: Route): Entry {
  const template = parsePathTemplate(route.path);
  if (typeof template === 'string') throw new TypeError(`route ${route.name}: ${template}`);
  const fault = ruleFault(route, template);
  if (fault !== null) throw new TypeError(`route ${route.name}: ${fault}`);
  const variables = variablesIn(template);
  const literals = template.segments.length - variables.length + (template.verb === null ? 0 : 1);
  const methods = methodBits(route.methods);
  return { route, template, literals, methods, variables, hostRank: hostRank(route.host) };
}

function hostRank(host: string): number {
  if (host === '*') return 0;
  return host.startsWith('*.') ? 1 : 2;
}

function variablesIn(template: PathTemplate): Entry['variables'] {
  return template.segments.flatMap((segment, index) =>
    'variable' in segment ? [{ name: segment.variable, index }] : [],
  );
}

/** What a route must not be, whoever wrote it. */
function ruleFault(route: Route, template: PathTemplate): string | null {
  if (route.host !== hostName(route.host.toLowerCase()) || !isRouteHost(route.host))
    return 'the host is written in lower case, without port and final dot';
  if (route.methods.length === 0) return 'has no methods';
  const unroutable = route.methods.find((method) => methodBit(method) === 0);
  if (unroutable !== undefined) return `${unroutable} can never be let in`;
  if (route.action !== null) return actionFault(route);
  if (route.access === 'public') {
    if (route.bodyOn.length > 0 || route.bodyVariables.length > 0)
      return 'a public route takes no body';
    return route.methods.some((method) => isUnsafe(method) || method === 'OPTIONS')
      ? 'a public route takes GET and HEAD only'
      : null;
  }
  const fault = permissionFault(route, template);
  if (fault !== null) return fault;
  const both = route.bodyVariables.find(({ name }) => hasVariable(template, name));
  if (both !== undefined) return `{${both.name}} stands in the path and in the body`;
  if (route.application.from === 'some')
    return route.methods.some(isUnsafe) && !route.upstreamChecksApplications
      ? 'an unsafe method on some application needs a service that checks it'
      : null;
  if (!('variable' in route.application)) return null;
  const { from, variable } = route.application;
  const isThere = from === 'path' ? hasVariable(template, variable) : isInBody(route, variable);
  return isThere ? null : `{${variable}} does not stand in the ${from}`;
}

function permissionFault(route: Route, path: PathTemplate): string | null {
  if (route.permission === null) return 'requires no permission that an account could have';
  const template = parsePermissionTemplate(route.permission);
  if (typeof template === 'string') return template;
  const wanted = template?.variables ?? [];
  // What is asked of roles is made from the compiled form, and shown in the written one.
  if (wanted.join() !== (route.permissionTemplate?.variables ?? []).join())
    return 'the permission and its compiled form differ';
  const unknown = wanted.find(
    (variable) => !hasVariable(path, variable) && !isInBody(route, variable),
  );
  return unknown === undefined ? null : `{${unknown}} stands neither in the path nor in the body`;
}

function isInBody({ bodyVariables }: Route, variable: string): boolean {
  return bodyVariables.some(({ name, json }) => name === variable && json.length > 0);
}

function hasVariable({ segments }: PathTemplate, variable: string): boolean {
  return segments.some((segment) => 'variable' in segment && segment.variable === variable);
}

function actionFault({ access, methods, permission, upstream }: Route): string | null {
  if (access === 'public') return 'a public route has no action: no token is read there';
  if (permission !== null || upstream !== '')
    return 'an action needs no permission and no upstream';
  return methods.some((method) => method !== 'POST') ? 'an action takes POST only' : null;
}

export function insert(root: Node, entry: Entry, anyCase: boolean): void {
  let parent = root;
  let node = root;
  const { segments, verb, open } = entry.template;
  for (const segment of segments) {
    parent = node;
    node =
      'variable' in segment ? variableChild(node) : literalChild(node, segment.literal, anyCase);
  }
  if (verb !== null) {
    parent.splitsNext = true;
    node.verbs ??= emptyNode();
    node = literalChild(node.verbs, verb, anyCase);
  }
  (open ? node.rests : node.ends).push(entry);
}

function variableChild(node: Node): Node {
  node.variable ??= emptyNode();
  return node.variable;
}

function literalChild(node: Node, literal: string, anyCase: boolean): Node {
  node.hasLiterals = true;
  if (anyCase) node.folded ??= new Map();
  const children = anyCase && node.folded !== null ? node.folded : node.literals;
  const key = anyCase ? literal.toLowerCase() : literal;
  const child = children.get(key) ?? emptyNode();
  children.set(key, child);
  return child;
}

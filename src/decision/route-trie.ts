import { isOwn, isPermission } from '../account/permission.ts';
import { isUnsafe, methodBit, methodBits } from './method.ts';
import { type PathTemplate, parsePathTemplate } from './path-template.ts';
import type { Route } from './route.ts';

/** A route as it stands in the tree. */
export interface Entry {
  readonly route: Route;
  readonly template: PathTemplate;
  readonly methods: number;
}

/** One step of a path: what may come next, and the routes that end here. Every node is reached by one way only. */
export interface Node {
  readonly literals: Map<string, Node>;
  /** Literals of case-insensitive routes, in lower case; null until there is one. */
  folded: Map<string, Node> | null;
  variable: Node | null;
  /** Routes whose path ends here. */
  readonly ends: Entry[];
  /** Routes with `/**` from here on. */
  readonly rests: Entry[];
}

export function emptyNode(): Node {
  return { literals: new Map(), folded: null, variable: null, ends: [], rests: [] };
}

/**
 * Compiles one route. Throws a `TypeError` for a route that must not exist: the configuration reports such faults with line numbers
 * before it comes to this; here stands the last bar, so that no other way in can bring one.
 */
export function compileRoute(route: Route): Entry {
  const template = parsePathTemplate(route.path);
  const fault = 'fault' in template ? template.fault : ruleFault(route, template);
  if (fault !== null || 'fault' in template) throw new TypeError(`route ${route.name}: ${fault}`);
  return { route, template, methods: methodBits(route.methods) };
}

/** What the contract forbids a route to be. */
function ruleFault(route: Route, template: PathTemplate): string | null {
  if (route.methods.length === 0) return 'has no methods';
  const unroutable = route.methods.find((method) => methodBit(method) === 0);
  if (unroutable !== undefined) return `${unroutable} can never be let in`;
  if (route.access === 'public') {
    return route.methods.some((method) => isUnsafe(method) || method === 'OPTIONS')
      ? 'a public route takes GET and HEAD only'
      : null;
  }
  if (route.permission === null || !isPermission(route.permission)) return 'requires no permission that an account could have';
  if (isOwn(route.permission)) return 'no route may require a permission of Sallyport itself';
  if (route.application.from !== 'path') return null;
  const { variable } = route.application;
  const stands = template.segments.some((segment) => 'variable' in segment && segment.variable === variable);
  return stands ? null : `{${variable}} does not stand in the path`;
}

export function insert(root: Node, entry: Entry, anyCase: boolean): void {
  let node = root;
  for (const segment of entry.template.segments) {
    node = 'variable' in segment ? variableChild(node) : literalChild(node, segment.literal, anyCase);
  }
  (entry.template.rest ? node.rests : node.ends).push(entry);
}

function variableChild(node: Node): Node {
  node.variable ??= emptyNode();
  return node.variable;
}

function literalChild(node: Node, literal: string, anyCase: boolean): Node {
  if (anyCase) node.folded ??= new Map();
  const children = anyCase && node.folded !== null ? node.folded : node.literals;
  const key = anyCase ? literal.toLowerCase() : literal;
  const child = children.get(key) ?? emptyNode();
  children.set(key, child);
  return child;
}

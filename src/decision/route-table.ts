import { hostName } from './host-name.ts';
import { methodBit, methodsOf } from './method.ts';
import type { Route } from './route.ts';
import { findTies } from './route-ties.ts';
import { compileRoute, type Entry, emptyNode, insert, type Node } from './route-trie.ts';

/** A `{name}` of the template with the segment that stands there, as the client wrote it. */
export interface Variable {
  readonly name: string;
  readonly value: string;
}

export type RouteMatch =
  | { readonly kind: 'route'; readonly route: Route; readonly variables: readonly Variable[] }
  /** Host and path are known, the method is not taken there; `allow` has those that are. */
  | { readonly kind: 'method-refused'; readonly allow: readonly string[] }
  | { readonly kind: 'none' };

/** All routes of a configuration. Immutable: a reload makes a new table. */
export interface RouteTable {
  /**
   * The route for a request, or why there is none. A route matches when host, path and method do;
   * of those that match, one for the exact host beats one for `*`, then more literal segments win.
   * `host` may carry a port; `path` has passed the target gate, so that segments are compared as
   * bytes.
   */
  match(host: string, path: string, method: string): RouteMatch;
}

const NO_ROUTE: RouteMatch = { kind: 'none' };
const NO_VARIABLES: readonly Variable[] = [];
const ANY_HOST = '*';

/**
 * A path parameter (RFC 3986 §3.3): some servers take `/admin;x/users` for `/admin/users`. Where
 * the two readings come to different routes there is none, or a `;` would be a way around the more
 * specific one.
 */
const PARAMETER = ';';

function withoutParameters(path: string): string {
  return path.replace(/;[^/]*/g, '');
}

/**
 * Many servers take `/admin/` for `/admin`. A `/**` that takes the first does not take it from a
 * more specific route for the second; whoever means the two to differ writes a template that ends
 * in a slash.
 */
function endsInSlash(path: string): boolean {
  return path.length > 1 && path.endsWith('/');
}

/**
 * Throws a `TypeError` for a route that must not exist, and for two of which neither is the more
 * specific (`findTies`).
 */
export function createRouteTable(routes: readonly Route[]): RouteTable {
  const tie = findTies(routes)[0];
  if (tie !== undefined)
    throw new TypeError(
      `routes ${tie.first.name} and ${tie.second.name} both match ${tie.example}`,
    );
  return new TrieTable(routes);
}

class TrieTable implements RouteTable {
  readonly #anyHost = emptyNode();
  readonly #hosts = new Map<string, Node>();

  constructor(routes: readonly Route[]) {
    for (const route of routes)
      insert(this.#rootFor(route.host), compileRoute(route), route.caseInsensitive);
  }

  match(host: string, path: string, method: string): RouteMatch {
    const ofHost = this.#hosts.size === 0 ? undefined : this.#hosts.get(hostName(host));
    const bit = methodBit(method);
    const entry = this.#best(ofHost, path, bit);
    if (path.includes(PARAMETER) && entry !== this.#best(ofHost, withoutParameters(path), bit))
      return NO_ROUTE;
    if (
      entry?.template.open &&
      endsInSlash(path) &&
      entry !== this.#best(ofHost, path.slice(0, -1), bit)
    )
      return NO_ROUTE;
    if (entry !== null)
      return { kind: 'route', route: entry.route, variables: variablesOf(entry, path) };
    const allowed =
      (ofHost ? allowedMethods(ofHost, path, 1) : 0) | allowedMethods(this.#anyHost, path, 1);
    return allowed === 0 ? NO_ROUTE : { kind: 'method-refused', allow: methodsOf(allowed) };
  }

  #best(ofHost: Node | undefined, path: string, bit: number): Entry | null {
    const exact = ofHost === undefined ? null : best(ofHost, path, 1, bit, null);
    return exact ?? best(this.#anyHost, path, 1, bit, null);
  }

  #rootFor(host: string): Node {
    if (host === ANY_HOST) return this.#anyHost;
    const root = this.#hosts.get(host) ?? emptyNode();
    this.#hosts.set(host, root);
    return root;
  }
}

/**
 * The most specific entry that takes the path and the method, or the one found so far. `offset` is
 * where the next segment begins; past the end means that all are consumed. Each node is visited at
 * most once: the work is bounded by the configuration, not by the request.
 */
function best(
  node: Node,
  path: string,
  offset: number,
  bit: number,
  found: Entry | null,
): Entry | null {
  let winner = betterOf(node.rests, bit, found);
  if (offset > path.length) return betterOf(node.ends, bit, winner);
  const end = segmentEnd(path, offset);
  const segment = path.slice(offset, end);
  const literal = node.literals.get(segment);
  if (literal !== undefined) winner = best(literal, path, end + 1, bit, winner);
  const folded = node.folded?.get(segment.toLowerCase());
  if (folded !== undefined) winner = best(folded, path, end + 1, bit, winner);
  if (node.variable !== null && segment !== '')
    winner = best(node.variable, path, end + 1, bit, winner);
  return winner;
}

function betterOf(entries: readonly Entry[], bit: number, found: Entry | null): Entry | null {
  let winner = found;
  for (const entry of entries) {
    if ((entry.methods & bit) !== 0 && (winner === null || entry.literals > winner.literals))
      winner = entry;
  }
  return winner;
}

/**
 * The methods that any route takes on this path: the same walk, run only when nothing was found.
 */
function allowedMethods(node: Node, path: string, offset: number): number {
  let methods = 0;
  for (const entry of node.rests) methods |= entry.methods;
  if (offset > path.length) {
    for (const entry of node.ends) methods |= entry.methods;
    return methods;
  }
  const end = segmentEnd(path, offset);
  const segment = path.slice(offset, end);
  const nexts = [
    node.literals.get(segment),
    node.folded?.get(segment.toLowerCase()),
    segment === '' ? undefined : (node.variable ?? undefined),
  ];
  for (const next of nexts) if (next !== undefined) methods |= allowedMethods(next, path, end + 1);
  return methods;
}

function segmentEnd(path: string, offset: number): number {
  const slash = path.indexOf('/', offset);
  return slash === -1 ? path.length : slash;
}

function variablesOf(entry: Entry, path: string): readonly Variable[] {
  if (entry.variables.length === 0) return NO_VARIABLES;
  return entry.variables.map(({ name, index }) => ({ name, value: segmentAt(path, index) }));
}

/** The `index`th segment of a path that is known to have one. */
function segmentAt(path: string, index: number): string {
  let start = 1;
  for (let passed = 0; passed < index; passed++) start = segmentEnd(path, start) + 1;
  return path.slice(start, segmentEnd(path, start));
}

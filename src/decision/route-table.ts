import { hostName } from '../http/host-name.ts';
import { methodBit, methodsOf } from '../http/method.ts';
import type { Route } from './route.ts';
import { RouteForest } from './route-forest.ts';
import { RouteReadings } from './route-readings.ts';
import { findTies } from './route-ties.ts';
import { compileRoute, type Entry } from './route-trie.ts';
import { allowedMethods, segmentAt } from './route-walk.ts';

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
   * of those that match, one for the exact host beats one for `*.…`, and that one for `*`, then
   * more literal segments win. `host` may carry a port; `path` has passed the target gate, so that
   * segments are compared as bytes. A path that the upstream may read as one of another route has
   * none (path-readings.ts).
   */
  match(host: string, path: string, method: string): RouteMatch;
  /** The methods that any route takes there, in a fixed order. */
  allowed(host: string, path: string): readonly string[];
  /** Whether any route answers browsers' preflights. */
  readonly answersPreflights: boolean;
  /** Whether any route is for a host by name. */
  readonly namesHosts: boolean;
}

const NO_ROUTE: RouteMatch = { kind: 'none' };
const NO_VARIABLES: readonly Variable[] = [];

/**
 * By the list that they were made of: a reload makes one ahead, in a turn of the loop of its own.
 */
const made = new WeakMap<readonly Route[], RouteTable>();

/**
 * Throws a `TypeError` for a route that must not exist, and for two of which neither is the more
 * specific (`findTies`).
 */
export function createRouteTable(routes: readonly Route[]): RouteTable {
  const known = made.get(routes);
  if (known !== undefined) return known;
  const tie = findTies(routes)[0];
  if (tie !== undefined)
    throw new TypeError(
      `routes ${tie.first.name} and ${tie.second.name} both match ${tie.example}`,
    );
  const table = new TrieTable(routes);
  made.set(routes, table);
  return table;
}

class TrieTable implements RouteTable {
  readonly #forest: RouteForest;
  readonly #readings: RouteReadings;
  readonly answersPreflights: boolean;

  constructor(routes: readonly Route[]) {
    const entries = routes.map(compileRoute);
    this.answersPreflights = routes.some(({ cors }) => cors !== null);
    const anyCase = routes.filter(({ caseInsensitive }) => caseInsensitive).length;
    this.#forest = new RouteForest(entries);
    const mixed = anyCase > 0 && anyCase < routes.length;
    this.#readings = new RouteReadings(
      this.#forest,
      mixed ? new RouteForest(entries, true) : null,
      entries,
    );
  }

  get namesHosts(): boolean {
    return this.#forest.namesHosts;
  }

  match(host: string, path: string, method: string): RouteMatch {
    const forest = this.#forest;
    const name = forest.namesHosts ? hostName(host) : '';
    const ofHost = forest.ofHost(name);
    const bit = methodBit(method);
    const entry = forest.best(ofHost, path, bit);
    if (entry !== null) {
      return this.#readings.agree(entry, name, path, bit)
        ? { kind: 'route', route: entry.route, variables: variablesOf(entry, path) }
        : NO_ROUTE;
    }
    const allow = this.allowed(host, path);
    return allow.length === 0 ? NO_ROUTE : { kind: 'method-refused', allow };
  }

  allowed(host: string, path: string): readonly string[] {
    const forest = this.#forest;
    const ofHost = forest.ofHost(forest.namesHosts ? hostName(host) : '');
    return methodsOf(ofHost.reduce((bits, tree) => bits | allowedMethods(tree, path, 1), 0));
  }
}

function variablesOf(entry: Entry, path: string): readonly Variable[] {
  if (entry.variables.length === 0) return NO_VARIABLES;
  const { verb, segments } = entry.template;
  const variables: Variable[] = [];
  for (const { name, index } of entry.variables) {
    const segment = segmentAt(path, index);
    const endsInVerb = verb !== null && index === segments.length - 1;
    variables.push({ name, value: endsInVerb ? segment.slice(0, -1 - verb.length) : segment });
  }
  return variables;
}

import type { PathTemplate } from '../config/path-template.ts';
import { methodsOf } from './method.ts';
import type { Route } from './route.ts';
import { compileRoute, type Entry, emptyNode, insert, type Node } from './route-trie.ts';

/** Two routes that can match the same request and of which neither is the more specific. */
export interface Tie {
  readonly first: Route;
  readonly second: Route;
  /** A request that both match: `GET /a/b`. */
  readonly example: string;
}

type Segment = PathTemplate['segments'][number];

/** Above this many, further ties are not looked for: one slip in a template can make thousands. */
const TIES_MAX = 100;

/**
 * All ties among routes, in the order of the configuration: same host, a method in common, a path
 * in common, and equally many literal segments. Routes for an exact host never tie with those for
 * `*`. Throws a `TypeError` for a route that must not exist.
 */
export function findTies(routes: readonly Route[]): readonly Tie[] {
  const roots = new Map<string, Node>();
  const ties: Tie[] = [];
  for (const entry of routes.map(compileRoute)) {
    const root = roots.get(entry.route.host) ?? emptyNode();
    roots.set(entry.route.host, root);
    for (const other of overlapping(root, entry)) {
      const tie = tieOf(other, entry);
      if (tie !== null) ties.push(tie);
      if (ties.length === TIES_MAX) return ties;
    }
    insert(root, entry, true);
  }
  return ties;
}

/**
 * Entries of the tree that may share a path with this one. Walking the tree, rather than comparing
 * each with each, keeps thousands of routes a matter of milliseconds. Letter case is left out of
 * it: too many may be offered, never too few.
 */
function overlapping(root: Node, entry: Entry): readonly Entry[] {
  const found: Entry[] = [];
  const { segments, open } = entry.template;
  const visit = (node: Node, depth: number): void => {
    found.push(...node.rests);
    if (depth >= segments.length) found.push(...node.ends);
    if (depth >= segments.length && !open) return;
    for (const next of nextNodes(node, segments[depth])) visit(next, depth + 1);
  };
  visit(root, 0);
  return found;
}

/** `segment` undefined: past the template's end, where `/**` takes everything. */
function nextNodes(node: Node, segment: Segment | undefined): readonly Node[] {
  const variable = node.variable === null ? [] : [node.variable];
  if (segment === undefined || 'variable' in segment)
    return [...(node.folded?.values() ?? []), ...variable];
  const literal = node.folded?.get(segment.literal.toLowerCase());
  return literal === undefined ? variable : [literal, ...variable];
}

function tieOf(first: Entry, second: Entry): Tie | null {
  const methods = first.methods & second.methods;
  if (methods === 0 || first.literals !== second.literals) return null;
  const path = commonPath(first, second);
  return path === null
    ? null
    : { first: first.route, second: second.route, example: `${methodsOf(methods)[0]} ${path}` };
}

/** A path that both templates take, or null. */
function commonPath(first: Entry, second: Entry): string | null {
  const [longer, shorter] =
    first.template.segments.length >= second.template.segments.length
      ? [first, second]
      : [second, first];
  const segments = longer.template.segments;
  if (segments.length > shorter.template.segments.length && !shorter.template.open) return null;
  const words: string[] = [];
  for (const [index, segment] of segments.entries()) {
    const word = commonSegment(segment, longer, shorter.template.segments[index], shorter);
    if (word === null) return null;
    words.push(word);
  }
  return words.length === 0 ? '/' : `/${words.join('/')}`;
}

function commonSegment(
  one: Segment,
  oneEntry: Entry,
  other: Segment | undefined,
  otherEntry: Entry,
): string | null {
  if (other === undefined) return 'literal' in one ? one.literal : 'x';
  if ('variable' in one)
    return 'variable' in other ? 'x' : other.literal === '' ? null : other.literal;
  if ('variable' in other) return one.literal === '' ? null : one.literal;
  if (one.literal === other.literal) return one.literal;
  if (one.literal.toLowerCase() !== other.literal.toLowerCase()) return null;
  // One of the two must take any case, and the spelling is that of the other.
  if (oneEntry.route.caseInsensitive) return other.literal;
  return otherEntry.route.caseInsensitive ? one.literal : null;
}

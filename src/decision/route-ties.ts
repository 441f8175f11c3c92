import type { PathTemplate } from '../config/path-template.ts';
import { methodsOf } from '../http/method.ts';
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
    if (depth >= segments.length) found.push(...node.ends, ...verbEnds(node));
    if (depth >= segments.length && !open) return;
    for (const next of nextNodes(node, segments[depth])) visit(next, depth + 1);
  };
  visit(root, 0);
  return found;
}

function verbEnds({ verbs }: Node): readonly Entry[] {
  return [...(verbs?.folded?.values() ?? [])].flatMap(({ ends }) => ends);
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
  const verb = commonVerb(longer, shorter);
  return verb === null ? null : `/${words.join('/')}${verb}`;
}

/**
 * The verb of such a path with its colon; empty where neither has one, null where none is both's.
 */
function commonVerb(longer: Entry, shorter: Entry): string | null {
  const verbs = [longer.template.verb, shorter.template.verb];
  if (verbs[0] !== null && verbs[1] !== null) {
    const word = commonLiteral(verbs[0]!, longer, verbs[1]!, shorter);
    return word === null ? null : `:${word}`;
  }
  const verb = verbs[0] ?? verbs[1];
  if (verb === null) return '';
  // The other one has to take the whole last segment, colon included.
  const last = longer.template.segments.length - 1;
  const other = (longer.template.verb === null ? longer : shorter).template.segments[last];
  return other === undefined || 'variable' in other ? `:${verb}` : null;
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
  return commonLiteral(one.literal, oneEntry, other.literal, otherEntry);
}

function commonLiteral(
  one: string,
  oneEntry: Entry,
  other: string,
  otherEntry: Entry,
): string | null {
  if (one === other) return one;
  if (one.toLowerCase() !== other.toLowerCase()) return null;
  // One of the two must take any case, and the spelling is that of the other.
  if (oneEntry.route.caseInsensitive) return other;
  return otherEntry.route.caseInsensitive ? one : null;
}

import type { Entry, Node } from './route-trie.ts';

/** The tree of one host, or of any, and how a path is walked through it. */

/**
 * The most specific entry that takes the path and the method, or the one found so far. `offset` is
 * where the next segment begins; past the end means that all are consumed. Each node is visited at
 * most once: the work is bounded by the configuration, not by the request.
 */
export function best(
  node: Node,
  path: string,
  offset: number,
  bit: number,
  found: Entry | null,
): Entry | null {
  let winner = betterOf(node.rests, bit, found);
  if (offset > path.length) return betterOf(node.ends, bit, winner);
  const { variable } = node;
  if (!node.hasLiterals && variable === null) return winner;
  const end = segmentEnd(path, offset);
  if (node.hasLiterals) {
    const segment = path.slice(offset, end);
    const literal = node.literals.get(segment);
    if (literal !== undefined) winner = best(literal, path, end + 1, bit, winner);
    const folded = node.folded?.get(segment.toLowerCase());
    if (folded !== undefined) winner = best(folded, path, end + 1, bit, winner);
  }
  if (variable !== null && end > offset) winner = best(variable, path, end + 1, bit, winner);
  if (node.splitsNext && end === path.length)
    for (const verb of verbsAt(node, path.slice(offset))) winner = betterOf(verb.ends, bit, winner);
  return winner;
}

const NO_NODES: readonly Node[] = [];

/** Where the last segment, split at its last colon, leads: `one:cancel` to `{task}:cancel`. */
function verbsAt(node: Node, segment: string): readonly Node[] {
  const colon = segment.lastIndexOf(':');
  if (colon < 1) return NO_NODES;
  const name = segment.slice(0, colon);
  const verb = segment.slice(colon + 1);
  return [
    node.literals.get(name)?.verbs,
    node.folded?.get(name.toLowerCase())?.verbs,
    node.variable?.verbs,
  ].flatMap((verbs) => {
    const found = [verbs?.literals.get(verb), verbs?.folded?.get(verb.toLowerCase())];
    return found.filter((each) => each !== undefined);
  });
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
export function allowedMethods(node: Node, path: string, offset: number): number {
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
  if (node.splitsNext && end === path.length)
    for (const verb of verbsAt(node, segment))
      for (const { methods: more } of verb.ends) methods |= more;
  return methods;
}

/** The `index`th segment of a path that is known to have one. */
export function segmentAt(path: string, index: number): string {
  let start = 1;
  for (let passed = 0; passed < index; passed++) start = segmentEnd(path, start) + 1;
  return path.slice(start, segmentEnd(path, start));
}

function segmentEnd(path: string, offset: number): number {
  const slash = path.indexOf('/', offset);
  return slash === -1 ? path.length : slash;
}

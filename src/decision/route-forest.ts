import { type Entry, emptyNode, insert, type Node } from './route-trie.ts';
import { best } from './route-walk.ts';

const ANY_HOST = '*';

/**
 * Routes by host: one tree for each that is named, one for the names below each `*.`, and one for
 * any.
 */
export class RouteForest {
  readonly #anyHost: readonly Node[] = [emptyNode()];
  /** For each name that a route has: its trees, the most specific first. */
  readonly #hosts = new Map<string, readonly Node[]>();
  /** The same by what stands behind the first dot, for names that no route has. */
  readonly #below = new Map<string, readonly Node[]>();
  readonly namesHosts: boolean;

  /** @param anyCase literals are compared without regard to case, whatever the routes say */
  constructor(entries: readonly Entry[], anyCase = false) {
    // In the order of their rank, so that a name finds the trees of those below it.
    for (const entry of entries.toSorted((one, other) => one.hostRank - other.hostRank)) {
      const { host, caseInsensitive } = entry.route;
      insert(this.#rootFor(host), entry, anyCase || caseInsensitive);
    }
    this.namesHosts = this.#hosts.size > 0 || this.#below.size > 0;
  }

  /** The trees of routes that take the host, the most specific first. `name`: as of `hostName`. */
  ofHost(name: string): readonly Node[] {
    if (!this.namesHosts) return this.#anyHost;
    const exact = this.#hosts.get(name);
    if (exact !== undefined) return exact;
    return this.#below.get(behindFirstLabel(name)) ?? this.#anyHost;
  }

  best(trees: readonly Node[], path: string, bit: number): Entry | null {
    for (const tree of trees) {
      const found = best(tree, path, 1, bit, null);
      if (found !== null) return found;
    }
    return null;
  }

  #rootFor(host: string): Node {
    if (host === ANY_HOST) return this.#anyHost[0]!;
    const isBelow = host.startsWith('*.');
    const [known, name] = isBelow ? [this.#below, host.slice(2)] : [this.#hosts, host];
    const wider = isBelow
      ? this.#anyHost
      : (this.#below.get(behindFirstLabel(host)) ?? this.#anyHost);
    const trees = known.get(name) ?? [emptyNode(), ...wider];
    known.set(name, trees);
    return trees[0]!;
  }
}

/** `*.example.com` takes one label, so what is behind it names the tree; empty where nothing is. */
function behindFirstLabel(name: string): string {
  const dot = name.indexOf('.');
  return dot === -1 ? '' : name.slice(dot + 1);
}

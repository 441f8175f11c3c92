import { type Entry, emptyNode, insert, type Node } from './route-trie.ts';
import { best } from './route-walk.ts';

const ANY_HOST = '*';

/** Routes by host: one tree for each that is named, and one for all others. */
export class RouteForest {
  readonly anyHost = emptyNode();
  readonly #hosts = new Map<string, Node>();

  /** @param anyCase literals are compared without regard to case, whatever the routes say */
  constructor(entries: readonly Entry[], anyCase = false) {
    for (const entry of entries) {
      const { host, caseInsensitive } = entry.route;
      insert(this.#rootFor(host), entry, anyCase || caseInsensitive);
    }
  }

  /** The tree of routes that name the host; undefined when none does. */
  ofHost(name: string): Node | undefined {
    return this.#hosts.size === 0 ? undefined : this.#hosts.get(name);
  }

  get namesHosts(): boolean {
    return this.#hosts.size > 0;
  }

  best(ofHost: Node | undefined, path: string, bit: number): Entry | null {
    const exact = ofHost === undefined ? null : best(ofHost, path, 1, bit, null);
    return exact ?? best(this.anyHost, path, 1, bit, null);
  }

  #rootFor(host: string): Node {
    if (host === ANY_HOST) return this.anyHost;
    const root = this.#hosts.get(host) ?? emptyNode();
    this.#hosts.set(host, root);
    return root;
  }
}

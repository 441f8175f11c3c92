import { otherReadings } from './path-readings.ts';
import type { RouteForest } from './route-forest.ts';
import type { Entry } from './route-trie.ts';

/**
 * Whether every way in which the upstream may read a path comes to the route that was decided on.
 * Where one does not, a caller of the wider route would reach the more specific one.
 *
 * It is enough to ask for the readings that change most. A literal segment holds neither parameter
 * nor capital that a reading removes, so what matches while some are left also matches when all are
 * removed; and if one route is the best of the larger set and in the smaller one, it is the best
 * there.
 */
export class RouteReadings {
  readonly #forest: RouteForest;
  /** All literals in any case; null where all routes agree about case. */
  readonly #anyCase: RouteForest | null;
  readonly #slashEnded: boolean;

  constructor(forest: RouteForest, anyCase: RouteForest | null, entries: readonly Entry[]) {
    this.#forest = forest;
    this.#anyCase = anyCase;
    this.#slashEnded = entries.some(endsInSlash);
  }

  /** `entry` is what the path itself comes to. */
  agree(entry: Entry, host: string, path: string, bit: number): boolean {
    const others = otherReadings(path);
    if (others === null) return false;
    const foldedToo = entry.route.caseInsensitive && this.#anyCase !== null;
    if (others.length === 0 && !this.#slashEnded && !foldedToo) return true;
    return (
      this.#agreeIn(this.#forest, entry, host, [path, ...others], bit) &&
      (!foldedToo || this.#agreeIn(this.#anyCase!, entry, host, [path, ...others], bit))
    );
  }

  #agreeIn(
    forest: RouteForest,
    entry: Entry,
    host: string,
    forms: readonly string[],
    bit: number,
  ): boolean {
    const ofHost = forest.ofHost(host);
    return forms.every((form) => {
      const found = forest.best(ofHost, form, bit);
      if (found !== entry && !(isBare(entry, form) && ranksBelow(found, entry))) return false;
      if (!this.#slashEnded || form.endsWith('/')) return true;
      const added = forest.best(ofHost, `${form}/`, bit);
      return added === null || added === entry || !isMetBySlash(added, entry);
    });
  }
}

/** Written with a final slash: whoever does so says that the upstream tells the two apart. */
function endsInSlash({ template }: Entry): boolean {
  const last = template.segments.at(-1);
  const isRoot = template.segments.length < 2;
  return (
    !isRoot && !template.open && last !== undefined && 'literal' in last && last.literal === ''
  );
}

/** The form lacks nothing of such a template but that slash. */
function isBare(entry: Entry, form: string): boolean {
  return endsInSlash(entry) && form.split('/').length === entry.template.segments.length;
}

/** No route, or one that the match would have passed over for `entry`. */
function ranksBelow(found: Entry | null, entry: Entry): boolean {
  if (found === null) return true;
  return found.hostRank === entry.hostRank
    ? found.literals < entry.literals
    : found.hostRank < entry.hostRank;
}

/**
 * `/api/secrets/` is met by who asks for `/api/secrets` under a wider route, where the server takes
 * one for the other. Not where both are written: they are told apart on purpose.
 */
function isMetBySlash(added: Entry, entry: Entry): boolean {
  if (!endsInSlash(added)) return false;
  if (added.hostRank !== entry.hostRank) return added.hostRank > entry.hostRank;
  return added.literals - 1 >= entry.literals && added.route.path !== `${entry.route.path}/`;
}

import { readFileSync } from 'node:fs';

/** What `/etc/resolv.conf` says besides its servers (resolv.conf(5)). */
export interface SearchRules {
  /** Domains that an incomplete name is tried in, in this order. */
  readonly search: readonly string[];
  /** A name with at least so many dots is tried as it stands first. */
  readonly ndots: number;
}

/** As glibc bounds them. */
const MAX_DOMAINS = 32;
const MAX_NDOTS = 15;

export function readSearchRules(path: string): SearchRules {
  try {
    return parseSearchRules(readFileSync(path, 'utf8'));
  } catch {
    return { search: [], ndots: 1 };
  }
}

/** Of several `search` and `domain` lines the last one counts. */
export function parseSearchRules(text: string): SearchRules {
  let search: readonly string[] = [];
  let ndots = 1;
  for (const line of text.split('\n')) {
    const [keyword, ...words] = line
      .replace(/[#;].*/, '')
      .trim()
      .split(/\s+/);
    if (keyword === 'search' || keyword === 'domain')
      search = words
        .filter((word) => word !== '.')
        .map((word) => word.toLowerCase().replace(/\.$/, ''));
    if (keyword === 'options')
      for (const word of words) {
        const match = /^ndots:(\d{1,3})$/.exec(word);
        if (match !== null) ndots = Math.min(MAX_NDOTS, Number(match[1]));
      }
  }
  return { search: search.slice(0, MAX_DOMAINS), ndots };
}

/**
 * The complete names that `name` may stand for, in the order in which they are asked. A final dot
 * says that it is complete already.
 */
export function candidatesFor(name: string, { search, ndots }: SearchRules): readonly string[] {
  if (name.endsWith('.')) return [name.slice(0, -1)];
  const within = search.map((domain) => `${name}.${domain}`);
  const dots = name.split('.').length - 1;
  return dots >= ndots ? [name, ...within] : [...within, name];
}

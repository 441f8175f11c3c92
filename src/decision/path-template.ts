/**
 * The grammar of a route's path: `/` and segments, each either literal or `{name}` (one non-empty segment), and at the end perhaps `/**`
 * (whatever follows, also nothing: `/a/**` takes `/a`, `/a/` and `/a/b`). A trailing slash is an empty literal segment: `/a/` is another path than `/a`.
 */
export type Segment = { readonly literal: string } | { readonly variable: string };

export interface PathTemplate {
  readonly segments: readonly Segment[];
  /** Ends in `/**`. */
  readonly rest: boolean;
  /** How many segments are literal: the more, the more specific. */
  readonly literals: number;
}

/**
 * Literals are of unreserved characters alone (RFC 3986 §2.3). The target gate lets nobody encode those, so a literal has exactly one
 * spelling and comparing bytes is comparing segments; `a%3Ab` beside a literal `a:b` would be a way around the route.
 */
const LITERAL = /^[A-Za-z0-9._~-]*$/;
const VARIABLE = /^\{([A-Za-z][A-Za-z0-9_-]{0,31})\}$/;
const REST = '/**';

/** Parses a template; answers what is wrong with it as `fault`, in words for whoever wrote it. */
export function parsePathTemplate(path: string): PathTemplate | { readonly fault: string } {
  if (!path.startsWith('/')) return { fault: 'a path begins with /' };
  const rest = path.endsWith(REST);
  const front = rest ? path.slice(0, -REST.length) : path;
  const words = front === '' ? [] : front.slice(1).split('/');
  const segments: Segment[] = [];
  for (const [index, word] of words.entries()) {
    const fault = segmentFault(word, segments, index === words.length - 1 && !rest);
    if (fault !== null) return { fault };
    const variable = VARIABLE.exec(word)?.[1];
    segments.push(variable === undefined ? { literal: word } : { variable });
  }
  return { segments, rest, literals: segments.filter((segment) => 'literal' in segment).length };
}

function segmentFault(word: string, before: readonly Segment[], last: boolean): string | null {
  const variable = VARIABLE.exec(word)?.[1];
  if (variable !== undefined) {
    const twice = before.some((segment) => 'variable' in segment && segment.variable === variable);
    return twice ? `{${variable}} stands in the path twice` : null;
  }
  if (word === '' && !last) return 'a path has no empty segments (//)';
  if (word === '.' || word === '..') return 'a path has no dot segments';
  if (word.includes('*')) return '* stands only in a final /**';
  if (LITERAL.test(word)) return null;
  return `the segment ${word} is neither {name} nor made of letters, digits and . _ ~ - alone`;
}

/** The `index`th segment of a path that is known to have one. */
export function segmentAt(path: string, index: number): string {
  let start = 1;
  for (let passed = 0; passed < index; passed++) start = path.indexOf('/', start) + 1;
  const end = path.indexOf('/', start);
  return end === -1 ? path.slice(start) : path.slice(start, end);
}

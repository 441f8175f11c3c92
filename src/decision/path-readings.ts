/**
 * What a server behind the gate may take a path for. Nothing is rewritten: a reading is only used
 * to ask which route it comes to, and a path whose readings come to different routes has none.
 *
 * One table. Servers combine these (Tomcat removes parameters, its application the final slash), so
 * each is applied to what the others make of the path, too.
 *
 * Two readings are not texts and stand with the routes (route-readings.ts): letter case, where the
 * route says that its upstream ignores it; and a final slash that a server adds. What the target
 * gate refuses (http/target.ts) needs no reading: dot segments, empty segments, escapes of
 * unreserved characters, cookieless segments.
 */
export interface PathReading {
  readonly name: string;
  /** Who is known to read so. */
  readonly by: string;
  read(path: string): string;
}

const SEMICOLONS = [';', '%3b', '%3B'] as const;
const SEMICOLON = 59;
const PERCENT = 37;
const DOT = 46;
const SLASH = 47;
const FINAL_DOTS = /\.\/|\.$|%20\/|%20$/;

export const PATH_READINGS: readonly PathReading[] = [
  {
    name: 'parameters removed',
    by: 'Tomcat, Jetty, Spring, JAX-RS; some when the semicolon is escaped, too (RFC 3986 §3.3)',
    read: (path) => (hasParameter(path) ? path.replace(/(?:;|%3[bB])[^/]*/g, '') : path),
  },
  {
    name: 'cut at a parameter',
    by: 'Apache Shiro at the first one, code of one line where it finds ;jsessionid',
    // At the last one: what is cut again and again is cut at each.
    read: (path) => path.slice(0, lastParameter(path)),
  },
  {
    name: 'final dots and spaces of a segment removed',
    by: 'Windows, and what stores files there',
    read: (path) => (FINAL_DOTS.test(path) ? path.replace(/(?:\.|%20)+(?=\/|$)/g, '') : path),
  },
  {
    name: 'escaped colon decoded',
    by: 'who decodes a segment before it looks for the verb (`/tasks/one%3Acancel`)',
    read: (path) => (path.includes('%') ? path.replace(/%3a/gi, ':') : path),
  },
  {
    name: 'final slash removed',
    by: 'Express, Spring, Flask, and most other routers',
    read: (path) => (path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path),
  },
];

function hasParameter(path: string): boolean {
  return SEMICOLONS.some((semicolon) => path.includes(semicolon));
}

/** Where the last parameter begins; the length where there is none. */
function lastParameter(path: string): number {
  for (let index = path.length - 1; index > 0; index -= 1) {
    const code = path.charCodeAt(index);
    if (code === SEMICOLON) return index;
    if (code === PERCENT && path.slice(index, index + 3).toLowerCase() === '%3b') return index;
  }
  return path.length;
}

const ONE_WAY: readonly string[] = [];
/** More parameters than any client sends; each doubles nothing, but costs some readings. */
const PARAMETERS_MAX = 8;

/**
 * The path in each reading that differs from it, alone and combined. Empty for nearly every path;
 * null for one with more than 8 parameters, whose readings are not counted. Each reading only
 * shortens, so there is an end.
 */
export function otherReadings(path: string): readonly string[] | null {
  if (isPlain(path)) return ONE_WAY;
  if (path.split(/;|%3b/i, PARAMETERS_MAX + 2).length > PARAMETERS_MAX + 1) return null;
  const found = new Set([path]);
  // A set that grows while it is walked is walked to its end.
  for (const form of found) for (const { read } of PATH_READINGS) found.add(read(form));
  found.delete(path);
  return [...found];
}

function isPlain(path: string): boolean {
  const last = path.charCodeAt(path.length - 1);
  return !(
    last === SLASH ||
    last === DOT ||
    path.includes(';') ||
    path.includes('%') ||
    path.includes('./')
  );
}

import * as fc from 'fast-check';
import type { Route } from '../../src/decision/route.ts';
import { createRouteTable } from '../../src/decision/route-table.ts';
import { findTies } from '../../src/decision/route-ties.ts';
import { pathEnd } from '../../src/http/target.ts';

/**
 * Servers behind the gate, each by how it reads a path, written from what they do and not from the
 * gate's own table.
 */
const READERS: Readonly<Record<string, (path: string) => string>> = {
  tomcat: (path) =>
    path
      .split('/')
      .map((segment) => segment.split(';')[0])
      .join('/'),
  decodesFirst: (path) => READERS.tomcat!(path.replace(/%3b/gi, ';')),
  pythonUrlparse: (path) => {
    const last = path.lastIndexOf('/') + 1;
    return path.slice(0, last) + path.slice(last).split(';')[0]!;
  },
  shiro: (path) => path.split(';')[0]!,
  cutsAtJsessionid: (path) => path.split(/;(?:jsessionid|x)/)[0]!,
  jsessionid: (path) => path.replace(/;jsessionid=[^/;]*/g, ''),
  express: (path) => (path.length > 1 ? path.replace(/\/$/, '') : path),
  windows: (path) =>
    path
      .split('/')
      .map((segment) => segment.replace(/(?:\.|%20)+$/, ''))
      .join('/'),
  decodesColons: (path) => path.replace(/%3a/gi, ':'),
  aspNet: (path) => path.replace(/\((?:[A-Za-z]\([^()/]*\))+\)\/?/g, ''),
};

/** A path in every combination of three readers, one after the other. */
function readings(path: string): ReadonlySet<string> {
  let found = new Set([path]);
  for (let depth = 0; depth < 3; depth += 1) {
    found = new Set(
      [...found].flatMap((one) => [one, ...Object.values(READERS).map((r) => r(one))]),
    );
  }
  return found;
}

/** Every route that takes the path as it stands, the most specific first. */
function takers(routes: readonly Route[], path: string, anyCase: boolean): readonly Route[] {
  return routes
    .filter((route) => pattern(route, anyCase).test(path))
    .sort((one, other) => literals(other) - literals(one));
}

function pattern(route: Route, anyCase: boolean): RegExp {
  const open = route.path.endsWith('/**');
  const front = (open ? route.path.slice(0, -3) : route.path)
    .split('/')
    .map((segment) => segment.replace(/^\{[^}]*\}/, '[^/]+').replaceAll('.', '\\.'))
    .join('/');
  return new RegExp(
    `^${front}${open ? '(?:/.*)?' : ''}$`,
    anyCase || route.caseInsensitive ? 'i' : '',
  );
}

function literals({ path }: Route): number {
  return path
    .replace(/\/\*\*$/, '')
    .split(/[/:]/)
    .slice(1)
    .filter((segment) => !segment.startsWith('{')).length;
}

/**
 * The promise: what a caller was let in for is the same in whatever way the server reads the path.
 * Answers with a reading that breaks it, in words; null when none does.
 */
export function brokenReading(routes: readonly Route[], target: string): string | null {
  const end = pathEnd(target);
  if (end === -1) return null;
  const path = target.slice(0, end);
  const match = createRouteTable(routes).match('h', path, 'GET');
  if (match.kind !== 'route') return null;
  const { route } = match;
  for (const read of readings(path)) {
    for (const anyCase of route.caseInsensitive ? [false, true] : [false]) {
      if (keepsSlash(route) && !read.endsWith('/') && slashed(`${read}/`) === slashed(path)) {
        // Written with its slash: only what is less specific may be met without it.
        const met = takers(routes, read, anyCase)[0];
        if (met === undefined || literals(met) < literals(route)) continue;
      } else if (
        takers(routes, read, anyCase)[0] === route &&
        !isReached(routes, route, read, anyCase)
      ) {
        continue;
      }
      return `${path} of ${route.path} is read as ${read} (${anyCase ? 'in any case' : 'as it is'})`;
    }
  }
  return null;
}

/** Readings that differ by parameters, final dots, escaped colons and the slash alone are one. */
function slashed(path: string): string {
  return READERS.decodesColons!(READERS.windows!(READERS.decodesFirst!(path)));
}

function keepsSlash({ path }: Route): boolean {
  return path.length > 1 && path.endsWith('/');
}

/** Another route, written with a final slash, that a server serves without it as well. */
function isReached(
  routes: readonly Route[],
  route: Route,
  read: string,
  anyCase: boolean,
): boolean {
  if (read.endsWith('/')) return false;
  const met = takers(routes, `${read}/`, anyCase)[0];
  return (
    met !== undefined &&
    met !== route &&
    keepsSlash(met) &&
    met.path !== `${route.path}/` &&
    literals(met) - 1 >= literals(route)
  );
}

/** Tables of routes over some words, without ties. */
export function routeTables(
  words: readonly string[],
  make: (path: string, caseInsensitive: boolean) => Route,
): fc.Arbitrary<readonly Route[]> {
  const segment = fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...words) },
    { weight: 1, arbitrary: fc.constant('{}') },
  );
  const path = fc
    .tuple(
      fc.array(segment, { maxLength: 3 }),
      fc.constantFrom('', '/', '/**', '/**', `:${words[0]!}`),
    )
    .map(([segments, end]) => {
      const front = segments.map((word, index) => `/${word === '{}' ? `{v${index}}` : word}`);
      return front.length === 0 ? end.replace(/^(?::.*)?$/, '/') : front.join('') + end;
    });
  return fc
    .array(fc.tuple(path, fc.boolean()), { minLength: 1, maxLength: 6 })
    .map((list) => withoutTies(list.map(([text, anyCase]) => make(text, anyCase))));
}

function withoutTies(routes: readonly Route[]): readonly Route[] {
  const kept: Route[] = [];
  for (const route of routes) if (findTies([...kept, route]).length === 0) kept.push(route);
  return kept;
}

import { describe, expect, it } from 'vitest';
import { type Import, importsOf, importsOfSource, roomOf } from './imports.ts';

/**
 * A room may import from rooms of its own rank and of those above it in this list; between rooms
 * there is no circle.
 */
const RANKS: readonly (readonly string[])[] = [
  ['account', 'clock', 'deadlines', 'http', 'names', 'periodic', 'refusal', 'turns'],
  ['http1', 'config', 'telemetry', 'store', 'tls'],
  ['upstream', 'registry', 'audit', 'limits', 'stats'],
  ['decision'],
  ['forwarding'],
  ['calls'],
  ['doors', 'ops', 'admin', 'sample'],
  ['console'],
  ['gateway'],
  ['cli'],
  ['main'],
];

/**
 * Rooms that know nothing of ours but themselves, and what is let through: they could be lifted out
 * and published.
 */
const ALONE: Readonly<Record<string, readonly string[]>> = {
  account: [],
  clock: [],
  deadlines: [],
  http: [],
  http1: ['http'],
  names: ['clock'],
  periodic: [],
  refusal: [],
  turns: [],
  sample: ['clock'],
  upstream: ['http', 'http1', 'deadlines'],
};

/** Packages with a fence around them, and who may reach over it. */
const FENCES: Readonly<Record<string, RegExp>> = {
  ioredis: /^src\/store\//,
  hono: /^src\/(admin|console|sample)\/|^src\/doors\/decision[a-z-]*(\/|\.ts$)/,
  '@hono/node-server': /^src\/(admin|console|sample)\/|^src\/doors\/decision[a-z-]*(\/|\.ts$)/,
  'prom-client': /^src\/telemetry\//,
  'http-proxy-3': /^src\/doors\/tunnel[a-z-]*(\/|\.ts$)/,
  'node:sqlite': /^src\/store\/|^src\/[a-z-]+\/(?:log\/)?embedded[a-z-]*(\/[a-z-]+)?\.ts$/,
  '@peculiar/x509': /^src\/tls\//,
  '@peculiar/asn1-x509': /^src\/tls\//,
  '@peculiar/asn1-schema': /^src\/tls\//,
  'reflect-metadata': /^src\/tls\//,
  commander: /^src\/cli\//,
  yaml: /^src\/(config|cli)\//,
  // Tests belong to test/, and source that is only there for them does too.
  vitest: /^never$/,
  'fast-check': /^never$/,
  ajv: /^never$/,
};

const imports = importsOfSource();
const ours = imports.filter((entry) => entry.ours && roomOf(entry.from) !== roomOf(entry.to));

describe('the ranks of the rooms', () => {
  it('has a rank for every room', () => {
    const rooms = new Set(
      imports.flatMap((entry) => [roomOf(entry.from), ...(entry.ours ? [roomOf(entry.to)] : [])]),
    );
    expect([...rooms].filter((room) => rankOf(room) === -1)).toEqual([]);
  });

  it('lets imports point one way only', () => {
    expect(
      ours.filter((entry) => rankOf(roomOf(entry.to)) > rankOf(roomOf(entry.from))).map(show),
    ).toEqual([]);
  });

  it('keeps the rooms alone that know nothing of ours', () => {
    const reaching = ours.filter(
      (entry) => ALONE[roomOf(entry.from)]?.includes(roomOf(entry.to)) === false,
    );
    expect(reaching.map(show)).toEqual([]);
  });

  it('has no circle between rooms', () => {
    expect(circleIn(ours)).toEqual([]);
  });

  it('reaches nothing outside src', () => {
    expect(imports.filter((entry) => entry.ours && !entry.to.startsWith('src/')).map(show)).toEqual(
      [],
    );
  });
});

describe('the fences around packages', () => {
  it.each(Object.entries(FENCES))('%s is imported only where it may be', (name, allowed) => {
    expect(
      imports.filter((entry) => entry.to === name && !allowed.test(entry.from)).map(show),
    ).toEqual([]);
  });
});

describe('the reading of imports', () => {
  it('sees every form, and follows relative paths', () => {
    const source = [
      "import { a } from './b.ts';",
      "import type {\n  C,\n} from '../account/model.ts';",
      "export * from 'hono/html';",
      "import 'node:net';",
      "const d = await import('@hono/node-server/serve');",
      "// import { no } from 'commented';",
      "/* import { no } from 'commented'; */",
    ].join('\n');
    const targets = importsOf('src/http/x.ts', source).map((entry) => entry.to);
    expect(targets.sort()).toEqual([
      '@hono/node-server',
      'hono',
      'node:net',
      'src/account/model.ts',
      'src/http/b.ts',
    ]);
    expect(() => importsOf('src/http/x.ts', 'await import(name)')).toThrow('computed');
  });

  it('finds a circle', () => {
    const edge = (from: string, to: string): Import => ({
      from: `src/${from}/x.ts`,
      to: `src/${to}/x.ts`,
      ours: true,
    });
    expect(circleIn([edge('a', 'b'), edge('b', 'c'), edge('c', 'a')])).toEqual([
      'a',
      'b',
      'c',
      'a',
    ]);
    expect(circleIn([edge('a', 'b'), edge('a', 'c'), edge('b', 'c')])).toEqual([]);
  });
});

function rankOf(room: string): number {
  return RANKS.findIndex((rooms) => rooms.includes(room));
}

/** The rooms of one circle, or nothing. */
function circleIn(edges: readonly Import[]): string[] {
  const targets = Map.groupBy(edges, (edge) => roomOf(edge.from));
  const done = new Set<string>();
  const visit = (room: string, path: readonly string[]): string[] => {
    if (path.includes(room)) return [...path.slice(path.indexOf(room)), room];
    if (done.has(room)) return [];
    for (const { to } of targets.get(room) ?? []) {
      const circle = visit(roomOf(to), [...path, room]);
      if (circle.length > 0) return circle;
    }
    done.add(room);
    return [];
  };
  for (const room of targets.keys()) {
    const circle = visit(room, []);
    if (circle.length > 0) return circle;
  }
  return [];
}

function show(entry: Import): string {
  return `${entry.from} -> ${entry.to}`;
}

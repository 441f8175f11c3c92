import { describe, expect, it } from 'vitest';
import { type Import, importsOf, importsOfSource, roomOf } from './imports.ts';
import { read } from './tree.ts';

/**
 * A room may import from rooms of its own rank and of those above it in this list; between rooms
 * there is no circle.
 */
const RANKS: readonly (readonly string[])[] = [
  ['account', 'clock', 'deadlines', 'http', 'names', 'periodic', 'refusal', 'turns', 'verify'],
  ['http1', 'http2', 'config', 'telemetry', 'store', 'tls'],
  ['upstream', 'registry', 'audit', 'limits', 'stats', 'assertion'],
  ['decision', 'webhooks'],
  ['forwarding', 'published'],
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
  http2: ['http', 'http1'],
  names: ['clock'],
  periodic: [],
  refusal: [],
  turns: [],
  sample: ['clock'],
  verify: [],
  upstream: ['http', 'http1', 'http2', 'deadlines'],
};

/** Packages with a fence around them, and who may reach over it. */
const FENCES: Readonly<Record<string, RegExp>> = {
  ioredis: /^src\/store\//,
  hono: /^src\/(admin|console|sample)\//,
  '@hono/node-server': /^src\/(admin|console|sample)\//,
  'prom-client': /^src\/telemetry\//,
  'node:sqlite': /^src\/store\/|\/embedded(-[a-z-]+)?(\/[a-z-]+)?\.ts$/,
  '@peculiar/x509': /^src\/tls\//,
  '@peculiar/asn1-x509': /^src\/tls\//,
  '@peculiar/asn1-schema': /^src\/tls\//,
  'reflect-metadata': /^src\/tls\//,
  commander: /^src\/cli\//,
  yaml: /^src\/(config|cli)\//,
  'openid-client': /^src\/console\/identity\//,
  undici: /^src\/(console\/identity|telemetry\/traces|webhooks)\//,
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
    expect(circleIn(ours.map(({ from, to }) => [roomOf(from), roomOf(to)]))).toEqual([]);
  });

  it('has no circle between files, types included', () => {
    const files = imports.filter((entry) => entry.ours);
    expect(circleIn(files.map(({ from, to }) => [from, to]))).toEqual([]);
  });

  it.each(['ARCHITECTURE.md', 'CONTRIBUTING.md'])('is what %s says', (path) => {
    expect(read(path).replace(/[`\s]+/g, ' ')).toContain(
      RANKS.map((rank) => rank.join(' ')).join(' < '),
    );
  });

  it('reaches nothing outside src', () => {
    expect(imports.filter((entry) => entry.ours && !entry.to.startsWith('src/')).map(show)).toEqual(
      [],
    );
  });
});

describe('the fences around packages', () => {
  it.each(Object.entries(FENCES))('%s is imported only where it may be', (name, allowed) => {
    const importers = imports.filter((entry) => entry.to === name);
    expect(importers.filter((entry) => !allowed.test(entry.from)).map(show)).toEqual([]);
    expect(importers, 'a fence around nothing').not.toEqual([]);
  });

  it('lets nothing in that is there for tests only', () => {
    const { dependencies, optionalDependencies } = JSON.parse(read('package.json')) as {
      dependencies: object;
      optionalDependencies: object;
    };
    const all = { ...dependencies, ...optionalDependencies };
    const packages = imports.filter((entry) => !entry.ours && !entry.to.startsWith('node:'));
    expect(packages.filter((entry) => !Object.hasOwn(all, entry.to)).map(show)).toEqual([]);
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
    const [ab, bc, ca] = [
      ['a', 'b'],
      ['b', 'c'],
      ['c', 'a'],
    ] as const;
    expect(circleIn([ab, bc, ca])).toEqual(['a', 'b', 'c', 'a']);
    expect(circleIn([['x', 'a'], ab, ['b', 'a']])).toEqual(['a', 'b', 'a']);
    expect(circleIn([ab, bc, ['a', 'c']])).toEqual([]);
  });

  it('finds a circle of two files, one of which needs a type only', () => {
    const one = importsOf('src/a/one.ts', "import type { Two } from './two.ts';");
    const two = importsOf('src/a/two.ts', "import { one } from './one.ts';");
    expect(circleIn([...one, ...two].map(({ from, to }) => [from, to]))).toEqual([
      'src/a/one.ts',
      'src/a/two.ts',
      'src/a/one.ts',
    ]);
  });
});

function rankOf(room: string): number {
  return RANKS.findIndex((rooms) => rooms.includes(room));
}

/** What lies on one circle of the edges `[from, to]`, or nothing. */
function circleIn(edges: readonly (readonly [from: string, to: string])[]): string[] {
  const targets = Map.groupBy(edges, ([from]) => from);
  const done = new Set<string>();
  const visit = (at: string, path: readonly string[]): string[] => {
    if (path.includes(at)) return [...path.slice(path.indexOf(at)), at];
    if (done.has(at)) return [];
    for (const [, to] of targets.get(at) ?? []) {
      const circle = visit(to, [...path, at]);
      if (circle.length > 0) return circle;
    }
    done.add(at);
    return [];
  };
  for (const at of targets.keys()) {
    const circle = visit(at, []);
    if (circle.length > 0) return circle;
  }
  return [];
}

function show(entry: Import): string {
  return `${entry.from} -> ${entry.to}`;
}

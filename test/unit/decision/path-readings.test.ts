import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { otherReadings, PATH_READINGS } from '../../../src/decision/path-readings.ts';
import type { Route } from '../../../src/decision/route.ts';
import { createRouteTable } from '../../../src/decision/route-table.ts';
import { brokenReading, routeTables } from '../../support/path-readers.ts';
import { route } from './samples.ts';

const at = (path: string, changes: Partial<Route> = {}) =>
  route({ path, name: path, application: { from: 'any' }, ...changes });

function find(routes: readonly Route[], path: string): string | null {
  const match = createRouteTable(routes).match('h', path, 'GET');
  return match.kind === 'route' ? match.route.name : null;
}

describe('a path that a server may read in another way', () => {
  const routes = [at('/api/**'), at('/api/secrets')];

  it.each([
    '/api/secrets;x',
    '/api/secrets/',
    '/api/secrets;x/',
    '/api/secrets;/',
    '/api/secrets%3bx',
    '/api/secrets%3B/',
    '/api/secrets;x/y',
    '/api/secrets;a/b;c/',
    '/api/secrets.',
    '/api/secrets...',
    '/api/secrets./',
    '/api/secrets.;x',
    '/api./secrets',
    '/api/secrets%20.',
    '/api/secrets.;x/y',
  ])('has no route where one reading is a more specific one: %s', (path) =>
    expect(find(routes, path)).toBe(null),
  );

  it.each([
    '/api/other;x/',
    '/api/secrets2;x',
    '/api/',
    '/api/a;b/c;d/',
    '/api/secrets/y',
    '/api/v1.',
    '/api/v1./..x.',
  ])('has its route where all readings agree: %s', (path) =>
    expect(find(routes, path)).toBe('/api/**'),
  );

  it('has none where an escaped colon would come to a route with a verb', () => {
    const table = [at('/tasks/**'), at('/tasks/{x}:cancel'), at('/tasks/all:purge')];
    for (const path of [
      'one%3Acancel',
      'one%3acancel',
      'all%3Apurge',
      'all%3Apurge/',
      'a%3Bb%3Acancel',
    ])
      expect(find(table, `/tasks/${path}`), path).toBe(null);
    for (const path of ['one%3Ashow', 'cancel', 'a%3Acancel/b', 'all%3A'])
      expect(find(table, `/tasks/${path}`), path).toBe('/tasks/**');
  });

  it('has none where a reading comes to no route at all', () => {
    const narrow = [at('/apps/{x}/items'), at('/users/{x}')];
    expect(find(narrow, '/apps/one;v=1/items')).toBe(null);
    expect(find(narrow, '/users/one;v=1')).toBe('/users/{x}');
  });

  it('has none where a server that takes letters in any case comes to another route', () => {
    const mixed = [at('/api/**', { caseInsensitive: true }), at('/api/secrets')];
    expect(find(mixed, '/api/secrets')).toBe('/api/secrets');
    for (const path of ['/API/Secrets', '/api/SECRETS;x', '/Api/sEcrets/'])
      expect(find(mixed, path), path).toBe(null);
    expect(find(mixed, '/API/Other')).toBe('/api/**');
  });

  it('has none where a server that adds a final slash comes to a more specific route', () => {
    const table = [at('/api/**'), at('/api/secrets/')];
    expect(find(table, '/api/secrets')).toBe(null);
    expect(find(table, '/api/secrets;x')).toBe(null);
    expect(find(table, '/api/secrets/')).toBe('/api/secrets/');
    expect(find([at('/a/{x}'), at('/a/b/')], '/a/b')).toBe(null);
  });

  it('is told apart by its final slash where both are written', () => {
    const table = [at('/**'), at('/admin'), at('/admin/')];
    expect(find(table, '/admin')).toBe('/admin');
    expect(find(table, '/admin/')).toBe('/admin/');
    expect(find(table, '/admin;x/')).toBe(null);
    expect(find([at('/a/{x}/'), at('/a/secrets')], '/a/secrets/')).toBe(null);
  });
});

describe('the table of readings', () => {
  it('has none that a path of one reading would need', () => {
    for (const path of ['/', '/a', '/a.b/c', '/a/(x)/b', '/a%20b/c%C3%A9'])
      expect(otherReadings(path)).toEqual([]);
  });

  it('does in each row what its name says', () => {
    const read = (path: string) => PATH_READINGS.map((row) => row.read(path));
    const [one, two] = ['/a;b;d/c;e', '/a%3Bb/c%20.'];
    expect(read(one)).toEqual(['/a/c', '/a;b;d/c', one, one, one]);
    expect(read('/a;b/c./')).toEqual(['/a/c./', '/a', '/a;b/c/', '/a;b/c./', '/a;b/c.']);
    expect(read(two)).toEqual(['/a/c%20.', '/a', '/a%3Bb/c', two, two]);
    expect(read('/a%3ab%3A/')).toEqual([
      '/a%3ab%3A/',
      '/a%3ab%3A/',
      '/a%3ab%3A/',
      '/a:b:/',
      '/a%3ab%3A',
    ]);
    expect(read('/')).toEqual(['/', '/', '/', '/', '/']);
  });

  it('combines them', () => {
    expect(new Set(otherReadings('/a;b/c;d/'))).toEqual(
      new Set(['/a/c/', '/a/c', '/a;b/c;d', '/a;b/c', '/a']),
    );
  });

  it('is not asked about paths with more parameters than anybody sends', () => {
    const many = (count: number) => `/a${';x=1'.repeat(count)}`;
    expect(otherReadings(many(8))).toHaveLength(8);
    expect(otherReadings(many(9))).toBe(null);
    expect([8, 9].map((count) => find([at('/**')], many(count)))).toEqual(['/**', null]);
  });
});

describe('a permitted path', () => {
  const words = ['api', 'secrets', 'API', 'v1'];
  const segment = fc
    .tuple(
      fc.constantFrom(...words, 'Secrets', 'x'),
      fc.constantFrom('', '', '', ';', ';x', '%3bx=1', '.', ':api', ':Api', '%3Aapi', ':api;x'),
    )
    .map(([word, end]) => word + end);
  const paths = fc
    .tuple(fc.array(segment, { minLength: 1, maxLength: 4 }), fc.constantFrom('', '', '/', ';/'))
    .map(([segments, end]) => `/${segments.join('/')}${end}`);

  it('is permitted in whatever way a server reads it', () => {
    let permitted = 0;
    void fc.assert(
      fc.property(
        routeTables(words, (path, caseInsensitive) => at(path, { caseInsensitive })),
        fc.array(paths, { minLength: 5, maxLength: 20 }),
        (routes, asked) => {
          for (const path of asked) {
            expect(brokenReading(routes, path)).toBe(null);
            if (find(routes, path) !== null) permitted += 1;
          }
        },
      ),
      { numRuns: 1500 },
    );
    expect(permitted).toBeGreaterThan(500);
  });
});

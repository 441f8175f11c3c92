import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Route } from '../../../src/decision/route.ts';
import { createRouteTable } from '../../../src/decision/route-table.ts';
import { findTies } from '../../../src/decision/route-ties.ts';
import { hostName } from '../../../src/http/host-name.ts';
import { route } from './samples.ts';

const at = (path: string, changes: Partial<Route> = {}) =>
  route({ path, name: path, application: { from: 'any' }, ...changes });

/** The name of the route that is found; the methods that are allowed; or null. */
function find(routes: readonly Route[], path: string, { host = 'a.example', method = 'GET' } = {}) {
  const match = createRouteTable(routes).match(host, path, method);
  if (match.kind === 'route') return match.route.name;
  return match.kind === 'none' ? null : match.allow;
}

describe('a path', () => {
  it.each([
    ['/a', ['/a'], ['/', '/a/', '/a/b', '/A', '/ab']],
    ['/', ['/'], ['/a']],
    ['/a/', ['/a/'], ['/a', '/a/b']],
    ['/a/{x}', ['/a/b', '/a/%C3%A9'], ['/a', '/a/', '/a/b/', '/a/b/c']],
    ['/{x}/b', ['/a/b'], ['/b', '/a/c']],
    ['/a/**', ['/a', '/a/', '/a/b', '/a/b/c/'], ['/', '/ab', '/b/a']],
    ['/a/{x}/**', ['/a/b', '/a/b/', '/a/b/c'], ['/a', '/a/']],
    ['/**', ['/', '/a', '/a/b'], []],
    [
      '/a/{x}:go',
      ['/a/b:go', '/a/b:c:go', '/a/%C3%A9:go'],
      ['/a/b', '/a/:go', '/a/b:Go', '/a/b:go:c', '/a/b:go/', '/a/go', '/a:go', '/a/b%3Ago'],
    ],
    ['/a:go', ['/a:go'], ['/a', '/a:', '/b:go', '/a:go/x', '/a/go', '/a/:go', '/a%3ago']],
  ])('%s matches what it says and nothing else', (template, matching, others) => {
    for (const path of matching) expect(find([at(template)], path), path).toBe(template);
    for (const path of others) expect(find([at(template)], path), path).toBe(null);
  });

  it('tells its variables', () => {
    const table = createRouteTable([at('/a/{one}/b/{two}/**')]);
    const match = table.match('h', '/a/1/b/__proto__/c', 'GET');
    expect(match.kind === 'route' && match.variables).toEqual([
      { name: 'one', value: '1' },
      { name: 'two', value: '__proto__' },
    ]);
  });

  it('tells what stands before a verb, up to the last colon', () => {
    const match = createRouteTable([at('/{one}/b/{two}:go')]).match('h', '/x:go/b/1:2:go', 'GET');
    expect(match.kind === 'route' && match.variables).toEqual([
      { name: 'one', value: 'x:go' },
      { name: 'two', value: '1:2' },
    ]);
  });

  it('that ends in a verb beats the one that takes the whole segment, and is met by no escape', () => {
    const routes = [at('/**'), at('/a/{x}'), at('/a/{x}:go'), at('/a/b:go')];
    const found = ['/a/c', '/a/c:stop', '/a/c:go', '/a/b:go', '/a/b', '/c:go'];
    expect(found.map((path) => find(routes, path))).toEqual([
      '/a/{x}',
      '/a/{x}',
      '/a/{x}:go',
      '/a/b:go',
      '/a/{x}',
      '/**',
    ]);
    for (const path of [
      'c%3Ago',
      'c%3ago',
      'b%3Ago',
      'c:go;x',
      'c;x:go',
      'c:go.',
      'c:go/',
      'c%3Ago;/',
    ])
      expect(find(routes, `/a/${path}`), path).toBe(null);
    expect(find(routes, '/a/c%3Astop')).toBe('/a/{x}');
    expect(find([at('/a/{x}:go')], '/a/c:go', { method: 'PUT' })).toEqual(['GET', 'POST']);
  });

  it('with more literal segments wins, wherever they stand and in whatever order they are written', () => {
    const routes = [at('/**'), at('/a/**'), at('/a/{x}/c'), at('/a/b/**'), at('/a/b/c')];
    for (const all of [routes, routes.toReversed()].filter((list) => findTies(list).length === 0)) {
      expect(find(all, '/a/b/c')).toBe('/a/b/c');
    }
    const untied = [at('/**'), at('/a/**'), at('/a/b/{x}'), at('/a/b/c')];
    for (const all of [untied, untied.toReversed()]) {
      expect(['/x', '/a/x', '/a/b/x', '/a/b/c', '/a/b/x/y'].map((path) => find(all, path))).toEqual(
        ['/**', '/a/**', '/a/b/{x}', '/a/b/c', '/a/**'],
      );
    }
  });

  it('is not an object key: names of the language match nothing', () => {
    for (const path of ['/__proto__', '/constructor', '/hasOwnProperty/toString'])
      expect(find([at('/a/{x}')], path)).toBe(null);
  });

  it('with path parameters is refused where leaving them out would lead to another route', () => {
    const routes = [at('/**'), at('/admin/**'), at('/apps/{x}')];
    expect(find(routes, '/admin;x/users')).toBe(null);
    expect(find(routes, '/admin;x=1;y')).toBe(null);
    expect(find(routes, '/apps/one;v=1')).toBe('/apps/{x}');
    expect(find(routes, '/apps;a/one')).toBe(null);
    expect(find(routes, '/other;x/y')).toBe('/**');
    expect(find([at('/healthz', { access: 'public', methods: ['GET'] })], '/healthz;x')).toBe(null);
  });

  it('with a trailing slash is not taken by a /** from a more specific route that is written without it', () => {
    const routes = [at('/**'), at('/admin'), at('/admin/{x}')];
    expect(find(routes, '/admin/')).toBe(null);
    expect(find(routes, '/admin/one/')).toBe(null);
    expect(find(routes, '/other/')).toBe('/**');
    expect(find([...routes, at('/admin/')], '/admin/')).toBe('/admin/');
  });
});

describe('a case-insensitive route', () => {
  const routes = [
    at('/LifeTime/Apps/{x}', { name: 'any-case', caseInsensitive: true }),
    at('/exact/Apps/{x}', { name: 'exact' }),
  ];

  it('takes its literals in any case, and variables as they are', () => {
    for (const path of ['/lifetime/apps/CRM', '/LIFETIME/aPPS/CRM']) {
      const match = createRouteTable(routes).match('h', path, 'GET');
      expect(match.kind === 'route' && [match.route.name, match.variables[0]?.value]).toEqual([
        'any-case',
        'CRM',
      ]);
    }
  });

  it('leaves other routes alone', () => {
    expect(find(routes, '/exact/Apps/x')).toBe('exact');
    expect(find(routes, '/exact/apps/x')).toBe(null);
  });
});

describe('a host', () => {
  it('beats * and falls back to it', () => {
    const routes = [
      at('/a/b', { name: 'any' }),
      at('/**', { name: 'exact', host: 'a.example' }),
      at('/c', { name: 'other', host: 'b.example' }),
    ];
    expect(find(routes, '/a/b')).toBe('exact');
    expect(find(routes, '/a/b', { host: 'b.example' })).toBe('any');
    expect(find(routes, '/c', { host: 'b.example' })).toBe('other');
    expect(find(routes, '/c', { host: 'c.example' })).toBe(null);
  });

  it('beats *. and that one *, and *. takes each name with one label more', () => {
    const routes = [
      at('/a/b', { name: 'any' }),
      at('/a/**', { name: 'below', host: '*.example.com' }),
      at('/a', { name: 'exact', host: 'x.example.com' }),
      at('/d', { name: 'deeper', host: '*.y.example.com' }),
    ];
    for (const all of [routes, routes.toReversed()]) {
      const found = (path: string, host: string) => find(all, path, { host });
      for (const host of ['y.example.com', 'x.example.com:8443', 'é.example.com', '1.example.com.'])
        expect(found('/a/b', host), host).toBe('below');
      expect(found('/a', 'x.example.com')).toBe('exact');
      expect(found('/d', 'z.y.example.com')).toBe('deeper');
      for (const host of ['example.com', 'z.y.example.com', '.com', 'xexample.com', '*', '[::1]'])
        expect(found('/a/b', host), host).toBe('any');
      expect(found('/a', 'x.example.com.evil')).toBe(null);
    }
    expect(find([at('/a', { host: '*.local' })], '/a', { host: 'local' })).toBe(null);
    expect(find(routes, '/a', { host: 'x.example.com', method: 'PUT' })).toEqual(['GET', 'POST']);
  });

  it('below *. is not walked around by a reading that comes to the exact one', () => {
    const routes = [at('/a/**', { host: '*.example' }), at('/a/b', { host: 'x.example' })];
    for (const path of ['/a/b;x', '/a/b/']) {
      expect(find(routes, path, { host: 'x.example' })).toBe(null);
      expect(find(routes, path, { host: 'y.example' })).toBe('/a/**');
    }
  });

  it('is compared without port and without the final dot', () => {
    const routes = [at('/a', { host: 'a.example' }), at('/b', { host: '[::1]' })];
    for (const host of ['a.example', 'a.example:8443', 'a.example.', 'a.example.:80'])
      expect(find(routes, '/a', { host })).toBe('/a');
    for (const host of ['[::1]', '[::1]:8443']) expect(find(routes, '/b', { host })).toBe('/b');
    for (const host of ['', 'a.example.evil', 'xa.example', 'a.example..', '*'])
      expect(find(routes, '/a', { host })).toBe(null);
    expect(hostName('[2001:db8::7]')).toBe('[2001:db8::7]');
  });
});

describe('a method', () => {
  const routes = [
    at('/a/b', { methods: ['PUT'] }),
    at('/a/**', { methods: ['GET', 'HEAD'] }),
    at('/**', { methods: ['DELETE'], host: 'a.example' }),
  ];

  it('takes part in the match: what a narrower route does not take, a wider one may', () => {
    expect(find(routes, '/a/b')).toBe('/a/**');
    expect(find(routes, '/a/b', { method: 'PUT' })).toBe('/a/b');
  });

  it('that no route takes on the path is told together with those that are taken', () => {
    expect(find(routes, '/a/b', { method: 'POST' })).toEqual(['GET', 'HEAD', 'PUT', 'DELETE']);
    expect(find(routes, '/a/c', { method: 'POST', host: 'b.example' })).toEqual(['GET', 'HEAD']);
    expect(find(routes, '/x', { method: 'POST', host: 'b.example' })).toBe(null);
  });

  it('is compared as exact bytes', () => {
    for (const method of ['get', 'GET ', 'CONNECT', 'TRACE', '__proto__'])
      expect(find(routes, '/a/b', { method })).not.toEqual(expect.any(String));
  });
});

describe('ties', () => {
  it.each([
    ['/a', '/a'],
    ['/a/{x}/c', '/a/b/{y}'],
    ['/a/{x}', '/a/**'],
    ['/a', '/a/**'],
    ['/{x}', '/**'].map((path) => `/a${path}`) as [string, string],
    ['/{x}/b/**', '/a/{y}/**'],
    ['/**', '/{x}'],
    ['/{x}/{y}', '/{z}/**'],
    ['/a/{x}:go', '/a/{y}:go'],
    ['/{x}/{y}:go', '/a/{z}'],
    ['/{x}/a:go', '/b/{y}:go'],
    ['/{x}:go', '/{y}:go'],
    ['/{x}/{y}:go', '/a/**'],
    ['/a:go', '/a:go'],
  ])('are found between %s and %s', (one, other) => {
    for (const routes of [[at(one, { name: 'one' }), at(other, { name: 'other' })]]) {
      const ties = findTies(routes);
      expect(ties.map((tie) => [tie.first.name, tie.second.name])).toEqual([['one', 'other']]);
      expect(() => createRouteTable(routes)).toThrow(/both match GET/);
    }
  });

  it.each([
    ['/a', '/a/'],
    ['/a/', '/a/**'],
    ['/a/{x}', '/a/'],
    ['/a/b', '/a/{x}'],
    ['/a', '/A'],
    ['/a/{x}/**', '/a'],
    ['/a/{x}/c', '/a/{x}/d'],
    ['/', '/**'],
    ['/a/{x}:go', '/a/{x}:stop'],
    ['/a/{x}:go', '/a/{x}'],
    ['/a/{x}:go', '/a/b'],
    ['/{x}/a:go', '/b/a'],
    ['/a:go', '/{x}/go'],
    ['/a/{x}:go', '/a/{x}:Go'],
  ])('are not found between %s and %s', (one, other) =>
    expect(findTies([at(one), at(other)])).toEqual([]),
  );

  it('need the same host and a method in common', () => {
    expect(findTies([at('/a'), at('/a', { host: 'a.example' })])).toEqual([]);
    expect(findTies([at('/a', { methods: ['GET'] }), at('/a', { methods: ['POST'] })])).toEqual([]);
    expect(
      findTies([
        at('/a', { methods: ['GET', 'PUT'] }),
        at('/{x}/a'),
        at('/a', { methods: ['PUT'] }),
      ])[0]?.example,
    ).toBe('PUT /a');
  });

  it('look past letter case where a route does', () => {
    expect(findTies([at('/A', { caseInsensitive: true }), at('/a')])[0]?.example).toBe('GET /a');
    expect(findTies([at('/a'), at('/A', { caseInsensitive: true })])[0]?.example).toBe('GET /a');
    expect(findTies([at('/{x}:Go'), at('/{x}:go', { caseInsensitive: true })])[0]?.example).toBe(
      'GET /x:Go',
    );
    expect(
      findTies([at('/A', { caseInsensitive: true }), at('/a', { caseInsensitive: true })]).length,
    ).toBe(1);
  });

  it('are reported up to a hundred', () => {
    const same = Array.from({ length: 60 }, (_, index) => at('/a', { name: `r${index}` }));
    expect(findTies(same).length).toBe(100);
  });
});

describe('a route that must not exist', () => {
  it.each<[string, Partial<Route>]>([
    ['requires a permission of Sallyport itself', { permission: 'sallyport:registry:read' }],
    ['requires a look-alike of one', { permission: 'SallyPort:registry:read' }],
    ['requires nothing', { permission: null }],
    ['requires a pattern', { permission: 'a:*' }],
    [
      'takes its application from a variable that is not there',
      { application: { from: 'path', variable: 'other' } },
    ],
    [
      'is public for an unsafe method',
      { access: 'public', permission: null, methods: ['GET', 'POST'] },
    ],
    ['is public for OPTIONS', { access: 'public', permission: null, methods: ['OPTIONS'] }],
    ['acts on a public route', { action: 'renew-token', access: 'public', permission: null }],
    ['acts, and is forwarded', { action: 'renew-token', permission: null, methods: ['POST'] }],
    ['acts on GET', { action: 'renew-token', permission: null, upstream: '' }],
    ['takes CONNECT', { methods: ['CONNECT'] }],
    ['takes an unknown method', { methods: ['get'] }],
    ['takes no method', { methods: [] }],
    ['has a literal with a second spelling', { path: '/a;b' }],
    ['has a verb in the middle', { path: '/a:b/c' }],
    ['has an escaped literal', { path: '/a%20b' }],
    ['has a dot segment', { path: '/a/../b' }],
    ['has an empty segment', { path: '//a' }],
    ['has a star in the middle', { path: '/a/*/b' }],
    ['has one variable twice', { path: '/{x}/{x}' }],
    ['has a host with port', { host: 'a.example:80' }],
    ['has a host in capitals', { host: 'A.example' }],
    ['has a star in the middle of its host', { host: 'a.*.example' }],
    ['has an address below a star', { host: '*.0.0.1' }],
  ])('%s', (_, changes) => {
    expect(() => createRouteTable([route({ path: '/a/{application}', ...changes })])).toThrow(
      TypeError,
    );
    expect(() => findTies([route({ path: '/a/{application}', ...changes })])).toThrow(TypeError);
  });
});

describe('the table', () => {
  const word = fc.constantFrom('a', 'b', 'A');
  const segment = fc.oneof(
    { weight: 3, arbitrary: word },
    { weight: 1, arbitrary: fc.constant('{}') },
  );
  const template = fc
    .tuple(fc.array(segment, { maxLength: 4 }), fc.constantFrom('', '/', '/**', ':a', ':A'))
    .map(([words, end]) => {
      const front = words.map((each, index) => `/${each === '{}' ? `{v${index}}` : each}`).join('');
      return front === '' ? end.replace(/^(?::.*)?$/, '/') : front + end;
    });
  const routes = fc.array(
    fc.record({
      path: template,
      host: fc.constantFrom('*', 'a.example', '*.example'),
      methods: fc.constantFrom(['GET'], ['POST'], ['GET', 'POST']),
      caseInsensitive: fc.boolean(),
    }),
    { maxLength: 8 },
  );
  const paths = fc
    .tuple(fc.array(word, { maxLength: 5 }), fc.constantFrom('', '/', ':a', ':A', '%3Aa', ':a/'))
    .map(([words, end]) => `/${words.join('/')}${words.length > 0 ? end : ''}`);
  const requests = fc.record({
    path: paths,
    host: fc.constantFrom('a.example:1', 'b.example', 'example'),
    method: fc.constantFrom('GET', 'POST', 'PUT'),
  });

  it('answers like a reader who tries every route', () => {
    void fc.assert(
      fc.property(routes, fc.array(requests, { minLength: 1, maxLength: 20 }), (list, asked) => {
        const untied = withoutTies(
          list.map((changes, index) => route({ ...changes, name: `r${index}` })),
        );
        const table = createRouteTable(untied);
        for (const { host, path, method } of asked) {
          const match = table.match(host, path, method);
          const expected = naiveMatch(untied, { host, path, method });
          expect(
            match.kind === 'route'
              ? match.route.name
              : match.kind === 'none'
                ? null
                : [...match.allow].sort(),
          ).toEqual(expected);
        }
      }),
      { numRuns: 400 },
    );
  });

  it('has a tie exactly where two equally literal routes can match one request', () => {
    void fc.assert(
      fc.property(routes, (list) => {
        const made = list
          .slice(0, 2)
          .map((changes, index) => route({ ...changes, name: `r${index}` }));
        const [one, other] = made;
        if (one === undefined || other === undefined) return;
        const clash = allPaths.some((path) =>
          ['GET', 'POST'].some((method) => bothMatch(one, other, path, method)),
        );
        expect(findTies(made).length).toBe(clash ? 1 : 0);
      }),
      { numRuns: 400 },
    );
  });

  it('finds ties among thousands of routes without comparing each with each', () => {
    const many = Array.from({ length: 5000 }, (_, index) =>
      at(`/svc${index}/{x}/**`, { name: `r${index}` }),
    );
    expect(
      findTies([...many, at('/svc4999/{y}', { name: 'last' })]).map((tie) => tie.first.name),
    ).toEqual(['r4999']);
  });
});

/**
 * Every path of up to six segments over the words of the samples, with and without trailing slash.
 */
const allPaths: readonly string[] = (() => {
  const found = ['/'];
  let front = [''];
  for (let depth = 0; depth < 5; depth++) {
    front = front.flatMap((path) => ['a', 'b', 'A'].map((each) => `${path}/${each}`));
    found.push(...front, ...front.map((path) => `${path}/`));
  }
  return found.flatMap((path) => (/[^/]$/.test(path) ? [path, `${path}:a`, `${path}:A`] : [path]));
})();

function withoutTies(routes: readonly Route[]): readonly Route[] {
  const kept: Route[] = [];
  for (const each of routes) if (findTies([...kept, each]).length === 0) kept.push(each);
  return kept;
}

/** The template as a regular expression: another way to say the same. */
function pattern(each: Route): RegExp {
  const open = each.path.endsWith('/**');
  const front = (open ? each.path.slice(0, -3) : each.path).replace(/\{[^}]*\}/g, '[^/]+');
  return new RegExp(`^${front}${open ? '(?:/.*)?' : ''}$`, each.caseInsensitive ? 'i' : '');
}

function literalsOf(each: Route): number {
  const front = each.path.endsWith('/**') ? each.path.slice(0, -3) : each.path;
  return front === ''
    ? 0
    : front
        .slice(1)
        .split(/[/:]/)
        .filter((segment) => !segment.startsWith('{')).length;
}

const hostFits = (each: Route, host: string) =>
  new RegExp(`^${each.host.replace('*.', '[^.]+[.]').replace(/^\*$/, '.*')}(?::\\d+)?$`).test(host);

const hostRankOf = ({ host }: Route) => (host === '*' ? 0 : host.startsWith('*') ? 1 : 2);
const rankOf = (each: Route) => hostRankOf(each) * 1000 + literalsOf(each);

/** The most specific route that takes the path and the method, in any letter case or as it is. */
function pick(routes: readonly Route[], asked: Asked, path: string, anyCase = false) {
  return routes
    .filter(
      (each) =>
        hostFits(each, asked.host) &&
        each.methods.includes(asked.method) &&
        (anyCase ? new RegExp(pattern(each), 'i') : pattern(each)).test(path),
    )
    .sort((one, other) => rankOf(other) - rankOf(one))[0];
}

interface Asked {
  readonly host: string;
  readonly path: string;
  readonly method: string;
}

function naiveMatch(routes: readonly Route[], asked: Asked): string | string[] | null {
  const winner = pick(routes, asked, asked.path);
  if (winner !== undefined) return isReadOtherwise(routes, asked, winner) ? null : winner.name;
  const here = routes.filter(
    (each) => hostFits(each, asked.host) && pattern(each).test(asked.path),
  );
  return here.length === 0 ? null : [...new Set(here.flatMap((each) => each.methods))].sort();
}

const keepsSlash = (each: Route) => each.path.length > 1 && each.path.endsWith('/');

/** The rules of route-readings.ts, said once more. */
function isReadOtherwise(routes: readonly Route[], asked: Asked, winner: Route): boolean {
  const decoded = asked.path.replace(/%3A/g, ':');
  const forms = [asked.path, decoded].flatMap((path) =>
    path.length > 1 ? [path, path.replace(/\/$/, '')] : [path],
  );
  return (winner.caseInsensitive ? [false, true] : [false]).some((anyCase) =>
    forms.some((form) => {
      const found = pick(routes, asked, form, anyCase);
      const bare = keepsSlash(winner) && !form.endsWith('/');
      if (found !== winner && !(bare && (found === undefined || rankOf(found) < rankOf(winner))))
        return true;
      if (form.endsWith('/')) return false;
      const added = pick(routes, asked, `${form}/`, anyCase);
      if (added === undefined || added === winner || !keepsSlash(added)) return false;
      if (added.host !== winner.host) return hostRankOf(added) > hostRankOf(winner);
      return literalsOf(added) - 1 >= literalsOf(winner) && added.path !== `${winner.path}/`;
    }),
  );
}

function bothMatch(one: Route, other: Route, path: string, method: string): boolean {
  const sameRank = one.host === other.host && literalsOf(one) === literalsOf(other);
  return (
    sameRank &&
    [one, other].every((each) => each.methods.includes(method) && pattern(each).test(path))
  );
}

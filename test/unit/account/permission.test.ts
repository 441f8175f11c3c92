import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  commonPermissions,
  compilePermissions,
  exceeds,
  isOwn,
  isPermission,
  OWN_PERMISSIONS,
  permissionFault,
} from '../../../src/account/permission.ts';
import { patternLists, patterns, permissions } from './samples.ts';

const allows = (list: readonly string[], permission: string) =>
  compilePermissions(list).allows(permission);

describe('the grammar', () => {
  it.each([
    'a:b',
    'deployments:read',
    'a:b:c',
    'A.b-c_d:0',
    '*',
    'a:*',
    'a:b:*',
    'a:*:b',
    'a:*:*',
    'a:*:b:*:c',
    'sallyport:*',
    ...OWN_PERMISSIONS,
  ])('takes %s', (pattern) => expect(permissionFault(pattern)).toBe(null));

  it.each([
    '',
    ':',
    'a',
    'a:',
    ':b',
    'a::b',
    '*:a',
    '*:a:b',
    'a:**:b',
    'a:b*:c',
    'a:*:',
    'sallyport:*:read',
    'a*',
    'a:b*',
    '**',
    '*:*',
    'a b:c',
    'a:b ',
    ' a:b',
    'a:-',
    'a:b\n',
    'a,b:c',
    'ä:b',
    `a:${'b'.repeat(127)}`,
    `${'b'.repeat(127)}:*`,
  ])('refuses %j', (pattern) => expect(permissionFault(pattern)).not.toBe(null));

  it.each([
    'sallyport:registry',
    'sallyport:registry:*',
    'sallyport:registry:delete',
    'Sallyport:registry:read',
    'SALLYPORT:*',
    'sallyport:',
  ])('knows no other permission of Sallyport itself: %s', (pattern) => {
    expect(permissionFault(pattern)).toContain('sallyport:registry:read');
    expect(isPermission(pattern)).toBe(false);
  });

  it('tells permissions from patterns', () => {
    expect(isPermission('a:b')).toBe(true);
    expect(['*', 'a:*', 'sallyport:*', 'a'].map(isPermission)).toEqual([
      false,
      false,
      false,
      false,
    ]);
  });
});

describe('a set of permissions', () => {
  it('covers what is named, what stands under a prefix, and everything', () => {
    expect(allows(['a:b'], 'a:b')).toBe(true);
    expect(allows(['a:b'], 'a:c')).toBe(false);
    expect(allows(['a:b'], 'a:b:c')).toBe(false);
    expect(allows(['a:*'], 'a:b')).toBe(true);
    expect(allows(['a:*'], 'a:b:c')).toBe(true);
    expect(allows(['a:*'], 'ab:c')).toBe(false);
    expect(allows(['a:b:*'], 'a:b')).toBe(false);
    expect(allows(['a:b:*'], 'a:b:c')).toBe(true);
    expect(allows(['a:*:c'], 'a:b:c')).toBe(true);
    expect(allows(['a:*:c'], 'a:b:d')).toBe(false);
    expect(allows(['a:*:c'], 'a:c')).toBe(false);
    expect(allows(['a:*:c'], 'a:b:b:c')).toBe(false);
    expect(allows(['a:*:c'], 'a:b:c:d')).toBe(false);
    expect(allows(['a:*:c'], 'x:b:c')).toBe(false);
    expect(allows(['a:*:*'], 'a:b')).toBe(false);
    expect(allows(['a:*:*'], 'a:b:c:d')).toBe(true);
    expect(allows(['a:*:c:*'], 'a:b:c:d:e')).toBe(true);
    expect(allows(['*'], 'x:y')).toBe(true);
    expect(allows([], 'x:y')).toBe(false);
  });

  it('keeps Sallyport itself apart from the proxied APIs', () => {
    for (const permission of OWN_PERMISSIONS) {
      expect(allows(['*'], permission)).toBe(false);
      expect(allows(['sallyport:*'], permission)).toBe(true);
      expect(allows([permission], permission)).toBe(true);
    }
    expect(allows(['sallyport:*'], 'a:b')).toBe(false);
    expect(allows(['sallyport:*', '*'], 'sallyport:registry:delete')).toBe(false);
    expect(allows(['sallyport:registry:read'], 'sallyport:registry:write')).toBe(false);
    expect(isOwn('SallyPort:x')).toBe(true);
    expect(isOwn('sallyports:x')).toBe(false);
  });

  it('is made smaller, never larger, by patterns that are none', () => {
    for (const damaged of ['sallyport:registry:*', 'Sallyport:*', 'a:**', '*:*', '']) {
      expect(compilePermissions([damaged, 'a:b']).patterns).toEqual(['a:b']);
    }
  });

  it('covers what stands under any of its prefixes, however many there are', () => {
    for (const count of [1, 8, 9, 200]) {
      const names = Array.from({ length: count }, (_, n) => `kind${n}`);
      const set = compilePermissions(names.map((name) => `${name}:part:*`));
      for (const name of names) {
        expect(set.allows(`${name}:part:read`)).toBe(true);
        expect(set.allows(`${name}:party:read`)).toBe(false);
        expect(set.allows(`${name}:part`)).toBe(false);
      }
      expect(set.allows(`kind${count}:part:read`)).toBe(false);
    }
  });

  it('answers as the plain reading of its patterns', () => {
    void fc.assert(
      fc.property(patternLists, permissions, (list, permission) => {
        expect(allows(list, permission)).toBe(
          list.some((pattern) => plainlyCovers(pattern, permission)),
        );
      }),
    );
  });
});

describe('exceeding', () => {
  it('is found out, with the reach of each side in words', () => {
    const exceeding = (a: readonly string[], b: readonly string[]) =>
      exceeds(compilePermissions(a), compilePermissions(b));
    expect(exceeding(['a:b'], ['a:*'])).toBe(false);
    expect(exceeding(['a:*'], ['a:b'])).toBe(true);
    expect(exceeding(['a:b:*'], ['a:*'])).toBe(false);
    expect(exceeding(['a:*'], ['a:b:*'])).toBe(true);
    expect(exceeding(['a:x:c'], ['a:*:c'])).toBe(false);
    expect(exceeding(['a:*:c'], ['a:x:c'])).toBe(true);
    expect(exceeding(['a:*:c'], ['a:*'])).toBe(false);
    expect(exceeding(['a:*'], ['a:*:*', 'a:*:c'])).toBe(true);
    expect(exceeding(['a:*:c:*'], ['a:*:*'])).toBe(false);
    expect(exceeding(['*'], ['a:*'])).toBe(true);
    expect(exceeding(['a:*'], ['*'])).toBe(false);
    expect(exceeding(['sallyport:registry:read'], ['*'])).toBe(true);
    expect(exceeding(['sallyport:*'], ['*'])).toBe(true);
    expect(exceeding(['*'], ['sallyport:*'])).toBe(true);
    expect(exceeding([], [])).toBe(false);
  });

  it('takes all of Sallyport for more than its four permissions: a later version may know a fifth', () => {
    expect(exceeds(compilePermissions(['sallyport:*']), compilePermissions(OWN_PERMISSIONS))).toBe(
      true,
    );
    expect(exceeds(compilePermissions(OWN_PERMISSIONS), compilePermissions(['sallyport:*']))).toBe(
      false,
    );
  });

  it('agrees with what is allowed: no sample gets through a set that is not exceeded', () => {
    void fc.assert(
      fc.property(patternLists, patternLists, permissions, (a, b, permission) => {
        const [one, other] = [compilePermissions(a), compilePermissions(b)];
        if (!exceeds(one, other) && one.allows(permission))
          expect(other.allows(permission)).toBe(true);
        if (one.allows(permission) && !other.allows(permission))
          expect(exceeds(one, other)).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });

  it('has a witness wherever the proxied APIs are concerned', () => {
    const proxied = fc.array(
      patterns.filter((pattern) => !isOwn(pattern)),
      { maxLength: 4 },
    );
    void fc.assert(
      fc.property(proxied, proxied, (a, b) => {
        const [one, other] = [compilePermissions(a), compilePermissions(b)];
        const witnesses = a.map((pattern) =>
          pattern === '*' ? 'nobody:names:this' : pattern.replaceAll('*', 'nobodynamesthis'),
        );
        expect(exceeds(one, other)).toBe(witnesses.some((permission) => !other.allows(permission)));
      }),
      { numRuns: 1000 },
    );
  });

  it('is reflexively false, transitive, and never true of a subset', () => {
    void fc.assert(
      fc.property(patternLists, patternLists, patternLists, (a, b, c) => {
        const [one, two, three] = [
          compilePermissions(a),
          compilePermissions(b),
          compilePermissions(c),
        ];
        expect(exceeds(one, one)).toBe(false);
        expect(exceeds(one, compilePermissions([...a, ...b]))).toBe(false);
        if (!exceeds(one, two) && !exceeds(two, three)) expect(exceeds(one, three)).toBe(false);
      }),
    );
  });
});

function plainlyCovers(pattern: string, permission: string): boolean {
  const own = permission.startsWith('sallyport:');
  if (pattern === '*') return !own;
  const source = pattern.replaceAll('.', '\\.').replace(/:\*$/, ':.+').replaceAll('*', '[^:]+');
  return new RegExp(`^${source}$`).test(permission);
}

it('what two lists have in common allows nothing but what both allow, and all of it where no pattern has a hole', () => {
  void fc.assert(
    fc.property(patternLists, patternLists, permissions, (a, b, permission) => {
      const common = compilePermissions(commonPermissions(a, b)).allows(permission);
      const both = [a, b].every((list) => compilePermissions(list).allows(permission));
      if (common) expect(both).toBe(true);
      if (both && !common) expect([...a, ...b].join(' ')).toContain(':*:');
    }),
    { numRuns: 1000 },
  );
});

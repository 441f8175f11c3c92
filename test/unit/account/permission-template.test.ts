import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isName } from '../../../src/account/model.ts';
import { compilePermissions, isPermission } from '../../../src/account/permission.ts';
import {
  fillPermission,
  isPermissionValue,
  type PermissionTemplate,
  parsePermissionTemplate,
} from '../../../src/account/permission-template.ts';

const template = (text: string) => parsePermissionTemplate(text) as PermissionTemplate;

describe('what a route requires', () => {
  it('is a permission, or one with variables', () => {
    expect(parsePermissionTemplate('deployments:write')).toBe(null);
    expect(template('deployments:{environment}:write').variables).toEqual(['environment']);
    expect(template('a:{b}:{c}:{b}').variables).toEqual(['b', 'c']);
    expect(template('a:{b}').words).toEqual([{ literal: 'a' }, { variable: 'b' }]);
  });

  it.each([
    ['{kind}:write', 'first word'],
    ['{kind}:{what}', 'first word'],
    ['a:{b}-c', 'whole word'],
    ['a:x{b}', 'whole word'],
    ['a:{}', 'whole word'],
    ['a:{b', 'whole word'],
    ['a:{0b}', 'whole word'],
    ['{b}', 'first word'],
    ['a', 'expected a permission'],
    ['a:*', 'expected a permission'],
    ['a:{b}:*', 'expected a permission'],
    ['a::{b}', 'expected a permission'],
    [`${'a'.repeat(126)}:{b}:c`, 'expected a permission'],
    ['sallyport:{what}:read', "Sallyport's own"],
    ['SALLYPORT:{what}', "Sallyport's own"],
    ['sallyport:registry:read', "Sallyport's own"],
  ])('is not %s', (text, why) => expect(parsePermissionTemplate(text)).toContain(why));
});

describe('a value', () => {
  it.each(['Development', 'a', '9', 'a.b-c_d', 'x'.repeat(64)])('may be %s', (value) =>
    expect(isPermissionValue(value)).toBe(true),
  );
  it.each([
    '',
    '*',
    'a:b',
    'a b',
    '-a',
    '.a',
    'a.',
    'a%2Fb',
    'a;b',
    'ä',
    'a\n',
    '{x}',
    'x'.repeat(65),
  ])('may not be %j', (value) => expect(isPermissionValue(value)).toBe(false));

  it('fills exactly its own word, so that no request reaches another permission', () => {
    const text = fc.oneof(fc.string(), fc.stringMatching(/^[A-Za-z0-9._:*{}-]{0,70}$/));
    void fc.assert(
      fc.property(text, text, (one, other) => {
        fc.pre(isPermissionValue(one) && isPermissionValue(other));
        const filled = fillPermission(template('a:{one}:b:{other}'), (name) =>
          name === 'one' ? one : other,
        );
        if (filled === null) return expect(one.length + other.length).toBeGreaterThan(100);
        expect(isPermission(filled)).toBe(true);
        expect(filled.split(':')).toEqual(['a', one, 'b', other]);
        expect(isName(one)).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });

  it('that makes the permission too long makes none', () => {
    const long = (length: number) =>
      fillPermission(template('a:{b}:{b}'), () => 'x'.repeat(length));
    expect(long(62)).toBe(`a:${'x'.repeat(62)}:${'x'.repeat(62)}`);
    expect(long(64)).toBe(null);
  });

  it('is permitted to who has it, or any', () => {
    const filled = fillPermission(template('deployments:{environment}:write'), () => 'Production')!;
    const may = (...patterns: string[]) => compilePermissions(patterns).allows(filled);
    expect(may('deployments:Development:*')).toBe(false);
    expect(may('deployments:Production:*')).toBe(true);
    expect(may('deployments:*:write')).toBe(true);
    expect(may('deployments:*:read')).toBe(false);
    expect(may('deployments:*')).toBe(true);
    expect(may('deployments:production:write')).toBe(false);
  });
});

import { describe, expect, it } from 'vitest';
import { nameOfLines, readName } from '../../../src/account/distinguished-name.ts';

describe('a distinguished name', () => {
  it.each([
    ['CN=ci,O=Example', 'CN=ci,O=Example'],
    [' cn = ci , o=Example, Inc', null],
    [' cn = ci , o = Example\\, Inc ', 'CN=ci,O=Example\\, Inc'],
    ['CN=a\\2Cb', 'CN=a\\,b'],
    ['CN=J\\C3\\BCrgen', 'CN=Jürgen'],
    ['OU=b+CN=a,O=x', 'CN=a+OU=b,O=x'],
    ['CN=\\ a\\ ', 'CN=\\ a\\ '],
    ['CN=a b  ', 'CN=a b'],
    ['1.2.3.4=x', '1.2.3.4=x'],
    ['CN=a\\0Ab', 'CN=a\\0Ab'],
  ])('is read in one spelling: %j', (text, spelling) => {
    expect(readName(text)).toBe(spelling);
    // Once more it is the same.
    if (spelling !== null) expect(readName(spelling)).toBe(spelling);
  });

  it.each([
    '',
    'ci',
    'CN=',
    'CN=ci,',
    ',CN=ci',
    '=ci',
    'CN="ci"',
    'CN=a;O=b',
    'CN=#0403',
    'CN=\\',
    'CN=\\x',
    'CN=\\FF',
    'CN=a<b',
    'C N=a',
    `CN=${'a'.repeat(1100)}`,
  ])('is none: %j', (text) => {
    expect(readName(text)).toBeNull();
  });

  it('of a certificate is read from the lines that Node makes of it', () => {
    expect(nameOfLines('C=DE\nO=Example\\, Inc\nOU=a + CN=ci')).toBe(
      'CN=ci+OU=a,O=Example\\, Inc,C=DE',
    );
    expect(nameOfLines('CN=a\\0AO=b')).toBe('CN=a\\0AO\\=b'.replace('\\=', '='));
    for (const none of ['', 'CN', undefined]) expect(nameOfLines(none)).toBeNull();
  });
});

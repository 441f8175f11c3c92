import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseJsonPointer } from '../../../src/config/json-pointer.ts';
import { looseKey } from '../../../src/decision/json-key.ts';
import { DEPTH_MAX, readJsonValues } from '../../../src/decision/json-values.ts';

const at = (text: string, ...pointers: string[]) =>
  readJsonValues(
    text,
    pointers.map((pointer) => parseJsonPointer(pointer) as string[]),
  );
const faultOf = (text: string, ...pointers: string[]) => at(text, ...pointers).fault;
const valuesAt = (text: string, pointer: string) => {
  const read = at(text, pointer);
  return read.fault === null ? read.values[0] : read.fault;
};

describe('values', () => {
  it.each([
    ['{"app":"crm"}', '/app', ['crm']],
    [' {\t"x" : [ 1 , -0.5e+9 , true , null ] ,\r\n"app" : "crm" } ', '/app', ['crm']],
    ['{"a":{"b":{"c":"x"}}}', '/a/b/c', ['x']],
    [
      '{"ops":[{"app":"one"},{"app":"two","x":{}},{"app":"one"}]}',
      '/ops/*/app',
      ['one', 'two', 'one'],
    ],
    ['["one","two"]', '/*', ['one', 'two']],
    ['[[["x"]],[["y"],["z"]]]', '/*/*/*', ['x', 'y', 'z']],
    ['{"a/b":{"m~n":"x"}}', '/a~1b/m~0n', ['x']],
    ['{"other":{"app":7,"APP":8},"app":"x"}', '/app', ['x']],
    ['{"app":""}', '/app', ['']],
  ])('of %s at %s', (text, pointer, values) => expect(valuesAt(text, pointer)).toEqual(values));

  it.each([
    ['{}', '/app'],
    ['{"App":"x"}', '/app'],
    ['{"app":null}', '/app'],
    ['{"app":7}', '/app'],
    ['{"app":true}', '/app'],
    ['{"app":["x"]}', '/app'],
    ['{"app":{"app":"x"}}', '/app'],
    ['{"x":{"app":"y"}}', '/app'],
    ['"app"', '/app'],
    ['["x"]', '/app'],
    ['{"ops":[]}', '/ops/*/app'],
    ['{"ops":{}}', '/ops/*/app'],
    ['{"ops":{"*":{"app":"x"}}}', '/ops/*/app'],
    ['{"ops":{"0":{"app":"x"}}}', '/ops/*/app'],
    ['{"ops":[{"app":"x"},{}]}', '/ops/*/app'],
    ['{"ops":[{"app":"x"},{"app":null}]}', '/ops/*/app'],
    ['{"ops":[{"app":"x"},"y"]}', '/ops/*/app'],
    ['{"ops":[[{"app":"x"}]]}', '/ops/*/app'],
    ['[]', '/*'],
    ['[["x"],[]]', '/*/*'],
  ])('missing in %s at %s', (text, pointer) => expect(valuesAt(text, pointer)).toBe('missing'));

  it('of several pointers must all be there', () => {
    expect(at('{"a":"x","b":["y","z"]}', '/a', '/b/*')).toEqual({
      fault: null,
      values: [['x'], ['y', 'z']],
    });
    expect(faultOf('{"a":"x"}', '/a', '/b')).toBe('missing');
    // Such a pair is never permitted, whatever stands there.
    expect(faultOf('{"a":"x"}', '/a', '/A')).toBe('missing');
    expect(faultOf('{"a":"x","A":"y"}', '/a', '/A')).toBe('duplicate');
  });
});

describe('a text that is refused', () => {
  it.each([
    '',
    ' ',
    '{',
    '{"app":"x"',
    '{"app":"x"}}',
    '{"app":"x"} {"app":"y"}',
    '{"app":"x"}\u0000',
    '\uFEFF{"app":"x"}',
    '{"app":"x",}',
    '{,"app":"x"}',
    '{app:"x"}',
    "{'app':'x'}",
    '{"app" "x"}',
    '{"app":"x" "b":1}',
    '{"a":1,"app":"x"',
    '{"app":"x"}//',
    '/**/{"app":"x"}',
    '{"app":"x","n":01}',
    '{"app":"x","n":+1}',
    '{"app":"x","n":.5}',
    '{"app":"x","n":1.}',
    '{"app":"x","n":1e}',
    '{"app":"x","n":0x10}',
    '{"app":"x","n":NaN}',
    '{"app":"x","n":Infinity}',
    '{"app":"x","n":-}',
    '{"app":"x","n":nulll}',
    '{"app":"x","n":True}',
    '{"app":"x","n":[1,]}',
    '{"app":"x","n":[,1]}',
    '{"app":"x","n":[1 2]}',
    '{"app":"x","n":"\n"}',
    '{"app":"x","n":"\t"}',
    '{"app":"x","n":"\\x41"}',
    '{"app":"x","n":"\\u12G4"}',
    '{"app":"x","n":"\\u123"}',
    '{"app":"x","n":"\\',
    '{"app":"x","n":"a\\"}',
    '{"app":"x",\u00a0"n":1}',
    '{"app":"x",\u2028"n":1}',
    '{"app":"x","n":"\\ud800"}',
    '{"app":"x","n":"\\udc00\\ud800"}',
    '{"app":"x","\\ud800":1}',
  ])('as no JSON: %j', (text) => expect(faultOf(text, '/app')).toBe('json'));

  it.each([
    '{"app":"x","app":"x"}',
    '{"app":"x","\\u0061pp":"y"}',
    '{"\\u0061pp":"y","app":"x"}',
    '{"app":"x","APP":"y"}',
    '{"App":"y","app":"x"}',
    '{"app":"x","app ":"y"}',
    '{"app":"x","a_pp":"y"}',
    '{"app":"x","app\\u0000":"y"}',
    '{"app":"x","\uff41pp":"y"}',
    '{"app":"x","n":{"a":1,"a":2}}',
    '{"app":"x","n":[{"a":1,"\\u0061":2}]}',
    '{"app":"x","n":{"a":1,"b":{"c":1,"c":1}}}',
  ])('for a key that stands twice: %s', (text) =>
    expect(['duplicate', 'escaped']).toContain(faultOf(text, '/app')),
  );

  it('for what lax readers take for the key: long s, Kelvin, dotted and dotless i', () => {
    expect(faultOf('{"sis":"x","\u017fi\u017f":"y"}', '/sis')).toBe('duplicate');
    expect(faultOf('{"key":"x","\u212aey":"y"}', '/key')).toBe('duplicate');
    expect(faultOf('{"id":"x","\u0130d":"y"}', '/id')).toBe('duplicate');
    expect(faultOf('{"id":"x","\u0131d":"y"}', '/id')).toBe('duplicate');
    expect(faultOf('{"ops":[{"app":"x"}],"OPS":[{"app":"y"}]}', '/ops/*/app')).toBe('duplicate');
    expect(faultOf('{"ops":[{"app":"x","App":"y"}]}', '/ops/*/app')).toBe('duplicate');
    // Elsewhere letter case tells keys apart, as everywhere in JSON.
    expect(faultOf('{"app":"x","n":{"a":1,"A":2}}', '/app')).toBe(null);
  });

  it.each([
    '{"\\u0061pp":"x"}',
    '{"app":"\\u0078"}',
    '{"app":"x\\/y"}',
    '{"a\\u0070P":1,"app":"x"}',
  ])('for escapes in what decides: %s', (text) => expect(faultOf(text, '/app')).toBe('escaped'));

  it('for its depth, without exhausting anything', () => {
    const nested = (depth: number, open: string, close: string) =>
      `{"app":"x","n":${open.repeat(depth)}1${close.repeat(depth)}}`;
    expect(faultOf(nested(DEPTH_MAX - 1, '[', ']'), '/app')).toBe(null);
    expect(faultOf(nested(DEPTH_MAX, '[', ']'), '/app')).toBe('depth');
    expect(faultOf(nested(100_000, '{"n":', '}'), '/app')).toBe('depth');
    expect(faultOf('['.repeat(500_000), '/app')).toBe('depth');
  });

  it('as no JSON before anything that is missing', () => {
    expect(faultOf('{"n":1,}', '/app')).toBe('json');
    expect(faultOf('{"n":1}x', '/app')).toBe('json');
  });

  it('takes numbers of any size: they are passed on, and decide nothing', () => {
    expect(faultOf(`{"app":"x","n":${'9'.repeat(60_000)}}`, '/app')).toBe(null);
    expect(faultOf('{"app":"x","n":1e999999999}', '/app')).toBe(null);
  });
});

/** What stands at a pointer of a document that was read by somebody else. */
function plainlyAt(value: unknown, [step, ...rest]: readonly string[]): readonly unknown[] | null {
  if (step === undefined) return typeof value === 'string' ? [value] : null;
  if (step === '*') {
    if (!Array.isArray(value) || value.length === 0) return null;
    const found = value.map((element) => plainlyAt(element, rest));
    return found.includes(null) ? null : found.flatMap((values) => values ?? []);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
  return Object.hasOwn(value, step) ? plainlyAt((value as never)[step], rest) : null;
}

const parsed = (text: string): { value: unknown } | null => {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return null;
  }
};

const POINTERS = ['/a', '/a/b', '/a/*', '/a/*/b', '/b/a', '/*', '/*/a'];

describe('beside JSON.parse', () => {
  const agrees = (text: string, pointer: string): void => {
    // Bytes that are UTF-8 make no other.
    if (!text.isWellFormed()) return;
    const read = at(text, pointer);
    const other = parsed(text);
    if (other === null) expect(['json', 'depth', 'duplicate', 'escaped']).toContain(read.fault);
    // The only thing that it takes and we do not: half a surrogate pair.
    else if (read.fault === 'json') expect(text).toMatch(/\\u[dD][89a-fA-F]/);
    else if (read.fault === 'missing' || read.fault === null)
      expect(read.fault === null ? read.values[0] : null).toEqual(
        plainlyAt(other.value, parseJsonPointer(pointer) as string[]),
      );
  };

  const key = fc.constantFrom('a', 'b', 'A', 'a ', '*', '0', '__proto__', 'constructor', '');
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      fc.constantFrom('x', 'y', '', 'a"b', '\u00e9', '\ud83d\ude00'),
      fc.constantFrom(0, -1, 1.5, 1e300, true, false, null),
      fc.array(tie('value'), { maxLength: 3 }),
      fc
        .array(fc.tuple(key, tie('value')), { maxLength: 3 })
        .map((members) => Object.fromEntries(members)),
    ),
  }));

  it('reads the same values from every document', () => {
    void fc.assert(
      fc.property(
        value,
        fc.constantFrom(...POINTERS),
        fc.boolean(),
        (document, pointer, spaced) => {
          agrees(JSON.stringify(document, null, spaced ? 2 : 0), pointer);
        },
      ),
      { numRuns: 3000 },
    );
  });

  it('takes no text that it does not take: documents with one character changed', () => {
    const noise = fc.constantFrom(
      ...'{}[]",:\\ \n\t0eE.+-nulltrue/a*\u0000\ufeff\u2028',
      '\\u0061',
      '\\ud800',
      '"a":',
    );
    void fc.assert(
      fc.property(
        value,
        fc.nat(),
        noise,
        fc.nat(3),
        fc.constantFrom(...POINTERS),
        (document, place, piece, cut, pointer) => {
          const text = JSON.stringify(document) ?? '';
          const index = place % (text.length + 1);
          agrees(text.slice(0, index) + piece + text.slice(index + cut), pointer);
        },
      ),
      { numRuns: 10_000 },
    );
  });

  it('takes no text that it does not take: characters at random', () => {
    const text = fc
      .array(
        fc.constantFrom('{', '}', '[', ']', '"a"', '"b"', ',', ':', '1', '-', 'null', ' ', '"'),
        {
          maxLength: 12,
        },
      )
      .map((pieces) => pieces.join(''));
    void fc.assert(
      fc.property(text, fc.constantFrom(...POINTERS), (one, pointer) => {
        agrees(one, pointer);
      }),
      { numRuns: 10_000 },
    );
  });
});

describe('a loose key', () => {
  it('is the same for every way of writing it in other case', () => {
    void fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 8 }), (key) => {
        if (!/^[A-Za-z0-9]/.test(key)) return;
        expect(looseKey(key.toUpperCase())).toBe(looseKey(key));
        expect(looseKey(key.toLowerCase())).toBe(looseKey(key));
      }),
      { numRuns: 2000 },
    );
    expect(looseKey('ApplicationKey')).toBe(looseKey('application_key'));
    expect(looseKey('a')).not.toBe(looseKey('b'));
    expect(looseKey('$')).not.toBe(looseKey('#'));
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  FRAMING_FIELD,
  requestFieldNames,
  responseFieldNames,
} from '../../../src/http/field-names.ts';

describe('field names of requests', () => {
  it('keep their spelling, and have a lower-case form to be compared by', () => {
    const name = requestFieldNames.get('X-CuStOm-1')!;
    expect([name.text, name.lower]).toEqual(['X-CuStOm-1', 'x-custom-1']);
    expect(requestFieldNames.get('X-CuStOm-1')).toBe(name);
    expect(requestFieldNames.get('x-custom-1')).not.toBe(name);
  });

  it('are letters, digits and hyphens, and nothing that folds into one of these', () => {
    for (let code = 0; code < 256; code += 1) {
      const character = String.fromCharCode(code);
      const allowed = /[A-Za-z0-9-]/.test(character);
      expect(requestFieldNames.get(`X${character}Y`) !== null, JSON.stringify(character)).toBe(
        allowed,
      );
    }
    expect(requestFieldNames.get('')).toBeNull();
    // Letters that lower-case to ASCII ones: KELVIN SIGN, and I with a dot, in UTF-8 read as
    // latin-1 and as themselves.
    for (const wrong of ['\u212Aey', 'X-\u0130d', 'X-Account-I\u00c4\u00b1'])
      expect(requestFieldNames.get(wrong)).toBeNull();
  });

  it.each([
    ['Host', FRAMING_FIELD.host],
    ['AUTHORIZATION', FRAMING_FIELD.authorization],
    ['content-Length', FRAMING_FIELD.contentLength],
    ['Transfer-encoding', FRAMING_FIELD.transferEncoding],
    ['connection', FRAMING_FIELD.connection],
    ['Expect', FRAMING_FIELD.expect],
    ['User-Agent', FRAMING_FIELD.userAgent],
    ['Proxy-Authorization', FRAMING_FIELD.none],
    ['__proto__'.replaceAll('_', '-'), FRAMING_FIELD.none],
    ['constructor', FRAMING_FIELD.none],
    ['toString', FRAMING_FIELD.none],
  ])('%s is known for what it does, in any case', (text, framing) => {
    for (const spelling of [text, text.toLowerCase(), text.toUpperCase()]) {
      expect(requestFieldNames.get(spelling)!.framing).toBe(framing);
    }
  });

  it('stay right however many are made up, and those in use stay known', () => {
    const used = requestFieldNames.get('X-In-Use')!;
    used.fate = 7;
    for (let index = 0; index < 20_000; index += 1) {
      expect(requestFieldNames.get(`X-Many-${index}`)!.lower).toBe(`x-many-${index}`);
      if (index % 500 === 0) expect(requestFieldNames.get('X-In-Use')).toBe(used);
    }
    const late = requestFieldNames.get('X-Many-Late')!;
    expect(requestFieldNames.get('X-Many-Late')).toBe(late);
    expect(requestFieldNames.get('HOST')!.framing).toBe(FRAMING_FIELD.host);
    expect(requestFieldNames.get('X_Late')).toBeNull();
    expect(requestFieldNames.get(`X-${'a'.repeat(5000)}`)!.lower).toHaveLength(5002);
  });

  it('that nobody uses any more are forgotten, with what was made of them', () => {
    requestFieldNames.get('X-Unused')!.fate = 7;
    for (let index = 0; index < 3000; index += 1) requestFieldNames.get(`X-Other-${index}`);
    expect(requestFieldNames.get('X-Unused')!.fate).toBe(0);
  });
});

describe('field names where they stand in a head', () => {
  it('are those that their text has, whichever came before them', () => {
    const texts = ['Accept', 'accept', 'Accept-Encoding', 'X-A', 'X-B', 'XxA', 'X-Accept', 'X'];
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...texts)), fc.string(), (names, before) => {
        for (const name of names) {
          const head = `${before}${name}: Accept`;
          const at = requestFieldNames.at(head, before.length, before.length + name.length);
          expect(at).toBe(requestFieldNames.get(name));
          expect(at!.text).toBe(name);
        }
      }),
    );
  });

  it('are no names where the text is none', () => {
    for (const text of ['', 'A B', 'A\u00e9', 'A_B']) {
      const head = `Accept: a\r\n${text}: b`;
      expect(requestFieldNames.at(head, 11, 11 + text.length)).toBeNull();
    }
  });
});

describe('field names of responses', () => {
  it('are any token, each spelling one name', () => {
    const texts = ['X_Custom', 'a.b', "!#$%&'*+-.^_`|~", 'Set-Cookie', 'set-cookie'];
    const names = texts.map((text) => responseFieldNames.get(text)!);
    expect(new Set(names).size).toBe(5);
    expect(texts.map((text) => responseFieldNames.get(text)!)).toEqual(names);
    for (const wrong of ['', 'a b', 'a\t', 'a:', 'a(b)', 'a\u00e9'])
      expect(responseFieldNames.get(wrong)).toBeNull();
  });
});

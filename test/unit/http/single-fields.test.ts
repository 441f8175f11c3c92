import { describe, expect, it } from 'vitest';
import { FRAMING_FIELD } from '../../../src/http/field-names.ts';
import { MORE_THAN_ONE, noteSingle, type SingleFields } from '../../../src/http/single-fields.ts';
import { isHeadFault, parseRequestHead } from '../../../src/http1/request-parser.ts';
import { FieldSection } from '../../../src/http2/hpack-decoder.ts';
import { isHttp2Fault, readRequestHead } from '../../../src/http2/request-head.ts';

const nothing = (): SingleFields => ({
  host: null,
  authorization: null,
  length: null,
  coding: null,
  expect: null,
});

const { host, authorization, contentLength, transferEncoding, expect: expects } = FRAMING_FIELD;
const SINGLE = [host, authorization, contentLength, transferEncoding, expects];

describe('a field that may stand once', () => {
  it.each(SINGLE)('is noted once, and refused by its name the second time: %i', (field) => {
    const seen = nothing();
    expect(noteSingle(field, 'a', seen)).toBeNull();
    expect(Object.values(seen).filter((value) => value === 'a')).toHaveLength(1);
    expect(noteSingle(field, 'b', seen)).toMatch(/^more than one /);
    expect(Object.values(seen)).not.toContain('b');
  });

  it('leaves the others alone', () => {
    const seen = nothing();
    for (const field of Object.values(FRAMING_FIELD)) {
      if (SINGLE.some((single) => single === field)) continue;
      expect(noteSingle(field, 'a', seen)).toBeNull();
    }
    expect(seen).toEqual(nothing());
  });

  it('has a phrase of its own, and no two of them one', () => {
    const said = SINGLE.map((field) => {
      const seen = nothing();
      noteSingle(field, '', seen);
      return noteSingle(field, '', seen);
    });
    expect(said).toEqual([...MORE_THAN_ONE]);
  });
});

/** Each is legal once beside the others. */
const TWICE = { host: 'a', authorization: 'x', 'content-length': '0', expect: '100-continue' };

describe.each(Object.entries(TWICE))('two of %s', (name, value) => {
  const detail = { fault: 'request-ambiguous', detail: expect.stringMatching(/^more than one /) };

  it('are refused over HTTP/1.1', () => {
    const host = name === 'host' ? '' : 'Host: a\r\n';
    const read = parseRequestHead(
      `GET / HTTP/1.1\r\n${host}${name}: ${value}\r\n${name}: ${value}\r\n`,
      100,
    );
    expect(isHeadFault(read) && read).toEqual(detail);
  });

  it('are refused over HTTP/2', () => {
    const section = new FieldSection(1000, 1000);
    section.add(':method', 'GET');
    section.add(':scheme', 'https');
    section.add(':path', '/');
    section.add(':authority', 'a');
    section.add(name, value);
    section.add(name, value);
    const read = readRequestHead(section, true, 100);
    expect(isHttp2Fault(read) && read).toMatchObject(detail);
  });
});

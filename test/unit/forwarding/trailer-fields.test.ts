import { describe, expect, it } from 'vitest';
import { FieldRules } from '../../../src/forwarding/field-rules.ts';
import { passedTrailers } from '../../../src/forwarding/trailer-fields.ts';
import { requestFieldNames } from '../../../src/http/field-names.ts';
import { Fields } from '../../../src/http/fields.ts';
import { takesTrailers } from '../../../src/http/trailers.ts';

function trailers(...texts: readonly string[]) {
  const names = texts.map((text) => requestFieldNames.get(text)!);
  return { names, values: texts.map((_, index) => String(index)) };
}

describe('fields behind the content of a message', () => {
  it.each([
    [
      'say how it is framed',
      ['Content-Length', 'Transfer-Encoding', 'Trailer', 'TE', 'Connection'],
    ],
    ['say who calls', ['X-Account-Id', 'x--account-role', 'Remote-User', 'X-Forwarded-For']],
    ['authenticate', ['Authorization', 'Cookie', 'Set-Cookie', 'WWW-Authenticate']],
    ['route it or make it conditional', ['Host', 'Range', 'If-Match', 'Expect', 'Max-Forwards']],
    ['say how its content is read', ['Content-Type', 'Content-Encoding', 'Content-Range']],
    ['say where it leads', ['Location', 'Link', 'Access-Control-Allow-Origin', 'Vary', 'Age']],
    ['are ours', ['X-Request-Id', 'Via', 'Forwarded', 'traceparent', 'X-HTTP-Method-Override']],
  ])('never %s', (_, names) => {
    expect(passedTrailers(trailers(...names), [], null)).toBe(null);
    expect(passedTrailers(trailers(...names, 'X-Sum'), [], null)?.list).toEqual([
      'X-Sum',
      String(names.length),
    ]);
  });

  it('are passed in order otherwise, without those that Connection or the configuration names', () => {
    const came = trailers('Grpc-Status', 'X-Hop', 'Digest', 'X-Set', 'ETag');
    expect(passedTrailers(came, [], null)?.list).toHaveLength(10);
    expect(
      passedTrailers(came, ['x-hop'], new FieldRules(new Set(['x-set']), new Fields()))?.list,
    ).toEqual(['Grpc-Status', '0', 'Digest', '2', 'ETag', '4']);
  });

  it.each([
    ['trailers', true],
    ['Trailers', true],
    ['gzip;q=0.5, trailers', true],
    ['', false],
    ['trailersx', false],
    ['gzip', false],
  ])('are taken by whoever says TE: %j: %s', (te, taken) => {
    expect(takesTrailers(te)).toBe(taken);
  });
});

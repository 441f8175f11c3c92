import { describe, expect, it } from 'vitest';
import { clientFields, declaredLength } from '../../../src/forwarding/response-fields.ts';
import { parseResponseHead, type ResponseHead } from '../../../src/wire/response-parser.ts';

function answer(...fields: readonly string[]): ResponseHead {
  const head = parseResponseHead(
    ['HTTP/1.1 200 OK', ...fields].map((line) => `${line}\r\n`).join(''),
    true,
  );
  if (typeof head === 'string') throw new Error(head);
  return head;
}

const lines = (...fields: readonly string[]) =>
  clientFields(answer(...fields), 'request-1', 'sallyport').split('\r\n');

describe('the fields of an answer', () => {
  it('reach the client as the upstream wrote them, with the request id and our Via', () => {
    expect(
      lines(
        'Content-Type: a/b',
        'Set-Cookie: c=d',
        'set-cookie: e=f',
        'Cache-Control: no-cache',
        'Vary: *',
        'X_Odd: g',
        'WWW-Authenticate: Basic',
      ),
    ).toEqual([
      'Content-Type: a/b',
      'Set-Cookie: c=d',
      'set-cookie: e=f',
      'Cache-Control: no-cache',
      'Vary: *',
      'X_Odd: g',
      'WWW-Authenticate: Basic',
      'X-Request-Id: request-1',
      'Via: 1.1 sallyport',
      '',
    ]);
  });

  it('leave out what was for one connection only, and the framing, which is ours', () => {
    const own = [
      'Connection: X-Internal, keep-alive',
      'X-Internal: a',
      'Keep-Alive: timeout=5',
      'Upgrade: h2c',
      'Proxy-Connection: x',
      'Proxy-Authenticate: Basic',
      'TE: x',
      'Trailer: X-T',
    ];
    expect(lines(...own, 'Transfer-Encoding: chunked')).toEqual(lines());
    expect(lines(...own, 'Content-Length: 5')).toEqual(lines());
  });

  it('carry one request id, ours, also when the upstream nominates it', () => {
    expect(lines('X-Request-Id: theirs', 'x-request-id: again')).toEqual(lines());
    expect(lines('Connection: X-Request-Id, Via')).toEqual(lines());
  });

  it('append to Via', () => {
    expect(lines('Via: 1.1 inner', 'via: 1.0 older')).toContain(
      'Via: 1.1 inner, 1.0 older, 1.1 sallyport',
    );
  });

  it('tell the length that was declared for a body that does not come', () => {
    expect(declaredLength(answer('A: b', 'content-length: 12'))).toBe('12');
    expect(declaredLength(answer('A: b'))).toBeNull();
  });
});

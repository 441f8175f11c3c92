import { describe, expect, it } from 'vitest';
import { clientFields } from '../../../src/forwarding/response-fields.ts';
import { declaredLength, type ResponseHead } from '../../../src/http/response-head.ts';
import { parseResponseHead } from '../../../src/http1/response-parser.ts';
import { linesOf } from '../../support/outgoing.ts';

function answer(...fields: readonly string[]): ResponseHead {
  const head = parseResponseHead(
    ['HTTP/1.1 200 OK', ...fields].map((line) => `${line}\r\n`).join(''),
    true,
  );
  if (typeof head === 'string') throw new Error(head);
  return head;
}

const DATE = 'Date: Tue, 24 Nov 2026 06:00:00 GMT';

/** Without a date of its own each gets this one. */
const lines = (...fields: readonly string[]) =>
  linesOf(clientFields(answer(...fields, DATE), 'request-1', 'sallyport')).filter(
    (line) => line !== DATE,
  );

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

  it('name the protocol in which the upstream answered in Via (RFC 9110 §7.6.3)', () => {
    const old = parseResponseHead('HTTP/1.0 200 OK\r\nVia: 1.1 inner\r\n', false) as ResponseHead;
    expect(linesOf(clientFields(old, 'r', 'sallyport'))).toContain('Via: 1.1 inner, 1.0 sallyport');
  });

  it('leave this gate out of Via where it has no name there', () => {
    expect(linesOf(clientFields(answer(DATE), 'r', '')).join()).not.toContain('Via');
    expect(linesOf(clientFields(answer('Via: 1.1 inner', 'via: 1.0 older'), 'r', ''))).toContain(
      'Via: 1.1 inner, 1.0 older',
    );
  });

  it('say when an answer without a date came (RFC 9110 §6.6.1), and leave a date alone', () => {
    const datesOf = (...fields: readonly string[]) =>
      linesOf(clientFields(answer(...fields), 'r', 'g')).filter((line) => /^date:/i.test(line));
    expect(datesOf('date: whatever')).toEqual(['date: whatever']);
    for (const fields of [[], ['Connection: Date', 'Date: gone']]) {
      const before = Math.floor(Date.now() / 1000) * 1000;
      const [date, ...others] = datesOf(...fields);
      expect(others).toEqual([]);
      expect(date).toMatch(/^Date: [A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} [\d:]{8} GMT$/);
      expect(Date.parse(date!.slice(6))).toBeGreaterThanOrEqual(before);
      expect(Date.parse(date!.slice(6))).toBeLessThanOrEqual(Date.now());
    }
  });

  it('tell the length that was declared for a body that does not come', () => {
    expect(declaredLength(answer('A: b', 'content-length: 12'))).toBe('12');
    expect(declaredLength(answer('A: b'))).toBeNull();
  });
});

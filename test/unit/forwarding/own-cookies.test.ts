import { describe, expect, it } from 'vitest';
import { setsOwnCookie, withoutOwnCookies } from '../../../src/forwarding/own-cookies.ts';
import { clientFields, interimFields } from '../../../src/forwarding/response-fields.ts';
import { parseResponseHead } from '../../../src/http1/response-parser.ts';
import { linesOf } from '../../support/outgoing.ts';
import { fieldLines, forwardedMessage } from './samples.ts';

const START = ['GET /a HTTP/1.1', 'Host: h'];

const cookiesOf = (...fields: readonly string[]) =>
  fieldLines(forwardedMessage([...START, ...fields])).filter((line) => /^cookie/i.test(line));

describe('the console’s cookies', () => {
  it.each([
    ['__Host-sallyport=secret', null],
    ['a=b; __Host-sallyport=secret; c=d', 'a=b; c=d'],
    ['__Host-sallyport-browser=x; a=b', 'a=b'],
    ['a=b;__Host-sallyport-flow=x', 'a=b'],
    ['__host-SALLYPORT=x;  a="b; c"', 'a="b; c"'],
    ['a=b; __Host-sallyport', 'a=b'],
    ['a=b, __Host-sallyport=secret', null],
    ['a=b; =__Host-sallyport=secret', 'a=b'],
    ['a=b; __Host-other=c; sallyport=d', 'a=b; __Host-other=c; sallyport=d'],
    ['', ''],
  ])('are taken out of %j, which leaves %j', (value, left) =>
    expect(withoutOwnCookies(value)).toBe(left),
  );

  it('do not reach an upstream, in however many fields they come', () => {
    expect(
      cookiesOf(
        'Cookie: a=b; __Host-sallyport=s',
        'COOKIE: __Host-sallyport-browser=s',
        'cookie: c=d',
      ),
    ).toEqual(['Cookie: a=b', 'cookie: c=d']);
    expect(cookiesOf('Cookie: __Host-sallyport=s')).toEqual([]);
  });

  it('cannot be set by an upstream, in a final answer or an interim one', () => {
    const received = [
      'Set-Cookie: a=b; Path=/',
      'Set-Cookie: __Host-sallyport=evil; Path=/; Secure',
      'set-cookie:  __HOST-sallyport-browser=evil',
      'Set-Cookie: =__Host-sallyport=evil',
      'Set-Cookie: c=d; Comment=__Host-sallyport',
    ];
    for (const status of ['200 OK', '103 Early Hints']) {
      const head = parseResponseHead(
        [`HTTP/1.1 ${status}`, ...received].map((line) => `${line}\r\n`).join(''),
        true,
      );
      if (typeof head === 'string') throw new Error(head);
      const fields = status.startsWith('2') ? clientFields(head, 'r', 'g') : interimFields(head);
      expect(linesOf(fields).filter((line) => /^set-cookie/i.test(line))).toEqual([
        'Set-Cookie: a=b; Path=/',
        'Set-Cookie: c=d; Comment=__Host-sallyport',
      ]);
    }
  });

  it('are told by their pair alone', () => {
    expect(setsOwnCookie('a=b; __Host-sallyport=c')).toBe(false);
    expect(setsOwnCookie('__Host-sallyport=; Max-Age=0')).toBe(true);
  });
});

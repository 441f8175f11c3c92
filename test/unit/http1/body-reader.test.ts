import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BodyReader } from '../../../src/http1/body-reader.ts';
import { cut, singleBytes } from './reading.ts';

interface Read {
  readonly state: string;
  readonly content: string;
  /** Bytes that were not taken: they belong to the next message. */
  readonly left: string;
  readonly contentBytes: number;
}

function readAll(reader: BodyReader, pieces: readonly Buffer[]): Read {
  const content: Buffer[] = [];
  const left: Buffer[] = [];
  for (const piece of pieces) {
    const taken = reader.read(piece, { onBody: (bytes) => void content.push(Buffer.from(bytes)) });
    if (taken < piece.length) left.push(piece.subarray(taken));
  }
  return {
    state: reader.state,
    content: Buffer.concat(content).toString('latin1'),
    left: reader.state === 'broken' ? '' : Buffer.concat(left).toString('latin1'),
    contentBytes: reader.contentBytes,
  };
}

/** What comes of the text, having seen that it does not depend on where it is cut. */
function outcomeOf(create: () => BodyReader, text: string): Read {
  const bytes = Buffer.from(text, 'latin1');
  const whole = readAll(create(), [bytes]);
  expect(readAll(create(), singleBytes(bytes))).toEqual(whole);
  for (let at = 1; at < bytes.length; at += 1)
    expect(readAll(create(), cut(bytes, [at]))).toEqual(whole);
  return whole;
}

const chunked = (text: string) => outcomeOf(() => BodyReader.chunked(), text);

describe('a body of a known length', () => {
  it('ends there, and leaves the rest', () => {
    const outcome = outcomeOf(() => BodyReader.ofLength(5), 'helloGET /');
    expect(outcome).toEqual({ state: 'done', content: 'hello', left: 'GET /', contentBytes: 5 });
  });

  it('is not done before', () => {
    expect(outcomeOf(() => BodyReader.ofLength(5), 'hell')).toMatchObject({
      state: 'more',
      content: 'hell',
    });
  });

  it('of nothing is done at once and takes nothing', () => {
    expect(readAll(BodyReader.ofLength(0), [Buffer.from('x')])).toMatchObject({
      state: 'done',
      content: '',
      left: 'x',
    });
  });
});

describe('a body until the close', () => {
  it('takes everything and is never done by itself', () => {
    const reader = BodyReader.untilClose();
    expect(readAll(reader, [Buffer.from('0\r\n\r\n'), Buffer.from('HTTP/1.1')])).toMatchObject({
      state: 'more',
      content: '0\r\n\r\nHTTP/1.1',
      left: '',
    });
    expect([reader.endsWithConnection, BodyReader.chunked().endsWithConnection]).toEqual([
      true,
      false,
    ]);
  });
});

describe('a chunked body', () => {
  it.each([
    ['one chunk', '5\r\nhello\r\n0\r\n\r\n', 'hello'],
    ['several', '5\r\nhello\r\n1\r\n \r\n5\r\nworld\r\n0\r\n\r\n', 'hello world'],
    ['none', '0\r\n\r\n', ''],
    ['zeros in front', '0005\r\nhello\r\n000\r\n\r\n', 'hello'],
    ['hex in any case', 'A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n', '01234567890123456789'],
    ['line breaks and framing in the data', '7\r\n0\r\n\r\n\r\n\r\n0\r\n\r\n', '0\r\n\r\n\r\n'],
    ['extensions', '2;a\r\nhi\r\n2;a=b;c="d e";f\r\nho\r\n0;last="1"\r\n\r\n', 'hiho'],
    ['an empty quoted extension', '2;a=""\r\nhi\r\n0\r\n\r\n', 'hi'],
    [
      'trailers',
      '2\r\nhi\r\n0\r\nX-Account-Id: root\r\nContent-Lengt: 1\r\nX-Content-Length: 1\r\nB:\r\nC: \u00e9\t\r\n\r\n',
      'hi',
    ],
  ])('with %s gives its content and leaves what follows', (_, text, content) => {
    expect(chunked(`${text}GET /next`)).toEqual({
      state: 'done',
      content,
      left: 'GET /next',
      contentBytes: content.length,
    });
  });

  it('is not done before its last line break', () => {
    const text = '2;a="b"\r\nhi\r\n0\r\nA: b\r\n\r\n';
    for (let length = 0; length < text.length; length += 1)
      expect(chunked(text.slice(0, length)).state).toBe('more');
    expect(chunked(text).state).toBe('done');
  });

  it.each([
    ['no size', ['\r\n', ';a\r\n', ' 5\r\n', '\t5\r\n', '\n']],
    [
      'signs, prefixes, separators',
      ['-1\r\n', '+5\r\n', '0x5\r\n', '5_0\r\n', '5.0\r\n', '5,0\r\n', '\u00b2\r\n', 'g\r\n'],
    ],
    ['white space after the size', ['5 \r\n', '5\t\r\n', '5 ;a\r\n', '5\x0b\r\n']],
    ['more digits than any size has', ['0000000000005\r\n', 'fffffffffffff\r\n']],
    [
      'a size line that is not ended by CRLF',
      ['5\n', '5\rX', '5\r\r\n', '0\n', '5;a\n', '5;a="\n"\r\n', '5;a\rb\r\n'],
    ],
    [
      'a chunk that is not ended by CRLF',
      ['2\r\nhi\n', '2\r\nhi\rX', '2\r\nhiX', '2\r\nhi0\r\n\r\n', '2\r\nh\r\n0\r\n'],
    ],
    [
      'extensions outside the grammar',
      [
        '5;\r\n',
        '5;;a\r\n',
        '5;=b\r\n',
        '5;a=\r\n',
        '5;a b\r\n',
        '5;a="b\r\n',
        '5;a="b"c\r\n',
        '5;a="\\""\r\n',
        '5;a=\u00e9\r\n',
        '5;a="\u00e9"\r\n',
        '5; a\r\n',
        '5;a\0\r\n',
        '5;a="\x7f"\r\n',
      ],
    ],
    [
      'trailers outside the grammar',
      [
        '0\r\nA\r\n',
        '0\r\n: b\r\n',
        '0\r\n A: b\r\n',
        '0\r\nA : b\r\n',
        '0\r\nA: b\n',
        '0\r\nA: b\rc',
        '0\r\nA: b\0',
        '0\r\nA: b\r\n c\r\n',
        '0\r\n\u00e9: b\r\n',
        '0\r\n\n',
      ],
    ],
    [
      'trailers that speak of framing',
      [
        '0\r\nContent-Length: 5\r\n',
        '0\r\nA: b\r\ntransfer-ENCODING: chunked\r\n',
        '2\r\nhi\r\n0\r\ncontent-length:\r\n',
      ],
    ],
    ['anything but the end after the last chunk', ['0\r\n\rX', '0\r\nGET / HTTP/1.1\r\n']],
  ])('is broken by %s', (_, texts) => {
    expect(texts.filter((text) => chunked(text).state !== 'broken')).toEqual([]);
  });

  it('reads nothing more once it is broken', () => {
    const reader = BodyReader.chunked();
    readAll(reader, [Buffer.from('x')]);
    expect(
      reader.read(Buffer.from('2\r\nhi\r\n0\r\n\r\n'), { onBody: () => expect.unreachable() }),
    ).toBe(0);
  });

  it('has a bound on all extensions and on all trailers together, and none on the number of chunks', () => {
    const small = '1;abcdefghi\r\nx\r\n';
    expect(readAll(BodyReader.chunked(), [Buffer.from(small.repeat(300))]).state).toBe('more');
    expect(readAll(BodyReader.chunked(), [Buffer.from(small.repeat(600))]).state).toBe('broken');
    expect(readAll(BodyReader.chunked(), [Buffer.from(`1;${'a'.repeat(5000)}`)]).state).toBe(
      'broken',
    );
    expect(
      readAll(BodyReader.chunked(), [Buffer.from(`0\r\n${'A: b\r\n'.repeat(2000)}`)]).state,
    ).toBe('broken');
    expect(readAll(BodyReader.chunked(), [Buffer.from('1\r\nx\r\n'.repeat(20_000))])).toMatchObject(
      {
        state: 'more',
        contentBytes: 20_000,
      },
    );
  });

  it('gives back whatever was put in chunks, in any chunks, cut anywhere', async () => {
    const chunks = fc.array(fc.uint8Array({ minLength: 1, maxLength: 20 }), { maxLength: 8 });
    await fc.assert(
      fc.property(chunks, fc.array(fc.nat(300), { maxLength: 10 }), (all, offsets) => {
        const framed = all.flatMap((chunk) => [
          Buffer.from(`${chunk.length.toString(16)}\r\n`),
          Buffer.from(chunk),
          Buffer.from('\r\n'),
        ]);
        const bytes = Buffer.concat([...framed, Buffer.from('0\r\n\r\nrest')]);
        const outcome = readAll(BodyReader.chunked(), cut(bytes, offsets));
        expect(outcome).toMatchObject({
          state: 'done',
          content: Buffer.concat(all).toString('latin1'),
          left: 'rest',
        });
      }),
    );
  });
});

describe('fields behind a chunked body', () => {
  const behind = (reader: BodyReader, text: string) => {
    readAll(reader, [Buffer.from(text, 'latin1')]);
    const { names, values } = reader.trailers ?? { names: [], values: [] };
    return [reader.state, names.map((name, index) => `${name.text}=${values[index]}`)];
  };

  it('are kept in order, without white space around their values', () => {
    const text = '1\r\nx\r\n0\r\nX-A: \t1 2 \r\nx-a:\r\nB:\u00e9\u00a0\r\n\r\n';
    for (const reader of [BodyReader.chunked(), BodyReader.chunked('blanks')])
      expect(behind(reader, text)).toEqual(['done', ['X-A=1 2', 'x-a=', 'B=\u00e9\u00a0']]);
    const none = BodyReader.chunked();
    readAll(none, [Buffer.from('0\r\n\r\n')]);
    expect([none.state, none.trailers]).toEqual(['done', null]);
  });

  it('have the names that heads of the same direction may have', () => {
    const text = '0\r\ngrpc_x.y: 1\r\n\r\n';
    expect(behind(BodyReader.chunked(), text)).toEqual(['broken', []]);
    expect(behind(BodyReader.chunked('blanks'), text)).toEqual(['done', ['grpc_x.y=1']]);
  });

  it('have a bound in bytes, and one in number', () => {
    const few = `0\r\n${'A: b\r\n'.repeat(10)}\r\n`;
    expect(behind(BodyReader.chunked('strict', 62), few)[0]).toBe('done');
    expect(behind(BodyReader.chunked('strict', 61), few)[0]).toBe('broken');
    const many = (count: number) => `0\r\n${'A:\r\n'.repeat(count)}\r\n`;
    expect(behind(BodyReader.chunked('strict', 10_000), many(100))[0]).toBe('done');
    expect(behind(BodyReader.chunked('strict', 10_000), many(101))[0]).toBe('broken');
  });
});

describe('a chunked body from an upstream', () => {
  const padded = (text: string) => outcomeOf(() => BodyReader.chunked('blanks'), text);
  const END = '0\r\n\r\n';

  it.each([
    ['behind the size', '5  \r\nhello\r\n0 \t\r\n\r\n'],
    ['before an extension', `5 ;a\r\nhello\r\n${END}`],
    ['around the parts of an extension', `5 ; a = b ;\tc = "d" ; e \r\nhello\r\n${END}`],
    ['nowhere', `5;a=b;c="d"\r\nhello\r\n${END}`],
  ])('may have white space %s (RFC 9112 §7.1.1)', (_where, text) => {
    expect(padded(text)).toMatchObject({ state: 'done', content: 'hello', left: '' });
  });

  it.each([
    ` 5\r\nhello\r\n${END}`,
    `5 5\r\nhello\r\n${END}`,
    `5 a\r\nhello\r\n${END}`,
    `5\u00a0\r\nhello\r\n${END}`,
    `5;a b\r\nhello\r\n${END}`,
    `5;a="b"c\r\nhello\r\n${END}`,
    `5;a=b =c\r\nhello\r\n${END}`,
    `5; \r\nhello\r\n${END}`,
    `5 =a\r\nhello\r\n${END}`,
    `5\r\nhello \r\n${END}`,
    `5 \nhello\r\n${END}`,
  ])('is broken by %j all the same', (text) => {
    expect(padded(text).state).toBe('broken');
  });

  it('bounds the white space of all its chunks together', () => {
    const read = (blanks: number) =>
      readAll(BodyReader.chunked('blanks'), [
        Buffer.from(`1${' '.repeat(blanks)}\r\nx\r\n1${' '.repeat(blanks)}\r\nx\r\n${END}`),
      ]).state;
    expect([read(2000), read(2100)]).toEqual(['done', 'broken']);
  });

  it('differs from one of a client, which is broken by white space', () => {
    for (const text of ['5 \r\nhello\r\n', '5 ;a\r\nhello\r\n', '5;a =b\r\nhello\r\n'])
      expect(chunked(`${text}${END}`).state).toBe('broken');
  });
});

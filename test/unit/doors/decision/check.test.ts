import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CHECK_PATH, readCheck } from '../../../../src/doors/decision/check.ts';
import { delimited, numeric, readWireFields } from '../../../../src/doors/decision/protobuf.ts';
import { TrustedProxies } from '../../../../src/http/client-address.ts';
import type { Peer, RequestHead } from '../../../../src/http/request-head.ts';

const FRONT: Peer = { address: '127.0.0.1', port: 1, secure: false };
const ASKING = {
  proxies: new TrustedProxies(['127.0.0.1']),
  targetBytes: 8192,
  keySet: () => undefined,
};
const OUTER: RequestHead = {
  method: 'POST',
  target: CHECK_PATH,
  path: CHECK_PATH,
  version: '2',
  host: 'gate',
  names: [],
  values: [],
  authorization: null,
  userAgent: null,
  framing: { kind: 'chunked' },
  nominated: [],
  expectsContinue: false,
  keepAlive: true,
  takesTrailers: false,
  upgrade: null,
};

const header = (key: string, value: string) => delimited(3, delimited(1, key), delimited(2, value));
const HTTP = [
  delimited(2, 'GET'),
  delimited(4, '/app/1?q=1'),
  delimited(5, 'api.test'),
  delimited(6, 'https'),
  header('authorization', 'Bearer a'),
  header('user-agent', 'curl'),
  numeric(9, 5),
];
const SOURCE = delimited(1, delimited(1, delimited(1, delimited(2, '192.0.2.1'))));

function read(...http: readonly Buffer[]) {
  return framed(delimited(1, SOURCE, delimited(4, delimited(2, ...http))));
}

function framed(message: Buffer) {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return readCheck(OUTER, Buffer.concat([prefix, message]), FRONT, ASKING);
}

/** Whoever reads as the format says takes the last one, and puts messages together. */
const fault = (...http: readonly Buffer[]) => {
  const asked = read(...http);
  return 'fault' in asked ? asked.fault : null;
};

describe('a CheckRequest', () => {
  it('is the request that it says, from whom it says', () => {
    expect(read(...HTTP)).toMatchObject({
      head: {
        method: 'GET',
        target: '/app/1?q=1',
        path: '/app/1',
        host: 'api.test',
        authorization: 'Bearer a',
        userAgent: 'curl',
        framing: { kind: 'elsewhere' },
      },
      peer: { address: '192.0.2.1', secure: true },
    });
  });

  it('says each thing once', () => {
    for (const again of [delimited(2, 'GET'), delimited(4, '/public'), delimited(5, 'api.test')])
      expect(fault(...HTTP, again)).toBe('request-ambiguous');
    expect(fault(...HTTP, header('authorization', 'Bearer b'))).toBe('request-ambiguous');
    expect(fault(...HTTP, header('Authorization', 'Bearer b'))).toBe('request-ambiguous');
    const whole = delimited(1, SOURCE, delimited(4, delimited(2, ...HTTP)));
    expect(framed(Buffer.concat([whole, whole]))).toMatchObject({ fault: 'request-ambiguous' });
    const twoKeys = delimited(3, delimited(1, 'a'), delimited(1, 'b'), delimited(2, 'c'));
    expect(fault(...HTTP, twoKeys)).toBe('request-ambiguous');
  });

  it('of whatever bytes is another request only where it says so in full, and never throws', () => {
    const good = read(...HTTP);
    const bytes = delimited(1, SOURCE, delimited(4, delimited(2, ...HTTP)));
    fc.assert(
      fc.property(
        fc.nat({ max: bytes.length - 1 }),
        fc.nat({ max: 255 }),
        fc.constantFrom('change', 'cut', 'insert'),
        (at, byte, how) => {
          const [before, after] = [bytes.subarray(0, at), bytes.subarray(at)];
          const rest = { change: after.subarray(1), cut: Buffer.alloc(0), insert: after }[how]!;
          const middle = how === 'cut' ? [] : [Buffer.of(byte)];
          const asked = framed(Buffer.concat([before, ...middle, rest]));
          if ('fault' in asked) return;
          const { method, target, host } = asked.head;
          expect([method, target, host].every((text) => text.length > 0)).toBe(true);
          // Less than there was is refused, but for what nobody needs to say.
          if (how === 'cut') expect(asked).toEqual(good);
        },
      ),
      { numRuns: 3000 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (some) => void framed(Buffer.from(some))),
    );
  });
});

describe('messages of protocol buffers', () => {
  it('are read back as they were written, and passed over where they hold something else', () => {
    const long = 'x'.repeat(70_000);
    const fields = readWireFields(
      Buffer.concat([
        ...[delimited(1, 'a'), numeric(2, 300), delimited(16, long), delimited(1, 'b')],
        ...[Buffer.of(0x1d, 1, 2, 3, 4), Buffer.of(0x21, 1, 2, 3, 4, 5, 6, 7, 8)],
      ]),
    );
    const texts = [...fields!].map(([number, values]) => [number, values.map(String)]);
    expect(texts).toEqual([
      [1, ['a', 'b']],
      [16, [long]],
    ]);
  });

  it.each([
    ['a length that is longer than the message', [0x0a, 2, 0x61]],
    ['a length that does not end', [0x0a, 0x80]],
    ['a length of more than 32 bits', [0x0a, 0xff, 0xff, 0xff, 0xff, 0x7f]],
    ['a tag of more than 32 bits', [0xff, 0xff, 0xff, 0xff, 0x7f]],
    ['a number that does not end', [0x08, 0x80, 0x80]],
    ['a number of more than 64 bits', [0x08, ...Array(10).fill(0x80), 1]],
    ['field 0', [0x02, 0]],
    ['a group', [0x0b, 0x0c]],
    ['a wire type that there is not', [0x0e]],
    ['half a fixed number', [0x0d, 1, 2]],
  ])('are none with %s', (_what, bytes) => {
    expect(readWireFields(Buffer.from(bytes))).toBeNull();
  });
});

import type { Socket } from 'node:net';
import { expect, it } from 'vitest';
import { Fields } from '../../../src/http/fields.ts';
import { RequestWriter } from '../../../src/upstream/request-writer.ts';
import { outgoing } from '../../support/outgoing.ts';

/** A socket that keeps what it is given, write by write. */
function written() {
  const writes: string[] = [];
  const socket = {
    writableNeedDrain: false,
    write: (what: Buffer | string) => {
      writes.push(typeof what === 'string' ? what : what.toString('latin1'));
      return writes.length < 2;
    },
  };
  return { writes, writer: new RequestWriter(socket as unknown as Socket) };
}

const HEAD = /^POST \/ HTTP\/1\.1\r\nHost: a\r\n(?:[^\r\n]+\r\n)*\r\n/;

it('a head and the first of its body are one write', () => {
  const { writes, writer } = written();
  writer.begin({ ...outgoing('POST'), framing: { kind: 'length', bytes: 4 } });
  writer.content(Buffer.from('body'));
  expect(writes).toEqual([]);
  expect(writer.flush()).toBe(true);
  expect(writes).toHaveLength(1);
  expect(writes[0]!.replace(HEAD, '')).toBe('body');
});

it('says when the upstream takes no more', () => {
  const { writer } = written();
  writer.begin({ ...outgoing('POST'), framing: { kind: 'length', bytes: 8 } });
  writer.flush();
  writer.content(Buffer.from('body'));
  expect(writer.flush()).toBe(false);
});

it('frames content as its head says, each request by its own', () => {
  const { writes, writer } = written();
  const trailers = new Fields().add('X-Sum', '1');
  writer.begin({ ...outgoing('POST'), framing: { kind: 'chunked' } });
  writer.content(Buffer.from('body'));
  writer.end(trailers);
  writer.flush();
  writer.begin({ ...outgoing('POST'), framing: { kind: 'length', bytes: 4 } });
  writer.content(Buffer.from('body'));
  writer.end(trailers);
  writer.flush();
  expect(writes.map((text) => text.replace(HEAD, ''))).toEqual([
    '4\r\nbody\r\n0\r\nX-Sum: 1\r\n\r\n',
    'body',
  ]);
});

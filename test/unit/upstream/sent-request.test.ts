import { expect, it } from 'vitest';
import { Fields } from '../../../src/http/fields.ts';
import type { ClientStream } from '../../../src/http2/client-stream.ts';
import { SentRequest } from '../../../src/upstream/http2/sent-request.ts';
import { outgoing } from '../../support/outgoing.ts';

const KEPT_BYTES = 64 * 1024;

/** A stream that says what it is told. */
function stream(takesMore = true) {
  const told: string[] = [];
  const fake = {
    request: ({ method }: { method: string }) => void told.push(method),
    content: (bytes: Buffer) => void told.push(`${bytes.length} bytes`),
    flush: () => {
      told.push('flush');
      return takesMore;
    },
    end: (trailers: Fields | null) =>
      void told.push(trailers === null ? 'end' : `end, ${trailers.list.join(': ')}`),
  };
  return { told, stream: fake as unknown as ClientStream };
}

function begun(method = 'POST'): SentRequest {
  const sent = new SentRequest();
  sent.begin(outgoing(method));
  return sent;
}

it('goes out as far as it is there, and its end once that is', () => {
  const sent = begun();
  sent.content(Buffer.alloc(3), false);
  const first = stream();
  expect(sent.sendOn(first.stream, 'http')).toBe(true);
  expect(first.told).toEqual(['POST', '3 bytes', 'flush']);
  sent.content(Buffer.alloc(4), true);
  sent.end(new Fields().add('X-Sum', '1'));
  const second = stream();
  sent.sendOn(second.stream, 'http');
  expect(second.told).toEqual(['POST', '3 bytes', '4 bytes', 'end, X-Sum: 1']);
});

it('says when a stream takes no more', () => {
  expect(begun().sendOn(stream(false).stream, 'http')).toBe(false);
});

it('can be sent again as long as all of it is here', () => {
  const sent = begun();
  sent.sendOn(stream().stream, 'http');
  sent.content(Buffer.alloc(KEPT_BYTES), true);
  expect(sent.isWhole).toBe(true);
  sent.content(Buffer.alloc(1), true);
  expect(sent.isWhole).toBe(false);
});

it('keeps what no stream has been given, however much it is', () => {
  const sent = begun();
  sent.content(Buffer.alloc(2 * KEPT_BYTES), false);
  expect(sent.isWhole).toBe(true);
  const { told, stream: to } = stream();
  sent.sendOn(to, 'http');
  expect(told).toContain(`${2 * KEPT_BYTES} bytes`);
  expect(sent.isWhole).toBe(false);
});

it('ends no stream that asks for a tunnel: that has its own end', () => {
  const sent = new SentRequest();
  sent.begin({ ...outgoing(), upgrade: { protocol: 'websocket', accept: null } });
  sent.end(null);
  const { told, stream: to } = stream();
  sent.sendOn(to, 'http');
  expect(told).toEqual(['GET', 'flush']);
});

it('is not sent again once it is forgotten', () => {
  const sent = begun();
  sent.forget();
  sent.content(Buffer.alloc(1), true);
  expect(sent).toMatchObject({ isWhole: false, hasContent: true });
});

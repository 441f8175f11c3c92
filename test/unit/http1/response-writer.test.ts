import type { Socket } from 'node:net';
import { duplexPair } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { refusalResponse } from '../../../src/calls/own-response.ts';
import { Fields } from '../../../src/http/fields.ts';
import { isHeadFault, parseRequestHead } from '../../../src/http1/request-parser.ts';
import { parseResponseHead } from '../../../src/http1/response-parser.ts';
import { ResponseWriter } from '../../../src/http1/response-writer.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** A request head that the writer has been given, held only weakly here. */
function begun(writer: ResponseWriter): WeakRef<object> {
  const head = parseRequestHead(
    'GET /a HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer secret\r\n',
    100,
  );
  if (isHeadFault(head)) throw new Error(head.detail);
  writer.begin(head, true);
  return new WeakRef(head);
}

function answer(writer: ResponseWriter): void {
  const head = parseResponseHead('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n', false);
  if (typeof head === 'string') throw new Error(head);
  writer.head(head, new Fields());
  writer.body(Buffer.from('hello'));
  writer.end(null);
}

function refuse(writer: ResponseWriter): void {
  writer.own(
    refusalResponse('token-missing', 'id', { errors: 'problem', realm: 'r', gate: 'g' }, []),
  );
}

it.each([
  ['answered', answer],
  ['refused', refuse],
])(
  'keeps nothing of a request that is %s: its head bears a token, and the connection may idle for long',
  async (_how, end) => {
    const [near, far] = duplexPair();
    const writer = new ResponseWriter(near as Socket);
    const head = begun(writer);
    await nextTurn();
    collectGarbage();
    expect(head.deref()).toBeDefined();
    await nextTurn();
    end(writer);
    writer.flush();
    await nextTurn();
    collectGarbage();
    expect(head.deref()).toBeUndefined();
    expect((far.read() as Buffer).toString()).toMatch(/^HTTP\/1\.1 /);
  },
);

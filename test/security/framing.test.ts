import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { converse } from '../support/conversation.ts';
import { readResponses, valuesOf } from '../support/http-bytes.ts';
import { connectRaw } from '../support/raw-client.ts';
import type { Step } from '../support/raw-upstream.ts';
import { fieldsOf, type GuardedUpstream, request, startGuarded } from './gate.ts';

/**
 * Where one request ends and the next begins is said once, by the gate, in the gate's own words.
 */

const OK: readonly Step[] = [{ send: 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok' }];
let steps: readonly Step[] = OK;
let guarded: GuardedUpstream;

beforeAll(async () => {
  guarded = await startGuarded({ plaintext: true, upstream: { answer: () => steps } });
});
afterEach(() => {
  steps = OK;
});
afterAll(() => guarded.stop());

const post = (fields: readonly string[], body: string) =>
  guarded.ask(request('POST /a HTTP/1.1', [guarded.authorization, ...fields], body));
/** Everything that comes back on a connection of its own, until it is closed or silent. */
const converseWith = async (text: string) => {
  guarded.upstream.clear();
  return converse({ port: guarded.port }, [Buffer.from(text, 'latin1')]);
};
const linesSeen = () => guarded.upstream.requests.map((seen) => seen.line);
const SMUGGLED = 'GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n';

describe('bodies', () => {
  it.each([
    [['Content-Length: 5'], 'hello', 'content-length: 5', 'hello'],
    [['Content-Length: 005'], 'hello', 'content-length: 5', 'hello'],
    [
      ['Transfer-Encoding: Chunked'],
      '5\r\nhello\r\n0\r\n\r\n',
      'transfer-encoding: chunked',
      'hello',
    ],
    [
      ['Transfer-Encoding: chunked'],
      '0005;ext="GET / HTTP/1.1"\r\nhello\r\n0;x\r\n\r\n',
      'transfer-encoding: chunked',
      'hello',
    ],
  ])('with %j go upstream in framing of ours', async (fields, body, framing, content) => {
    const { status, forwarded } = await post(fields, body);
    expect([status, forwarded[0]!.body.toString()]).toEqual([200, content]);
    expect(fieldsOf(forwarded[0]!, /^(content-length|transfer-encoding|te|trailer)$/i)).toEqual([
      framing,
    ]);
    expect(guarded.upstream.bytes.toString()).not.toContain('ext=');
  });

  it('lose trailers that would say more than a head may, and the fields that announced them', async () => {
    const { status, forwarded } = await post(
      ['Transfer-Encoding: chunked', 'Trailer: X-Account-Id', 'TE: trailers'],
      '2\r\nhi\r\n0\r\nX-Account-Id: root\r\nx--account--id: root\r\nAuthorization: Bearer x\r\nX-Sum: 1\r\n\r\n',
    );
    expect([status, forwarded[0]!.trailers]).toEqual([200, [['X-Sum', '1']]]);
    expect(guarded.upstream.bytes.toString()).not.toMatch(/root|Trailer/);
  });

  it.each([
    [['Content-Length: 5', 'Transfer-Encoding: chunked'], 'request-ambiguous'],
    [['Transfer-Encoding: chunked', 'Content-Length: 5'], 'request-ambiguous'],
    [['Content-Length: 5', 'Content-Length: 5'], 'request-ambiguous'],
    [['Content-Length: 5, 5'], 'request-ambiguous'],
    [['Content-Length: +5'], 'request-malformed'],
    [['Content-Length: 5 5'], 'request-malformed'],
    [['Transfer-Encoding: chunked', 'Transfer-Encoding: identity'], 'request-ambiguous'],
    [['Transfer-Encoding: xchunked'], 'request-malformed'],
    [['Transfer-Encoding: chunked, identity'], 'request-malformed'],
    [['Transfer-Encoding: \u000bchunked'], 'request-malformed'],
    [['Transfer-Encoding : chunked'], 'request-malformed'],
    [['Transfer-Encoding: chunked\t'], 'request-malformed'],
    [['Transfer-Encoding:'], 'request-malformed'],
    [['X: y\rTransfer-Encoding: chunked'], 'request-malformed'],
    [['X: y\nTransfer-Encoding: chunked'], 'request-malformed'],
    [['Foo: bar', ' Transfer-Encoding: chunked'], 'request-malformed'],
    [['Transfer-Encoding: gzip, chunked'], 'coding-unknown'],
  ])('that can be read in two ways (%j) are not read at all', async (fields, reason) => {
    const whole = `${request('POST /a HTTP/1.1', [guarded.authorization, ...fields], '0\r\n\r\n')}${SMUGGLED}`;
    const answered = await converseWith(whole);
    expect([answered.reason, answered.closed, answered.statuses.length, linesSeen()]).toEqual([
      reason,
      true,
      1,
      [],
    ]);
  });

  it.each([
    '5\r\nhelloX\r\n0\r\n\r\n',
    '5\nhello\n0\n\n',
    'g\r\n',
    '-1\r\n',
    '5\r\nhello\r\n0\r\n bad\r\n\r\n',
    '5\r\nhello\r\n0\r\nX_Account_Id: root\r\n\r\n',
    '5\r\nhello\r\n0\r\nContent-Length: 5\r\n\r\n',
    `ffffffffffffffff\r\n${'x'.repeat(50)}`,
  ])('that turn out broken (%j) are not taken for whole by the upstream', async (body) => {
    const answered = await converseWith(
      `${request('POST /a HTTP/1.1', [guarded.authorization, 'Transfer-Encoding: chunked'], body)}${SMUGGLED}`,
    );
    expect([answered.reason, answered.closed, answered.statuses, linesSeen()]).toEqual([
      'request-malformed',
      true,
      [400],
      [],
    ]);
    await guarded.upstream.waitFor('the broken request is given up', (upstream) =>
      upstream.connections.every(
        (one) => one.requests.length > 0 || one.bytes.length === 0 || one.closed !== 'open',
      ),
    );
  });

  it('of a refused request are never read as the next one', async () => {
    for (const field of ['Content-Length: 45', 'Transfer-Encoding: chunked']) {
      const answered = await converseWith(
        `${request('POST /a HTTP/1.1', [field])}${SMUGGLED.replace('\r\n\r\n', `\r\n${guarded.authorization}\r\n\r\n`)}`,
      );
      expect([answered.reason, answered.closed, answered.statuses, linesSeen()]).toEqual([
        'token-missing',
        true,
        [401],
        [],
      ]);
    }
  });

  it('that come after an early answer are never read as the next request', async () => {
    const early = await startGuarded({
      plaintext: true,
      upstream: {
        answerAt: 'head',
        answer: () => [{ send: 'HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n' }],
      },
    });
    try {
      const head = request('POST /a HTTP/1.1', [early.authorization, 'Content-Length: 200']);
      const answered = await converse({ port: early.port }, [
        Buffer.from(head),
        Buffer.from(SMUGGLED),
      ]);
      expect([answered.statuses, answered.closed]).toEqual([[413], true]);
      expect(early.upstream.requests).toEqual([]);
    } finally {
      await early.stop();
    }
  });
});

describe('Expect', () => {
  it('100-continue is answered by the gate, and the identity is ours all the same', async () => {
    guarded.upstream.clear();
    const client = await connectRaw({ port: guarded.port });
    const fields = [
      guarded.authorization,
      'Expect: 100-Continue',
      'Content-Length: 5',
      'X-Account-Id: root',
      'Connection: close',
    ];
    await client.send(request('POST /a HTTP/1.1', fields));
    await client.waitFor(
      '100 Continue',
      (bytes) => bytes.toString() === 'HTTP/1.1 100 Continue\r\n\r\n',
    );
    await client.send('hello');
    const answers = readResponses(await client.waitForClose(), ['POST']);
    expect(answers.map((answer) => answer.line.split(' ')[1])).toEqual(['100', '200']);
    const [seen] = guarded.upstream.requests;
    expect([seen!.body.toString(), fieldsOf(seen!, /^(expect|x-account-id)$/i)]).toEqual([
      'hello',
      [`x-account-id: ${guarded.gate.account.id}`],
    ]);
  });

  it.each(['100-continue, x', 'x 100-continue', '200-ok', '', '100-continue\u000b'])(
    '%j is refused, and the body is not waited for',
    async (value) => {
      const answered = await converseWith(
        `${request('POST /a HTTP/1.1', [guarded.authorization, `Expect: ${value}`, 'Content-Length: 5'], 'hello')}${SMUGGLED}`,
      );
      expect([answered.statuses.length, answered.closed, linesSeen()]).toEqual([1, true, []]);
      expect([400, 417]).toContain(answered.statuses[0]);
    },
  );

  it('is not answered with 100 for who is not known', async () => {
    const answered = await converseWith(
      request('POST /a HTTP/1.1', ['Expect: 100-continue', 'Content-Length: 5']),
    );
    expect([answered.statuses, answered.closed]).toEqual([[401], true]);
  });
});

describe('Upgrade', () => {
  it.each([
    [
      'h2c',
      [
        'Connection: Upgrade, HTTP2-Settings',
        'Upgrade: h2c',
        'HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA',
      ],
    ],
    ['websocket', ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13']],
    ['something else', ['Upgrade: TLS/1.0']],
  ])('to %s is not passed on', async (_, fields) => {
    const { status, forwarded } = await guarded.ask(
      request('GET /a HTTP/1.1', [guarded.authorization, ...fields]),
    );
    expect([status, fieldsOf(forwarded[0]!, /upgrade|connection|http2/i)]).toEqual([200, []]);
  });

  it('lets no bytes through behind it: they are nobody’s, and the connection closes', async () => {
    const upgrade = request('GET /a HTTP/1.1', [
      guarded.authorization,
      'Connection: Upgrade',
      'Upgrade: websocket',
    ]);
    const answered = await converseWith(upgrade + SMUGGLED);
    expect([answered.statuses, linesSeen()]).toEqual([[200], ['GET /a HTTP/1.1']]);
  });

  it('answered with 101 by an upstream that was not asked is a broken answer, and opens no tunnel', async () => {
    steps = [
      {
        send: 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\ntunnelled',
      },
    ];
    const answered = await converseWith(
      request('GET /a HTTP/1.1', [
        guarded.authorization,
        'Connection: Upgrade',
        'Upgrade: websocket',
      ]),
    );
    expect([answered.statuses, answered.reason]).toEqual([[502], 'upstream-broken']);
    expect(answered.text).not.toContain('tunnelled');
  });

  it('to HTTP/2 by its preface is refused where that is switched off', async () => {
    const { port, upstream, stop } = await startGuarded({
      plaintext: true,
      http2: { enabled: false },
    });
    onTestFinished(stop);
    const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0');
    const answered = await converse({ port }, [preface]);
    expect([answered.statuses, answered.closed, upstream.requests]).toEqual([[505], true, []]);
  });
});

describe('answers', () => {
  it.each([
    [
      'more than was announced',
      'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged',
    ],
    [
      'a second answer',
      'HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged',
    ],
    ['a body to a bodiless status', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 6\r\n\r\nforged'],
  ])('with %s do not become the answer to somebody else', async (_, sent) => {
    steps = [{ send: sent }];
    const first = await guarded.ask(request('GET /a HTTP/1.1', [guarded.authorization]));
    expect(first.text).not.toContain('forged');
    const used = guarded.upstream.connections.find((one) => one.requests.length > 0)!;
    steps = OK;
    for (let round = 0; round < 3; round += 1) {
      const next = await guarded.ask(request('GET /b HTTP/1.1', [guarded.authorization]));
      expect([next.status, next.answer!.body.toString(), next.forwarded.length]).toEqual([
        200,
        'ok',
        1,
      ]);
      // Whatever else comes on that connection would be taken for the next answer: it is not asked
      // again.
      expect(used.requests).toEqual([]);
    }
  });

  it.each([
    [
      'both lengths',
      'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok'],
    ['a folded field', 'HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 2\r\n\r\nok'],
    ['a bare LF', 'HTTP/1.1 200 OK\nContent-Length: 2\n\nok'],
    ['an unknown coding', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nok'],
    ['an empty line in front', '\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'],
  ])('with %s are broken, for the client too', async (_, sent) => {
    steps = [{ send: sent }];
    const outcome = await guarded.ask(request('GET /a HTTP/1.1', [guarded.authorization]));
    expect([outcome.status, outcome.reason]).toEqual([502, 'upstream-broken']);
    expect(valuesOf(outcome.answer!, 'proxy-status')).toHaveLength(1);
  });

  it('interim ones are passed on or dropped, and never taken for the final one', async () => {
    steps = [
      {
        send: 'HTTP/1.1 103 Early Hints\r\nLink: <a>\r\nConnection: X-Hop\r\nX-Hop: y\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
      },
    ];
    const { text } = await converseWith(request('GET /a HTTP/1.1', [guarded.authorization]));
    const answers = readResponses(Buffer.from(text, 'latin1'), ['GET'], false);
    expect(answers.map((answer) => answer.line.split(' ')[1])).toEqual(['103', '200']);
    expect(fieldsOf(answers[0]!, /hop|connection/i)).toEqual([]);
  });
});

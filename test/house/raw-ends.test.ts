import { afterEach, describe, expect, it } from 'vitest';
import {
  readRequest,
  readResponse,
  readResponses,
  statusOf,
  valuesOf,
} from '../support/http-bytes.ts';
import { connectRaw, exchange } from '../support/raw-client.ts';
import {
  type RawUpstream,
  type RawUpstreamOptions,
  startRawUpstream,
} from '../support/raw-upstream.ts';

/** The measuring tools are measured first: a recorder that miscounts would pass every gate. */
const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
let upstream: RawUpstream | null = null;

async function start(options: RawUpstreamOptions = {}): Promise<RawUpstream> {
  upstream = await startRawUpstream(options);
  return upstream;
}

afterEach(async () => {
  await upstream?.stop();
  upstream = null;
});

describe('the raw upstream', () => {
  it('answers and counts pipelined requests that arrive in odd pieces', async () => {
    const { port } = await start();
    const post = 'POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello';
    const bytes = GET + post + GET;
    const client = await connectRaw({ port });
    await client.send(...bytes.split(/(?<=[\r:])/));
    await client.waitFor('three answers', (answer) => answer.toString().split('ok').length === 4);
    client.close();
    expect(upstream?.requests.map((request) => request.line)).toEqual([
      'GET / HTTP/1.1',
      'POST /b HTTP/1.1',
      'GET / HTTP/1.1',
    ]);
    expect(upstream?.requests[1]?.body.toString()).toBe('hello');
    expect(upstream?.bytes.toString()).toBe(bytes);
    expect(upstream?.faults).toEqual([]);
  });

  it('does not count a request whose body is not there', async () => {
    const { port } = await start();
    await exchange({
      port,
      pieces: ['POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhell'],
      half: true,
    });
    expect(upstream?.requests).toHaveLength(0);
    expect(upstream?.connections[0]?.closed).toBe('end');
  });

  it('keeps a body of several megabytes as it came', async () => {
    const { port } = await start();
    const body = Buffer.alloc(5_000_000, 'abcdefg');
    const client = await connectRaw({ port });
    await client.send(`PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n`, body);
    await client.waitFor('an answer', (bytes) => bytes.includes('ok'));
    client.close();
    expect(upstream?.requests[0]?.body.equals(body)).toBe(true);
  });

  it('answers at the head when told to, and can close in the middle of a body', async () => {
    const { port } = await start({
      answerAt: 'head',
      answer: () => [
        { send: 'HTTP/1.1 413 Too Large\r\nContent-Length: 10\r\n\r\nfive!' },
        { end: true },
      ],
    });
    const { text, closed } = await exchange({
      port,
      pieces: ['POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n'],
    });
    expect(text).toMatch(/five!$/);
    expect(closed).toBe('end');
  });

  it('resets, hangs until told, and stops reading', async () => {
    const { port } = await start({
      answer: (_head, number) => (number === 0 ? [{ reset: true }] : []),
    });
    expect((await exchange({ port, pieces: [GET] })).closed).toBe('reset');
    await expect(exchange({ port, pieces: [GET], limitMs: 100 })).rejects.toThrow(
      'not within 100 ms',
    );
    expect(upstream?.requests).toHaveLength(2);
  });

  it('sees a reset of its peer, and forgets what it is told to forget', async () => {
    const { port } = await start({ answer: () => [] });
    const client = await connectRaw({ port });
    await client.send(GET);
    await upstream?.waitFor('a request', ({ requests }) => requests.length === 1);
    client.reset();
    await upstream?.waitFor('the reset', ({ connections }) => connections[0]?.closed === 'reset');
    upstream?.clear();
    expect(upstream?.connections).toEqual([]);
    expect(upstream?.bytes).toHaveLength(0);
  });

  it.each([
    [
      'two framings',
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['two equal lengths', 'POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx'],
    ['a bare LF', 'GET / HTTP/1.1\nHost: a\r\n\r\n'],
    ['a folded line', 'GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n'],
    ['a space before the colon', 'GET / HTTP/1.1\r\nHost : a\r\n\r\n'],
    [
      'a chunk extension',
      'POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;a=b\r\nx\r\n0\r\n\r\n',
    ],
    ['another coding', 'POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n'],
    ['a rest that is no request', `${GET}0\r\n\r\n${GET}`],
  ])('calls %s a fault instead of guessing', (_name, bytes) => {
    const first = readRequest(Buffer.from(bytes));
    const reading =
      first.state === 'complete' ? readRequest(Buffer.from(bytes), first.message.end) : first;
    expect(reading.state).toBe('fault');
  });
});

describe('reading answers', () => {
  it('knows by the method, the status and the framing where an answer ends', () => {
    const bytes = Buffer.from(
      'HTTP/1.1 100 Continue\r\n\r\n' +
        'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nEnd: yes\r\n\r\n' +
        'HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n' +
        'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\n\r\n' +
        'HTTP/1.0 200 OK\r\n\r\nto the end',
    );
    const answers = readResponses(bytes, ['POST', 'HEAD', 'GET', 'GET']);
    expect(answers.map(statusOf)).toEqual([100, 200, 200, 304, 200]);
    expect(answers[1]?.body.toString()).toBe('abc');
    expect(answers[1]?.trailers).toEqual([['End', 'yes']]);
    expect(answers[3] && valuesOf(answers[3], 'etag')).toEqual(['"x"']);
    expect(answers[4]?.body.toString()).toBe('to the end');
  });

  it('tells a cut body from a whole one', () => {
    const cut = Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nabc');
    expect(readResponse(cut, { closed: true }).state).toBe('incomplete');
    expect(() => readResponses(cut)).toThrow('incomplete');
  });
});

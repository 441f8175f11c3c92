import { once } from 'node:events';
import { createServer, type IncomingMessage, METHODS, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type ReadRequest, readRequests } from './reading.ts';

/**
 * Two readers, one answer: whatever our parser lets in, the strict parser of Node (llhttp) lets in
 * too, and reads the same. The reverse is not asked for: ours refuses more.
 */
interface Seen {
  readonly method: string;
  readonly target: string;
  readonly fields: number;
  readonly bodyBytes: number;
}

const TIME_MS = 3000;
/** Node answers at once, or it waits for bytes that we did not expect. */
const ANSWER_MS = 20_000;
const SEED = 20_261;

let server: Server;
let seen: Seen[] = [];

beforeAll(async () => {
  server = createServer(
    { insecureHTTPParser: false, requireHostHeader: true },
    (request, response) => {
      let bodyBytes = 0;
      request.on('data', (chunk: Buffer) => {
        bodyBytes += chunk.length;
      });
      request.on('end', () => {
        seen.push({ ...factsOf(request), bodyBytes });
        response.end();
      });
    },
  );
  server.on('checkContinue', (request, response) => void server.emit('request', request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});

afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

function factsOf(request: IncomingMessage): Omit<Seen, 'bodyBytes'> {
  return { method: request.method!, target: request.url!, fields: request.rawHeaders.length / 2 };
}

it('lets nothing in that Node’s parser would refuse or read in another way', {
  timeout: 30_000,
}, async () => {
  const until = performance.now() + TIME_MS;
  let accepted = 0;
  for (let round = 0; performance.now() < until; round += 1) {
    for (const text of fc.sample(requestText, { numRuns: 500, seed: SEED + round })) {
      const bytes = Buffer.from(text, 'latin1');
      const ours = readRequests([bytes]);
      const first = ours.requests[0];
      // What was let in whole; a method that Node does not know is refused by our decision, later.
      if (
        ours.refused ||
        ours.requests.length !== 1 ||
        !first?.whole ||
        !METHODS.includes(first.head.method)
      )
        continue;
      accepted += 1;
      expect(await byNode(bytes), JSON.stringify(text)).toEqual([factsOfOurs(first)]);
    }
  }
  expect(accepted).toBeGreaterThan(50);
});

function factsOfOurs({ head, body }: ReadRequest): Seen {
  return {
    method: head.method,
    target: head.target,
    fields: head.names.length,
    bodyBytes: body.length,
  };
}

/** What Node made of the bytes, on a connection of their own. */
async function byNode(bytes: Buffer): Promise<readonly Seen[]> {
  seen = [];
  const socket = connect({
    port: (server.address() as AddressInfo).port,
    host: '127.0.0.1',
    noDelay: true,
  });
  socket.on('error', () => {});
  // The answer to the request, or to what Node could not read; 100 Continue is neither.
  const answered = new Promise<void>((resolve) => {
    let text = '';
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
      if (/^HTTP\/1\.1 [2-5]/m.test(text)) resolve();
    });
    socket.on('close', () => resolve());
    socket.setTimeout(ANSWER_MS, () => resolve());
  });
  socket.write(bytes);
  await answered;
  socket.destroy();
  return seen;
}

const oneOf = (...texts: readonly string[]) => fc.constantFrom(...texts);
const mostly = (usual: fc.Arbitrary<string>, odd: fc.Arbitrary<string>) =>
  fc.oneof({ weight: 12, arbitrary: usual }, { weight: 1, arbitrary: odd });

const lineEnd = mostly(fc.constant('\r\n'), oneOf('\n', '\r', '\r\r\n', ' \r\n', '\r\n ', '\n\r'));
const oddText = fc.string({
  unit: fc.nat(255).map((code) => String.fromCharCode(code)),
  maxLength: 6,
});
const method = mostly(
  oneOf('GET', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH'),
  oneOf('get', 'REPORT', 'M-SEARCH', 'PRI', 'GET ', '', 'G\u00c9T', 'SOURCE'),
);
const target = mostly(
  oneOf('/', '/a/b?c=d', '/a%20b', '/?', '/a?x|y^z`{}"<>\\[]\'', '/~a!$&()*+,;=:@', '/M%C3%BCller'),
  fc.oneof(oddText, oneOf('*', 'http://h/', '//a', '/a#b', '/a\tb', '/\u00e9', '/a?\u00e9')),
);
const version = mostly(
  oneOf('HTTP/1.1', 'HTTP/1.1', 'HTTP/1.0'),
  oneOf('HTTP/1.2', 'http/1.1', 'HTTP/2.0', 'HTTP/1.1 ', 'HTTP/01.1', ''),
);
const value = mostly(
  oneOf('a', '', ' a b ', '\ta\t', 'caf\u00c3\u00a9', '\u00ff', 'a,b;c="d"', '{{}}'),
  oddText,
);
const plainField = fc
  .tuple(
    mostly(
      oneOf('A', 'Accept', 'X-Y', 'cookie', '__proto__', 'constructor', 'Upgrade', 'TE'),
      oddText,
    ),
    value,
  )
  .map(([name, text]) => `${name}:${text}`);
const framingField = oneOf(
  ...['5', '0', '005', '5 ', '+5', '5,5', '0x5', '-0', '99999999999999999999', ''].map(
    (length) => `Content-Length: ${length}`,
  ),
  ...[
    'chunked',
    'Chunked',
    ' chunked\t',
    'chunked, chunked',
    'gzip, chunked',
    'identity',
    '\u000bchunked',
    '',
  ].map((coding) => `Transfer-Encoding: ${coding}`),
  ...['keep-alive', 'close', 'upgrade', 'Upgrade, X-A', 'content-length'].map(
    (option) => `Connection: ${option}`,
  ),
  ...['100-continue', '200-ok'].map((expectation) => `Expect: ${expectation}`),
);
const field = fc.oneof(
  { weight: 3, arbitrary: plainField },
  { weight: 2, arbitrary: framingField },
);
const body = oneOf(
  '',
  '',
  'hello',
  '5\r\nhello\r\n0\r\n\r\n',
  '5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n',
  '5\nhello\n0\n\n',
  '05;a="b c"\r\nhello\r\n00\r\n\r\n',
  'A;q\r\n0123456789\r\n0\r\n\r\n',
  '5 \r\nhello\r\n0\r\n\r\n',
);
const host = mostly(
  oneOf('Host: h', 'Host: h:80', 'host:localhost'),
  oneOf('Host : h', 'Host:', 'X: y', 'Host: a\r\nHost: b', 'Host: a,b'),
);

const requestText = fc
  .tuple(
    mostly(fc.constant(''), oneOf('\r\n', '\n', ' ', '\r\n\r\n')),
    method,
    target,
    version,
    host,
    fc.array(field, { maxLength: 4 }),
    body,
    fc.array(lineEnd, { minLength: 7, maxLength: 7 }),
  )
  .map(([before, verb, where, which, named, fields, content, ends]) => {
    const lines = [`${verb} ${where} ${which}`, named, ...fields, ''];
    return before + lines.map((line, index) => line + ends[index]!).join('') + content;
  });

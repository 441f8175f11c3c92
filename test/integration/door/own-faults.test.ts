import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { Call } from '../../../src/calls/call.ts';
import { CallRecord } from '../../../src/calls/record.ts';
import { Lingering } from '../../../src/doors/lingering.ts';
import { Forward } from '../../../src/forwarding/forward.ts';
import { BodyReader } from '../../../src/http1/body-reader.ts';
import { HeadReader } from '../../../src/http1/head-reader.ts';
import { ResponseWriter } from '../../../src/http1/response-writer.ts';
import { startGateway, type TestGateway } from '../../support/gateway.ts';
import { connectRaw } from '../../support/raw-client.ts';
import { type RawUpstream, startRawUpstream } from '../../support/raw-upstream.ts';

/**
 * A fault of ours, at every step that an event of a socket leads to: it may cost one call its
 * answer, and never the process (the test runner fails on an exception that nobody catches), nor
 * any other call, nor make a broken answer look whole.
 */
const STEPS: readonly (readonly [string, object, string])[] = [
  ['reading a head', HeadReader.prototype, 'push'],
  ['reading a body', BodyReader.prototype, 'read'],
  ['beginning a call', Call.prototype, 'begin'],
  ['recording the decision', CallRecord.prototype, 'decision'],
  ['recording the outcome', CallRecord.prototype, 'ended'],
  ['sending upstream', Forward.prototype, 'start'],
  ['hearing that the upstream is there', Call.prototype, 'onConnected'],
  ['sending the body upstream', Forward.prototype, 'sendBody'],
  ['ending the body', Forward.prototype, 'endBody'],
  ["taking the upstream's head", Call.prototype, 'onHead'],
  ["taking the upstream's body", Call.prototype, 'onBody'],
  ["taking the upstream's end", Call.prototype, 'onEnd'],
  ["hearing of the upstream's failure", Call.prototype, 'onFailure'],
  ['writing a head', ResponseWriter.prototype, 'head'],
  ['writing a body', ResponseWriter.prototype, 'body'],
  ['writing an end', ResponseWriter.prototype, 'end'],
  ['writing out', ResponseWriter.prototype, 'flush'],
  ['writing a refusal', ResponseWriter.prototype, 'own'],
  ['hearing that the client is gone', Call.prototype, 'onClientGone'],
  ['throwing away what comes late', Lingering.prototype, 'drop'],
];

let gate: TestGateway;
let upstream: RawUpstream;

beforeAll(async () => {
  upstream = await startRawUpstream({
    answer: ({ line }) => (line.includes('/dead') ? [{ reset: true }] : ANSWER),
  });
  gate = await startGateway({ upstreams: { raw: { addresses: [upstream.url] } }, plaintext: true });
});

const ANSWER = [
  { send: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n' },
  { send: '0\r\n\r\n' },
];

afterEach(() => {
  vi.restoreAllMocks();
});

afterAll(async () => {
  await gate.stop();
  await upstream.stop();
});

/**
 * A call of each kind that leads through all the steps: a body, an answer, a dead upstream, a
 * refusal with a body behind it, a client that leaves.
 */
async function callsOfAllKinds(): Promise<string[]> {
  const head = (path: string) => `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n`;
  const authorization = `Authorization: Bearer ${gate.token}\r\n`;
  const one = async (...pieces: readonly (string | number)[]) => {
    const client = await connectRaw({ port: gate.port });
    await client.send(...pieces);
    const text = (await client.waitForClose()).toString();
    client.close();
    return text;
  };
  const answers = [
    await one(`${head('/well')}${authorization}Connection: close\r\n\r\n`, 20, 'body'),
    await one(`${head('/dead')}${authorization}Connection: close\r\n\r\nbody`),
    await one(`${head('/refused')}\r\n`, 20, 'body'),
  ];
  const leaving = await connectRaw({ port: gate.port });
  await leaving.send(`${head('/leaving')}${authorization}\r\n`, 20);
  leaving.reset();
  // Its end belongs to these calls, not to the next ones.
  await expect.poll(activeConnections).toBe('0');
  return answers;
}

async function activeConnections(): Promise<string | undefined> {
  const text = await gate.gateway.metrics.text();
  return /^sallyport_client_connections\{[^}]*state="active"[^}]*\} (\d+)$/m.exec(text)?.[1];
}

describe('a fault of our own', () => {
  it('does not happen in these calls by itself', async () => {
    const [well, dead, refused] = await callsOfAllKinds();
    expect([well!.slice(9, 12), dead!.slice(9, 12), refused!.slice(9, 12)]).toEqual([
      '200',
      '502',
      '401',
    ]);
    expect(gate.log.join('\n')).not.toContain('inside the gate');
  });

  it.each(STEPS)('while %s ends that call alone', async (_step, prototype, method) => {
    const spy = vi.spyOn(prototype as Record<string, () => unknown>, method);
    spy.mockImplementationOnce(() => {
      throw new Error(`a fault in ${method}`);
    });
    const answers = await callsOfAllKinds();
    await expect.poll(() => spy.mock.results.some(({ type }) => type === 'throw')).toBe(true);
    for (const text of answers) {
      // A whole answer, a 500 of ours, or one that nobody can take for whole.
      const whole =
        /^HTTP\/1\.1 200 OK\r\n.*\r\n\r\n2\r\nok\r\n0\r\n\r\n$/s.test(text) ||
        /^HTTP\/1\.1 (?:401|500|502) .*\}\n$/s.test(text);
      if (!whole) expect(text).not.toMatch(/0\r\n\r\n$/);
    }
    // And the next ones are served.
    const [well, dead, refused] = await callsOfAllKinds();
    expect([well!.slice(9, 12), dead!.slice(9, 12), refused!.slice(9, 12)]).toEqual([
      '200',
      '502',
      '401',
    ]);
  });
});

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { Agent, EventSource, fetch } from 'undici';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { http2Door } from '../contract/door-http2.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';

/**
 * Streams of events and long polls, by clients that people have, over every protocol on either side
 * of the gate: each event reaches its client before the next one is sent.
 */
const EVENTS = 5;
/** Longer than an upstream may be silent before the head of its response. */
const RESPONSE_MS = 400;
const FIELDS = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-cache',
  'x-accel-buffering': 'no',
} as const;

/** A service that sends an event each time that the test says so. */
interface Service {
  readonly url: string;
  /** Until it is asked. */
  asked(): Promise<unknown>;
  /** Of the stream under way. */
  send(text: string): void;
  end(): void;
  stop(): void;
}

interface Response {
  writeHead(status: number, fields: Readonly<Record<string, string>>): unknown;
  flushHeaders?(): void;
  write(text: string): unknown;
  end(text: string): unknown;
}

async function startService(isHttp2: boolean): Promise<Service> {
  let stream: Response | null = null;
  const serve = (request: { readonly url?: string | undefined }, response: Response) => {
    stream = response;
    // Of a poll nothing is said before there is something to say.
    if (request.url?.endsWith('/poll')) return;
    response.writeHead(200, FIELDS);
    response.flushHeaders?.();
    response.write(': begun\n\n');
  };
  const server = isHttp2
    ? createHttp2Server((request, response) => serve(request, response as Response))
    : createServer((request, response) => serve(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    asked: () => vi.waitUntil(() => stream !== null, { timeout: 20_000, interval: 5 }),
    send: (text) => void stream!.write(text),
    end: () => {
      stream!.end('polled');
      stream = null;
    },
    stop: () => {
      (server as Partial<Server>).closeAllConnections?.();
      server.close();
    },
  };
}

const SERVICES = ['http1', 'h2c'] as const;
let services: Record<(typeof SERVICES)[number], Service>;
let plain: TestGateway;
let secure: TestGateway;
const agents: Agent[] = [];

beforeAll(async () => {
  services = { http1: await startService(false), h2c: await startService(true) };
  const upstreams = Object.fromEntries(
    SERVICES.map((protocol) => [
      protocol,
      {
        addresses: [services[protocol].url],
        protocol,
        responseTimeoutMs: RESPONSE_MS,
        streamIdleTimeoutMs: 60_000,
      },
    ]),
  ) as never;
  const routes = SERVICES.map((protocol) => {
    const path = `/${protocol}/**`;
    return { name: protocol, path, access: 'public', upstream: protocol };
  });
  const options = { upstreams, routes, http2: { enabled: true } };
  plain = await startGateway({ ...options, plaintext: true });
  secure = await startGateway(options);
}, 30_000);

afterAll(async () => {
  for (const agent of agents) await agent.destroy();
  await plain?.stop();
  await secure?.stop();
  for (const service of Object.values(services ?? {})) service.stop();
});

/** What a client has of a stream: it is told of all that comes, as it comes. */
class Heard {
  text = '';
  #told = Promise.withResolvers<void>();

  add(piece: string): void {
    this.text += piece;
    this.#told.resolve();
    this.#told = Promise.withResolvers();
  }

  async until(text: string): Promise<void> {
    while (!this.text.includes(text)) await this.#told.promise;
  }
}

interface Listening {
  readonly heard: Heard;
  stop(): void;
}

/** Once the stream has begun. */
type Listen = (path: string) => Promise<Listening>;

const curl = (gate: () => TestGateway, ...words: readonly string[]): Listen => {
  return async (path) => {
    const { port, caFile, url } = gate();
    const scheme = url.slice(0, url.indexOf(':'));
    const child = spawn('curl', [
      ...['-sN', '--cacert', caFile, ...words],
      `${scheme}://localhost:${port}${path}`,
    ]);
    const heard = new Heard();
    child.stdout.setEncoding('utf8').on('data', (piece: string) => heard.add(piece));
    return { heard, stop: () => void child.kill() };
  };
};

function agentFor({ caFile }: TestGateway, allowH2: boolean): Agent {
  const agent = new Agent({
    allowH2,
    connect: { ca: readFileSync(caFile), servername: 'localhost' },
  });
  agents.push(agent);
  return agent;
}

const fetching =
  (allowH2: boolean): Listen =>
  async (path) => {
    const ended = new AbortController();
    const response = await fetch(`https://localhost:${secure.port}${path}`, {
      dispatcher: agentFor(secure, allowH2),
      signal: ended.signal,
    });
    expect(response.headers.get('content-type')).toBe(FIELDS['content-type']);
    expect(response.headers.get('x-accel-buffering')).toBe('no');
    expect(response.headers.get('content-length')).toBeNull();
    const heard = new Heard();
    const decoder = new TextDecoder();
    void (async () => {
      for await (const piece of response.body!) heard.add(decoder.decode(piece as Uint8Array));
    })().catch(() => {});
    return { heard, stop: () => ended.abort() };
  };

const eventSource: Listen = async (path) => {
  const dispatcher = agentFor(secure, false);
  const source = new EventSource(`https://localhost:${secure.port}${path}`, {
    node: { dispatcher },
  });
  const heard = new Heard();
  source.onmessage = ({ data }) => heard.add(`data: ${data}\n\n`);
  await new Promise((resolve) => {
    source.onopen = resolve;
  });
  return { heard, stop: () => source.close() };
};

const node2: Listen = async (path) => {
  const client = await http2Door(true).connect(secure);
  const exchange = await client.begin({ method: 'GET', target: path });
  const heard = new Heard();
  const { until } = heard;
  heard.until = async (text) => {
    await exchange.content(text, (content) => content.includes(text));
    heard.add(text);
    await until.call(heard, text);
  };
  return { heard, stop: () => client.close() };
};

const CLIENTS: readonly (readonly [name: string, Listen])[] = [
  ['curl -N, plain', curl(() => plain)],
  ['curl -N, TLS', curl(() => secure, '--http1.1')],
  ['curl -N, HTTP/2', curl(() => secure, '--http2')],
  ['curl -N, h2c', curl(() => plain, '--http2-prior-knowledge')],
  ['fetch, TLS', fetching(false)],
  ['fetch, HTTP/2', fetching(true)],
  ['EventSource', eventSource],
  ['Node’s client of HTTP/2', node2],
];

/** Whose events are waited for: that is between the gate and the service, whoever listens. */
const PATIENT = ['curl -N, plain', 'EventSource', 'fetch, HTTP/2'];

describe.each(SERVICES)('a stream of events from a service of %s', (protocol) => {
  it.each(CLIENTS)(
    'reaches %s event by event, whatever passes between two',
    { timeout: 20_000 },
    async (name, listen) => {
      const { heard, stop } = await listen(`/${protocol}/events`);
      await services[protocol].asked();
      for (let number = 1; number <= EVENTS; number += 1) {
        // One of them comes later than the head of a response may.
        if (number === 3 && PATIENT.includes(name))
          await new Promise((resolve) => setTimeout(resolve, 2 * RESPONSE_MS));
        services[protocol].send(`data: ${number}\n\n`);
        await heard.until(`data: ${number}\n\n`);
      }
      services[protocol].end();
      stop();
    },
  );

  it('is a poll where nothing comes for a while, and its response is whole', async () => {
    const { heard, stop } = await curl(() => secure, '--http2')(`/${protocol}/poll`);
    await services[protocol].asked();
    services[protocol].end();
    await heard.until('polled');
    stop();
  });
});

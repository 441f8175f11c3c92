import { startGateway, type TestGateway } from '../support/gateway.ts';
import { type Message, valuesOf } from '../support/http-bytes.ts';
import type { RawClientOptions } from '../support/raw-client.ts';
import { type RawUpstream, startRawUpstream } from '../support/raw-upstream.ts';

export const TRANSPORTS = ['plaintext', 'TLS'] as const;
export type Transport = (typeof TRANSPORTS)[number];

/**
 * A real gate in front of a raw TCP upstream that records; every conversation comes from an address
 * of its own.
 */
export interface CorpusGate {
  readonly gate: TestGateway;
  readonly upstream: RawUpstream;
  /**
   * How to connect for the next conversation, and the address that its requests will be known by.
   */
  connection(): RawClientOptions & { readonly localAddress: string };
  /** Complete requests that reached the upstream, by the address that they came from. */
  forwarded(): ReadonlyMap<string, readonly Message[]>;
  /**
   * Everything that reached the upstream and is not plainly one of our requests: must stay empty.
   */
  strays(): readonly string[];
  stop(): Promise<void>;
}

/** A body of a HEAD is told but not sent: it would be the next answer. */
function answer(line: string): string {
  return `HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n${line.startsWith('HEAD ') ? '' : 'ok'}`;
}

/**
 * Where the gate says a request came from: the one thing in it that no byte of the client can have
 * made.
 */
function origin(request: Message): string {
  return valuesOf(request, 'x-forwarded-for').join(' and ');
}

/**
 * `buffered`: what is judged here is how requests are read, and thousands of refusals that each
 * wait for a disk would only make it slow. The other guarantee has tests of its own.
 */
export async function startCorpusGate(
  transport: Transport,
  routes?: readonly Readonly<Record<string, unknown>>[],
  http2?: Readonly<Record<string, unknown>>,
): Promise<CorpusGate> {
  const upstream = await startRawUpstream({
    answer: (request) => [{ send: answer(request.line) }],
  });
  const gate = await startGateway({
    upstreams: { recorder: { addresses: [upstream.url] } },
    guarantee: 'buffered',
    plaintext: transport === 'plaintext',
    ...(routes === undefined ? {} : { routes }),
    ...(http2 === undefined ? {} : { http2 }),
  });
  const known = new Set<string>();
  const tls = transport === 'TLS' ? { tls: { rejectUnauthorized: false } } : {};
  return {
    gate,
    upstream,
    connection: () => {
      const number = known.size;
      const localAddress = `127.${1 + (number >> 16)}.${(number >> 8) & 255}.${number & 255}`;
      known.add(localAddress);
      return { port: gate.port, localAddress, ...tls };
    },
    forwarded: () => Map.groupBy(upstream.requests, origin),
    strays: () => [
      ...upstream.faults,
      ...upstream.requests
        .filter((request) => !known.has(origin(request)))
        .map((r) => `from ${origin(r)}: ${r.line}`),
      ...upstream.requests.flatMap((request) =>
        request.trailers.map(([name]) => `trailer ${name}`),
      ),
    ],
    stop: async () => {
      await gate.stop();
      await upstream.stop();
    },
  };
}

import { once } from 'node:events';
import { type IncomingMessage, request as requestHttp } from 'node:http';
import {
  constants,
  createServer,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo } from 'node:net';

/**
 * HTTP/2 (h2c) in front of an upstream of HTTP/1.1, by Node's own server and client: each stream is
 * asked there on a connection of its own, and what comes of that comes of the stream. So an
 * upstream whose bytes are scripted and recorded can be one of HTTP/2.
 */
export interface Http2Bridge {
  /** `http://127.0.0.1:PORT`. */
  readonly url: string;
  stop(): void;
}

export async function startHttp2Bridge(port: number): Promise<Http2Bridge> {
  const sessions = new Set<ServerHttp2Session>();
  const server = createServer();
  server.on('session', (session) => {
    sessions.add(session);
    session.on('error', () => {});
    session.once('close', () => sessions.delete(session));
  });
  server.on('stream', (stream: ServerHttp2Stream, headers, flags, raw) =>
    carry(stream, headers, raw as unknown as string[], {
      port,
      hasContent: (flags & constants.NGHTTP2_FLAG_END_STREAM) === 0,
    }),
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: () => {
      for (const session of sessions) session.destroy();
      server.close();
    },
  };
}

interface Towards {
  readonly port: number;
  readonly hasContent: boolean;
}

function carry(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  raw: readonly string[],
  { port, hasContent }: Towards,
): void {
  const fields = ['Host', String(headers[':authority'])];
  for (let at = 0; at < raw.length; at += 2)
    if (!raw[at]!.startsWith(':') && raw[at] !== 'te') fields.push(raw[at]!, raw[at + 1]!);
  const isLong = hasContent && headers['content-length'] === undefined;
  if (isLong) fields.push('Transfer-Encoding', 'chunked');
  const asked = requestHttp({
    host: '127.0.0.1',
    port,
    method: String(headers[':method']),
    path: String(headers[':path']),
    headers: fields,
    agent: false,
  });
  const breakOff = () => stream.destroy(new Error('the upstream has broken off'));
  stream.on('error', () => {});
  stream.once('close', () => asked.destroy());
  asked.on('error', breakOff);
  asked.on('information', ({ statusCode, rawHeaders }) =>
    stream.additionalHeaders({ ':status': statusCode, ...shown(rawHeaders) }),
  );
  asked.on('response', (response) => answer(stream, response, breakOff));
  asked.flushHeaders();
  if (hasContent) stream.pipe(asked);
  else asked.end();
}

function answer(stream: ServerHttp2Stream, response: IncomingMessage, breakOff: () => void): void {
  response.on('error', breakOff);
  stream.respond({ ':status': response.statusCode, ...shown(response.rawHeaders) });
  if (stream.writableEnded) response.resume();
  else response.pipe(stream);
}

/** Of one connection, and so not of a stream (RFC 9113 §8.2.2); what they name goes with them. */
const HOP_BY_HOP = ['connection', 'keep-alive', 'transfer-encoding', 'upgrade'];

function shown(raw: readonly string[]): Record<string, string | string[]> {
  const all = raw.flatMap((name, at) => (at % 2 === 0 ? [[name.toLowerCase(), raw[at + 1]!]] : []));
  const named = all
    .filter(([name]) => name === 'connection')
    .flatMap(([, list]) => list!.split(','));
  const dropped = [...HOP_BY_HOP, ...named.map((name) => name.trim().toLowerCase())];
  const fields: Record<string, string | string[]> = {};
  for (const [name, value] of all as [string, string][]) {
    if (dropped.includes(name)) continue;
    const known = fields[name];
    fields[name] = known === undefined ? value : [known, value].flat();
  }
  return fields;
}

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream, statSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Upstream } from './upstream.ts';

/** What one request brought. */
export interface Received {
  readonly method: string;
  readonly target: string;
  readonly headers: IncomingMessage['headers'];
  readonly bytes: number;
  readonly sha256: string;
  /** Number of the upstream connection that brought it, from 0. */
  readonly connection: number;
}

export interface NodeServer extends Upstream {
  readonly received: readonly Received[];
  /**
   * Lets the event streams that wait go on: `/events` sends `one`, waits for this, sends `two` and
   * ends.
   */
  release(): void;
}

/**
 * node:http with the folder under `/files/` (with a length) and `/chunked/` (without one);
 * everything that has a body is hashed and answered with 201 and what was received, as JSON;
 * `/events` is a server-sent event stream.
 */
export async function startNodeServer(folder: string): Promise<NodeServer> {
  const received: Received[] = [];
  let released = Promise.withResolvers<void>();
  const sockets = new Map<unknown, number>();
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    if (!sockets.has(request.socket)) sockets.set(request.socket, sockets.size);
    const body = await hash(request);
    const { method = '', url: target = '', headers } = request;
    const record = {
      method,
      target,
      headers,
      ...body,
      connection: sockets.get(request.socket) ?? -1,
    };
    received.push(record);
    if (target === '/events') await sendEvents(response, () => released.promise);
    else if (method === 'GET' || method === 'HEAD') await sendFile(folder, request, response);
    else
      response.writeHead(201, { 'content-type': 'application/json' }).end(JSON.stringify(record));
  };
  // A client that goes away in the middle is its own affair.
  const server = createServer(
    (request, response) => void answer(request, response).catch(() => response.destroy()),
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    release() {
      released.resolve();
      released = Promise.withResolvers<void>();
    },
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

async function hash(request: IncomingMessage): Promise<{ bytes: number; sha256: string }> {
  const digest = createHash('sha256');
  let bytes = 0;
  for await (const chunk of request) {
    bytes += chunk.length;
    digest.update(chunk);
  }
  return { bytes, sha256: digest.digest('hex') };
}

async function sendFile(
  folder: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const target = request.url ?? '';
  const path = join(folder, basename(target));
  const size = statSync(path, { throwIfNoEntry: false })?.size;
  if (size === undefined) {
    response.writeHead(404, { 'content-type': 'text/plain' }).end('no such file\n');
    return;
  }
  response.setHeader('content-type', 'application/octet-stream');
  if (!target.startsWith('/chunked/')) response.setHeader('content-length', size);
  if (request.method === 'HEAD') response.end();
  else await pipeline(createReadStream(path, { highWaterMark: 256 * 1024 }), response);
}

async function sendEvents(response: ServerResponse, go: () => Promise<void>): Promise<void> {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
  const released = go();
  response.write('data: one\n\n');
  await released;
  response.end('data: two\n\n');
}

import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { withVisibleEscapes } from '../../audit/event/text.ts';
import { plainAddress } from '../../http/ip-address.ts';
import type { RefusalReason } from '../../refusal.ts';
import type { Log } from '../../telemetry/log.ts';
import { problemHeaders, problemOf } from './problem.ts';
import { type AdminCallRecord, type AdminRecorder, attachRecord, NOBODY } from './recorder.ts';
import { breakBody } from './unfinished.ts';

export interface RecordedListenerOptions {
  readonly recorder: AdminRecorder;
  realm(): string;
  readonly log: Log;
  /** Responds to a request that can be read in one way only. */
  readonly respond: (request: IncomingMessage, response: ServerResponse) => unknown;
}

/**
 * Refuses, and records like every other request, what Node's HTTP server would refuse by itself
 * before any route sees it: heads that are no HTTP, too large or too late, a Host that is missing,
 * doubled or none, expectations, CONNECT. The server must be made with `requireHostHeader: false`.
 */
export function recordResponses(server: Server, options: RecordedListenerOptions): void {
  const listener = new RecordedListener(options);
  const guarded = (work: Promise<void>, socket: Socket) => {
    work.catch((fault: unknown) => {
      options.log.error('a request to the admin listener failed', { fault });
      socket.destroy();
    });
  };
  server.on('request', (request, response) =>
    guarded(listener.request(request, response), request.socket),
  );
  server.on('checkExpectation', (request, response) =>
    guarded(listener.refuse(request, response, 'expectation-failed'), request.socket),
  );
  server.on('connect', (request, socket) =>
    guarded(listener.refuseRaw(socket as Socket, 'method-refused', request), socket as Socket),
  );
  server.on('clientError', (fault, socket) =>
    guarded(listener.broken(fault, socket as Socket), socket as Socket),
  );
}

class RecordedListener {
  readonly #options: RecordedListenerOptions;
  /** The last request of a connection, and its response. */
  readonly #last = new WeakMap<Socket, Exchange>();
  /** Connections on which the parser has lost its place: it says so for each further byte. */
  readonly #broken = new WeakSet<Socket>();

  constructor(options: RecordedListenerOptions) {
    this.#options = options;
  }

  async request(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.#note(request, response);
    const reason = faultOf(request);
    if (reason !== null) return this.refuse(request, response, reason);
    attachRecord(request, this.#begin(request.socket, request));
    await this.#options.respond(request, response);
  }

  async refuse(
    request: IncomingMessage,
    response: ServerResponse,
    reason: RefusalReason,
  ): Promise<void> {
    this.#note(request, response);
    const { status, headers, body } = await this.#refused(
      this.#begin(request.socket, request),
      reason,
    );
    if (response.destroyed) return;
    response.writeHead(status, { ...headers, connection: 'close' });
    response.end(request.method === 'HEAD' ? undefined : body);
  }

  /**
   * What the parser could not read, or what did not come in time: the rest of a request, whose
   * reader then gets the fault and responds, or something behind a request.
   */
  async broken(fault: NodeJS.ErrnoException, socket: Socket): Promise<void> {
    const code = fault.code ?? '';
    const reason = reasonOf(code);
    const last = this.#last.get(socket);
    // The connection was lost, or closed in the middle of a request: nobody is there to be told.
    if (reason === null || code === 'HPE_INVALID_EOF_STATE') return void socket.destroy();
    if (this.#broken.has(socket)) return;
    this.#broken.add(socket);
    if (last === undefined || last.request.complete) return this.refuseRaw(socket, reason, null);
    const { request, response } = last;
    // The last response of this connection: where the next request begins is not known.
    response.shouldKeepAlive = false;
    if (response.headersSent) await over(response).then(() => socket.destroySoon());
    else breakBody(request, reason);
  }

  async refuseRaw(
    socket: Socket,
    reason: RefusalReason,
    request: IncomingMessage | null,
  ): Promise<void> {
    // A client that is gone by then is no fault of ours.
    socket.on('error', () => {});
    // Responses go out in the order of the requests.
    const last = this.#last.get(socket);
    if (last !== undefined) await over(last.response);
    if (!socket.writable) return void socket.destroy();
    const { status, headers, body } = await this.#refused(this.#begin(socket, request), reason);
    if (!socket.writable) return void socket.destroy();
    const all = {
      ...headers,
      ...(reason === 'method-refused' ? { allow: '' } : {}),
      'content-length': String(Buffer.byteLength(body)),
      connection: 'close',
    };
    const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n${body}`, () =>
      socket.destroy(),
    );
  }

  /** An idle connection keeps no head, and no token in it. */
  #note(request: IncomingMessage, response: ServerResponse): void {
    const { socket } = request;
    if (this.#last.get(socket)?.request === request) return;
    const exchange = { request, response };
    this.#last.set(socket, exchange);
    response.once('close', () => {
      if (request.complete && this.#last.get(socket) === exchange) this.#last.delete(socket);
    });
  }

  #begin(socket: Socket, request: IncomingMessage | null): AdminCallRecord {
    return this.#options.recorder.begin({
      method: request?.method ?? null,
      path: request?.url ?? null,
      clientAddress: plainAddress(socket.remoteAddress ?? ''),
      userAgent: request?.headers['user-agent'] ?? null,
    });
  }

  /** Written down before it is said; what cannot be written down is not said. */
  async #refused(record: AdminCallRecord, wanted: RefusalReason) {
    const status = problemOf({ reason: wanted }, record.id).status;
    const recorded = await record.decided(wanted, NOBODY, status);
    const reason = recorded ? wanted : 'audit-unavailable';
    const problem = problemOf({ reason }, record.id);
    const headers = {
      ...HEADERS,
      'x-request-id': record.id,
      ...problemHeaders({ reason }, this.#options.realm()),
    };
    return {
      status: problem.status,
      headers,
      body: `${withVisibleEscapes(JSON.stringify(problem))}\n`,
    };
  }
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

/** Resolves when nothing of a response is to be sent any more. */
async function over(response: ServerResponse): Promise<void> {
  if (response.writableFinished || response.destroyed) return;
  await new Promise((resolve) => response.once('close', resolve));
}

const HEADERS = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' } as const;

/** By Node's codes; whatever else the parser finds was no HTTP. */
const REASONS: Readonly<Record<string, RefusalReason>> = {
  HPE_HEADER_OVERFLOW: 'headers-too-large',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 'body-too-large',
  ERR_HTTP_REQUEST_TIMEOUT: 'request-timeout',
};

/** Null: the connection was lost, or TLS failed; no response can be sent. */
function reasonOf(code: string): RefusalReason | null {
  return REASONS[code] ?? (code.startsWith('HPE_') ? 'request-malformed' : null);
}

/** What makes a head unfit for any route; RFC 9112 §3.2 for Host. */
function faultOf({
  httpVersion,
  url = '',
  headersDistinct,
}: IncomingMessage): RefusalReason | null {
  const hosts = headersDistinct.host ?? [];
  if (hosts.length > 1) return 'request-ambiguous';
  if (hosts.length === 0 && httpVersion !== '1.0') return 'request-malformed';
  if (hosts.length === 1 && !isHost(hosts[0]!)) return 'request-malformed';
  return isPath(url) ? null : 'target-ambiguous';
}

/**
 * What the router takes as it stands: it resolves absolute forms, which may name another host, back
 * slashes, dot segments and fragments in its own way.
 */
function isPath(target: string): boolean {
  return /^\/[^\\#]*$/.test(target) && !DOT_SEGMENT.test(target.split('?', 1)[0]!);
}

const DOT_SEGMENT = /\/(?:\.|%2e){1,2}(?:\/|$)/i;

/** A name or address with or without a port, which nobody reads as another one. */
function isHost(host: string): boolean {
  if (!URL.canParse(`http://${host}/`)) return false;
  const { hostname, pathname, username, password, search } = new URL(`http://${host}/`);
  const written = host.replace(/:\d+$/, '').toLowerCase();
  return hostname === written && pathname === '/' && `${username}${password}${search}` === '';
}

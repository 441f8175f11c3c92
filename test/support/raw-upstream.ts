import { once } from 'node:events';
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import { type Message, type MessageHead, readRequest } from './http-bytes.ts';

/**
 * One step of an answer. A script that ends without `end` or `reset` leaves the connection open: an
 * empty one hangs.
 */
export type Step =
  | { readonly send: string | Buffer }
  | { readonly waitMs: number }
  /** Until the promise is settled: the test says when to go on. */
  | { readonly until: Promise<unknown> }
  /** Half-close (FIN) after what was sent. */
  | { readonly end: true }
  /** RST: what the kernel still holds may be lost, as when a process dies. */
  | { readonly reset: true }
  /** Stops, or goes on, reading from the socket: the peer's writes then meet full buffers. */
  | { readonly reading: boolean };

export interface RawUpstreamOptions {
  /**
   * The answer to the request with this number (from 0, over all connections). Default: `200` with
   * the body `ok`.
   */
  readonly answer?: (request: MessageHead, number: number) => readonly Step[];
  /**
   * When the answer begins: with the complete request (default) or as soon as its head is there.
   */
  readonly answerAt?: 'end' | 'head';
  /** Steps at the moment a connection is accepted, before anything is read. */
  readonly onConnect?: readonly Step[];
  /** Speaks TLS with these. */
  readonly tls?: TlsOptions;
  /** Where it listens; default 127.0.0.1, on a free port. */
  readonly at?: { readonly host: string; readonly port: number };
}

/** What one connection brought, byte for byte. */
export interface RecordedConnection {
  readonly bytes: Buffer;
  readonly requests: readonly Message[];
  /**
   * Bytes that are not plainly one request (`http-bytes.ts`), or null. After it nothing more is
   * counted or answered.
   */
  readonly fault: string | null;
  /**
   * How the peer ended it: `end` = FIN, `reset` = RST or another socket fault, `open` = not yet.
   */
  readonly closed: 'open' | 'end' | 'reset';
}

export interface RawUpstream {
  readonly port: number;
  /** `http://127.0.0.1:PORT` (`https:` with TLS). */
  readonly url: string;
  readonly connections: readonly RecordedConnection[];
  /** Complete requests over all connections. Counted strictly: look at `faults` too. */
  readonly requests: readonly Message[];
  readonly faults: readonly string[];
  /** Everything that was received, connection after connection. */
  readonly bytes: Buffer;
  /**
   * Resolves when `holds` does, looked at again after every event; throws with `what` after
   * `limitMs`.
   */
  waitFor(what: string, holds: (upstream: RawUpstream) => boolean, limitMs?: number): Promise<void>;
  /**
   * Forgets what was recorded; open connections stay and are still counted from their next byte on.
   */
  clear(): void;
  /** Drops all connections and frees the port. */
  stop(): Promise<void>;
}

export const OK: readonly Step[] = [{ send: 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok' }];

const WAIT_LIMIT_MS = 30_000;
/** A recorder that kept everything would hide an endless stream as a full memory. */
const BYTES_MAX = 64 * 1024 * 1024;

/**
 * A TCP server that knows no HTTP library: it records what arrives and answers with fixed bytes.
 */
export async function startRawUpstream(options: RawUpstreamOptions = {}): Promise<RawUpstream> {
  const upstream = new Recorder(options);
  await upstream.listen();
  return upstream;
}

class Recorder implements RawUpstream {
  readonly #options: RawUpstreamOptions;
  readonly #server;
  readonly #sockets = new Set<Socket>();
  /** With TLS: the TCP sockets beneath, by the peer's port. Only they can be reset. */
  readonly #transports = new Map<number, Socket>();
  readonly #watchers = new Set<() => void>();
  #connections: Connection[] = [];
  #answered = 0;

  constructor(options: RawUpstreamOptions) {
    this.#options = options;
    const accept = (socket: Socket) => this.#accept(socket);
    this.#server = options.tls
      ? createTlsServer(options.tls, accept)
      : createTcpServer({ allowHalfOpen: true }, accept);
    if (options.tls)
      this.#server.on('connection', (socket: Socket) =>
        this.#transports.set(portOfPeer(socket), socket),
      );
  }

  async listen(): Promise<void> {
    const { host, port } = this.#options.at ?? { host: '127.0.0.1', port: 0 };
    this.#server.listen(port, host);
    await once(this.#server, 'listening');
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `${this.#options.tls ? 'https' : 'http'}://127.0.0.1:${this.port}`;
  }

  get connections(): readonly RecordedConnection[] {
    return this.#connections;
  }

  get requests(): readonly Message[] {
    return this.#connections.flatMap((connection) => connection.requests);
  }

  get faults(): readonly string[] {
    return this.#connections.flatMap((connection) => connection.fault ?? []);
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#connections.map((connection) => connection.bytes));
  }

  async waitFor(
    what: string,
    holds: (upstream: RawUpstream) => boolean,
    limitMs = WAIT_LIMIT_MS,
  ): Promise<void> {
    if (holds(this)) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const watcher = () => {
      if (holds(this)) resolve();
    };
    const timer = setTimeout(
      () => reject(new Error(`upstream: not within ${limitMs} ms: ${what}`)),
      limitMs,
    );
    this.#watchers.add(watcher);
    await promise.finally(() => {
      clearTimeout(timer);
      this.#watchers.delete(watcher);
    });
  }

  clear(): void {
    for (const connection of this.#connections) connection.forget();
    this.#connections = this.#connections.filter((connection) => connection.closed === 'open');
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #accept(socket: Socket): void {
    const connection = new Connection();
    this.#connections.push(connection);
    this.#sockets.add(socket);
    let answers = this.#play(socket, this.#options.onConnect ?? []);
    const answer = (head: MessageHead) => {
      const steps = this.#options.answer?.(head, this.#answered) ?? OK;
      this.#answered++;
      answers = answers.then(() => this.#play(socket, steps));
    };
    socket.on('data', (chunk: Buffer) => {
      connection.take(chunk, this.#options.answerAt ?? 'end', answer);
      if (connection.size > BYTES_MAX) socket.destroy();
      this.#changed();
    });
    socket.on('end', () => {
      connection.closed = 'end';
      // With TLS the other direction ends by itself.
      if (!this.#options.tls) answers = answers.then(() => void socket.end());
      this.#changed();
    });
    socket.on('error', () => {
      connection.closed = 'reset';
    });
    socket.on('close', () => {
      if (connection.closed === 'open') connection.closed = 'end';
      this.#sockets.delete(socket);
      this.#changed();
    });
    this.#changed();
  }

  /** Never rejects: a peer that has gone away ends the script. */
  async #play(socket: Socket, steps: readonly Step[]): Promise<void> {
    for (const step of steps) {
      if (socket.destroyed) return;
      if ('send' in step) socket.write(step.send);
      else if ('waitMs' in step) await sleep(step.waitMs);
      else if ('until' in step) await step.until.catch(() => {});
      else if ('end' in step) socket.end();
      else if ('reset' in step) await flushed(socket).then(() => this.#reset(socket));
      else if (step.reading) socket.resume();
      else socket.pause();
    }
  }

  #reset(socket: Socket): void {
    if (socket.destroyed) return;
    (this.#transports.get(portOfPeer(socket)) ?? socket).resetAndDestroy();
  }

  #changed(): void {
    for (const watcher of [...this.#watchers]) watcher();
  }
}

function portOfPeer(socket: Socket): number {
  return socket.remotePort ?? 0;
}

/** Hands what was written to the kernel: a reset right after `write` would take the bytes along. */
async function flushed(socket: Socket): Promise<void> {
  if (socket.writableLength > 0) await once(socket, 'drain').catch(() => {});
}

class Connection implements RecordedConnection {
  closed: 'open' | 'end' | 'reset' = 'open';
  fault: string | null = null;
  requests: Message[] = [];
  size = 0;
  #buffer: Buffer = Buffer.alloc(4096);
  /** Where the request begins that is not complete yet. */
  #begin = 0;
  /**
   * The size below which it cannot be complete: saves reading a long body again with every packet.
   */
  #needs = 0;
  #headAnswered = false;

  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.size);
  }

  take(chunk: Buffer, answerAt: 'end' | 'head', answer: (head: MessageHead) => void): void {
    this.#append(chunk);
    while (this.fault === null && this.#begin < this.size && this.size >= this.#needs) {
      const reading = readRequest(this.bytes, this.#begin);
      if (reading.state === 'fault') this.fault = reading.why;
      if (reading.state === 'fault') return;
      const head = reading.state === 'complete' ? reading.message : reading.head;
      if (head !== null && answerAt === 'head' && !this.#headAnswered) {
        this.#headAnswered = true;
        answer(head);
      }
      if (reading.state === 'incomplete') this.#needs = reading.needs;
      if (reading.state === 'incomplete') return;
      this.requests.push(reading.message);
      this.#begin = reading.message.end;
      this.#headAnswered = false;
      if (answerAt === 'end') answer(reading.message);
    }
  }

  forget(): void {
    const rest = Buffer.from(this.#buffer.subarray(this.#begin, this.size));
    this.#buffer = Buffer.alloc(4096);
    this.size = 0;
    this.#begin = 0;
    this.#needs = 0;
    this.requests = [];
    this.fault = null;
    this.#append(rest);
  }

  /** Earlier requests are views of an earlier buffer, which stays as it was. */
  #append(chunk: Buffer): void {
    if (this.size + chunk.length > this.#buffer.length) {
      const wider = Buffer.alloc((this.size + chunk.length) * 2);
      this.#buffer.copy(wider, 0, 0, this.size);
      this.#buffer = wider;
    }
    chunk.copy(this.#buffer, this.size);
    this.size += chunk.length;
  }
}

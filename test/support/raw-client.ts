import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';

export interface RawClientOptions {
  readonly port: number;
  /** Of a socket file, instead of the port. */
  readonly path?: string;
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** The address to come from; the loopback has sixteen million of them on Linux. */
  readonly localAddress?: string;
  /** TLS with these; without it plain TCP. */
  readonly tls?: ConnectionOptions;
}

/** A connection that sends exactly the bytes it is given and keeps exactly the bytes it gets. */
export interface RawClient {
  readonly socket: Socket;
  readonly bytes: Buffer;
  /**
   * How the peer ended it: `end` = FIN, `reset` = RST or another socket fault, `open` = not yet.
   */
  readonly closed: 'open' | 'end' | 'reset';
  /**
   * Sends the pieces, each in a packet of its own as far as the kernel allows. Numbers are pauses
   * in ms.
   */
  send(...pieces: readonly (string | Buffer | number)[]): Promise<void>;
  /**
   * Resolves with all bytes so far when `holds` does; throws with `what` and the bytes when the
   * peer closes first or after `limitMs`.
   */
  waitFor(what: string, holds: (bytes: Buffer) => boolean, limitMs?: number): Promise<Buffer>;
  /** Resolves with all bytes when the peer has closed; throws after `limitMs`. */
  waitForClose(limitMs?: number): Promise<Buffer>;
  /** FIN: nothing more will be sent, answers are still read. */
  end(): void;
  /** RST. */
  reset(): void;
  close(): void;
}

const WAIT_LIMIT_MS = 30_000;

/** By the port that they have connected to. */
const living = new Map<number, Set<RawClient>>();

/** Breaks off what tests have left open to this port, so that nobody waits for it. */
export function closeRawClients(port: number): void {
  for (const client of living.get(port) ?? []) client.close();
  living.delete(port);
}

function known(client: RawClient, port: number): RawClient {
  const others = living.get(port) ?? new Set();
  living.set(port, others.add(client));
  client.socket.once('close', () => others.delete(client));
  return client;
}

/** Throws when the connection or its handshake fails. */
export async function connectRaw(options: RawClientOptions): Promise<RawClient> {
  const { host = '127.0.0.1', port, path, localAddress } = options;
  const address = {
    host,
    port,
    ...(path === undefined ? {} : { path }),
    ...(localAddress === undefined ? {} : { localAddress }),
  };
  // Half-open: the test, not the socket, says when our direction ends. (TLS has no half-close.)
  const transport = connectTcp({ allowHalfOpen: true, noDelay: true, ...address });
  await once(transport, 'connect');
  if (options.tls === undefined) return known(new Client(transport, transport), port);
  const socket = connectTls({ socket: transport, ...options.tls });
  await once(socket, 'secureConnect');
  return known(new Client(socket, transport), port);
}

/**
 * Sends `pieces` on a connection of its own and answers with what came back until the peer closed,
 * or until `until` holds.
 */
export async function exchange(
  options: RawClientOptions & {
    readonly pieces: readonly (string | Buffer | number)[];
    readonly until?: (bytes: Buffer) => boolean;
    /** FIN after the last piece. */
    readonly half?: boolean;
    readonly limitMs?: number;
  },
): Promise<{
  readonly bytes: Buffer;
  readonly text: string;
  readonly closed: 'open' | 'end' | 'reset';
}> {
  const client = await connectRaw(options);
  try {
    await client.send(...options.pieces);
    if (options.half) client.end();
    const { until, limitMs } = options;
    const bytes = until
      ? await client.waitFor('the expected answer', until, limitMs)
      : await client.waitForClose(limitMs);
    return { bytes, text: bytes.toString('latin1'), closed: client.closed };
  } finally {
    client.close();
  }
}

class Client implements RawClient {
  readonly socket: Socket;
  /** The TCP socket: only that can be reset. */
  readonly #transport: Socket;
  closed: 'open' | 'end' | 'reset' = 'open';
  readonly #chunks: Buffer[] = [];
  readonly #watchers = new Set<() => void>();

  constructor(socket: Socket, transport: Socket) {
    this.socket = socket;
    this.#transport = transport;
    socket.on('data', (chunk: Buffer) => {
      this.#chunks.push(chunk);
      this.#changed();
    });
    socket.on('end', () => this.#close('end'));
    socket.on('error', () => this.#close('reset'));
    socket.on('close', () => this.#close('end'));
  }

  get bytes(): Buffer {
    const all = Buffer.concat(this.#chunks);
    this.#chunks.splice(0, this.#chunks.length, all);
    return all;
  }

  async send(...pieces: readonly (string | Buffer | number)[]): Promise<void> {
    for (const piece of pieces) {
      // A peer that has closed early is what many tests look for: the bytes it sent still count.
      if (this.socket.destroyed || !this.socket.writable) return;
      if (typeof piece === 'number') await sleep(piece);
      else if (!this.socket.write(piece)) await this.#drained();
      else await new Promise((resolve) => setImmediate(resolve));
    }
  }

  #drained(): Promise<void> {
    const { socket } = this;
    return new Promise((resolve) => {
      const done = () => {
        socket.off('drain', done).off('close', done);
        resolve();
      };
      socket.on('drain', done).on('close', done);
    });
  }

  async waitFor(
    what: string,
    holds: (bytes: Buffer) => boolean,
    limitMs = WAIT_LIMIT_MS,
  ): Promise<Buffer> {
    await this.#until(what, () => holds(this.bytes) || this.closed !== 'open', limitMs);
    if (!holds(this.bytes))
      throw new Error(`the peer closed (${this.closed}) before ${what}: ${this.#show()}`);
    return this.bytes;
  }

  async waitForClose(limitMs = WAIT_LIMIT_MS): Promise<Buffer> {
    await this.#until('the peer closes', () => this.closed !== 'open', limitMs);
    return this.bytes;
  }

  end(): void {
    this.socket.end();
  }

  reset(): void {
    this.#transport.resetAndDestroy();
  }

  close(): void {
    this.socket.destroy();
  }

  async #until(what: string, holds: () => boolean, limitMs: number): Promise<void> {
    if (holds()) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const watcher = () => {
      if (holds()) resolve();
    };
    const timer = setTimeout(
      () => reject(new Error(`not within ${limitMs} ms: ${what}; so far: ${this.#show()}`)),
      limitMs,
    );
    this.#watchers.add(watcher);
    await promise.finally(() => {
      clearTimeout(timer);
      this.#watchers.delete(watcher);
    });
  }

  #close(how: 'end' | 'reset'): void {
    // A reset after a clean end is our own doing (we wrote on); the first word counts.
    if (this.closed === 'open') this.closed = how;
    this.#changed();
  }

  #changed(): void {
    for (const watcher of [...this.#watchers]) watcher();
  }

  #show(): string {
    return JSON.stringify(this.bytes.toString('latin1', 0, 300));
  }
}

import { once } from 'node:events';
import { chmodSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { StoreInUse } from '../store/fault.ts';
import { storeOwner } from './actor.ts';
import { OPERATION_NAMES } from './administration.ts';
import type { Control } from './control.ts';
import { AdminError } from './error.ts';
import type { FollowItem, FollowObserver } from './follow-audit.ts';
import {
  LineReader,
  LineTooLong,
  OWNER_LIMITS,
  type OwnerAnswer,
  type OwnerRequest,
  ownerSocketPath,
  PROTOCOL_VERSION,
  toWire,
} from './owner-protocol.ts';

/**
 * An embedded store has one owner. While a gate runs it is the gate, so the command line asks it
 * through this socket in the data folder.
 *
 * The right to open it is the right to the store: the socket is 0600 in a folder that is 0700, like
 * the files beside it. There is no other authentication, and none is needed: whoever gets here
 * could as well have read the files.
 */
export interface OwnerSocket {
  readonly path: string;
  /** Ends what is under way and removes the socket's file. */
  close(): Promise<void>;
}

export interface OwnerSocketOptions {
  readonly dataDir: string;
  readonly control: Control;
  /** Told about faults that are no refusals; the client only hears that there was one. */
  onFault(error: unknown): void;
}

/**
 * Throws `SocketPathTooLong`, `StoreInUse` when another owner answers there, or the system's error.
 */
export async function openOwnerSocket(options: OwnerSocketOptions): Promise<OwnerSocket> {
  const path = ownerSocketPath(options.dataDir);
  if (await answers(path)) throw new StoreInUse(options.dataDir);
  // Nobody answers: the file is left over from an owner that was killed.
  rmSync(path, { force: true });
  const connections = new Set<Socket>();
  const server = createServer((socket) => {
    connections.add(socket);
    socket.once('close', () => connections.delete(socket));
    new Session(socket, options).start();
  });
  server.maxConnections = OWNER_LIMITS.connections;
  await listenPrivately(server, path);
  server.on('error', options.onFault);
  return {
    path,
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      for (const socket of connections) socket.destroy();
      await closed;
    },
  };
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path);
    probe.once('connect', () => resolve(true)).once('error', () => resolve(false));
    probe.once('connect', () => probe.destroy());
  });
}

/**
 * bind() happens inside listen(), so narrowing the umask around it leaves no moment in which others
 * could open the socket.
 */
async function listenPrivately(server: Server, path: string): Promise<void> {
  const listening = once(server, 'listening');
  const umask = process.umask(0o177);
  try {
    server.listen(path);
  } finally {
    process.umask(umask);
  }
  await listening;
  chmodSync(path, 0o600);
}

/** One connection: requests one after the other, in the order in which they came. */
class Session {
  readonly #socket: Socket;
  readonly #options: OwnerSocketOptions;
  readonly #lines = new LineReader(OWNER_LIMITS.requestBytes);
  readonly #gone = new AbortController();
  #waiting = 0;
  #last: Promise<void> = Promise.resolve();

  constructor(socket: Socket, options: OwnerSocketOptions) {
    this.#socket = socket;
    this.#options = options;
  }

  start(): void {
    this.#socket.on('data', (chunk: Buffer) => this.#take(chunk));
    this.#socket.once('close', () => this.#gone.abort());
    // The client went away: nobody is left to tell.
    this.#socket.on('error', () => this.#socket.destroy());
    this.#socket.setTimeout(OWNER_LIMITS.idleMs, () => {
      if (this.#waiting === 0) this.#socket.destroy();
    });
  }

  #take(chunk: Buffer): void {
    try {
      for (const line of this.#lines.push(chunk)) this.#enqueue(line);
    } catch (error) {
      if (!(error instanceof LineTooLong)) throw error;
      this.#refuse(0, `a request is longer than ${OWNER_LIMITS.requestBytes} bytes`);
    }
  }

  #enqueue(line: string): void {
    if (this.#waiting >= OWNER_LIMITS.waiting) {
      this.#refuse(0, 'too many requests are waiting on this connection');
      return;
    }
    this.#waiting += 1;
    this.#last = this.#last
      .then(() => this.#answer(line))
      .catch((error: unknown) => this.#options.onFault(error))
      .finally(() => {
        this.#waiting -= 1;
      });
  }

  async #answer(line: string): Promise<void> {
    if (this.#gone.signal.aborted) return;
    const request = parse(line);
    if (request === null) return this.#refuse(0, 'the request cannot be read');
    if (request.v !== PROTOCOL_VERSION) {
      return this.#refuse(
        request.id,
        'the running gate is of another version of Sallyport: restart it, then ask again',
      );
    }
    const { id } = request;
    try {
      if (request.op === 'follow') return await this.#follow(request);
      if (request.op === 'verifyAudit') return await this.#verify(request);
      if (request.op === 'followVerification') return await this.#followVerification(request);
      await this.#send({ v: PROTOCOL_VERSION, id, result: await this.#perform(request) });
    } catch (error) {
      if (!(error instanceof AdminError)) this.#options.onFault(error);
      await this.#send({ v: PROTOCOL_VERSION, id, error: toWire(error) });
    }
  }

  async #perform({ op, as, input }: OwnerRequest): Promise<unknown> {
    if (op === 'hello') return { version: PROTOCOL_VERSION };
    const name = OPERATION_NAMES.find((known) => known === op);
    if (name === undefined)
      throw new AdminError(
        'invalid',
        'the running gate is of another version and does not know this: use its own command line',
      );
    const actor = { ...storeOwner(as, 'command-line'), left: this.#gone.signal };
    return this.#options.control.administration[name](actor, input as never);
  }

  async #follow({ id, as, input }: OwnerRequest): Promise<void> {
    const actor = storeOwner(as, 'command-line');
    this.#socket.setTimeout(0);
    for await (const item of this.#options.control.follow(
      actor,
      input as never,
      this.#gone.signal,
    )) {
      await this.#send({ v: PROTOCOL_VERSION, id, item });
      if (this.#gone.signal.aborted) return;
    }
  }

  /** Says on the way how far it has come, to who asks for it. */
  async #verify({ id, as, input }: OwnerRequest): Promise<void> {
    const actor = storeOwner(as, 'command-line');
    const { tell = false, ...wanted } = input as { readonly tell?: boolean };
    let toldMs = Date.now();
    const progress = (done: number, of: number) => {
      if (!tell || Date.now() - toldMs < TOLD_EVERY_MS) return;
      toldMs = Date.now();
      void this.#send({ v: PROTOCOL_VERSION, id, item: { done, of } });
    };
    const { verification } = this.#options.control;
    const result = await verification.run(actor, wanted, progress, this.#gone.signal);
    await this.#send({ v: PROTOCOL_VERSION, id, result });
  }

  /** Ends with the connection. */
  async #followVerification({ id, as, input }: OwnerRequest): Promise<void> {
    this.#socket.setTimeout(0);
    const tell = (item: FollowItem) => void this.#send({ v: PROTOCOL_VERSION, id, item });
    const observer: FollowObserver = {
      found: (found) => tell({ found }),
      read: (read) => tell({ read }),
      away: (away) => tell({ away }),
    };
    const actor = storeOwner(as, 'command-line');
    const { verification } = this.#options.control;
    await verification.follow(actor, input as never, observer, this.#gone.signal);
  }

  /** Waits for a slow reader, so that nothing piles up for it. */
  async #send(answer: OwnerAnswer): Promise<void> {
    if (this.#gone.signal.aborted || this.#socket.write(`${JSON.stringify(answer)}\n`)) return;
    await once(this.#socket, 'drain', { signal: this.#gone.signal }).catch(() => {});
  }

  /** The last word on this connection: what follows could not be trusted to be what it seems. */
  #refuse(id: number, message: string): void {
    const error = toWire(new AdminError('invalid', message));
    this.#socket.removeAllListeners('data');
    this.#socket.resume();
    this.#socket.end(`${JSON.stringify({ v: PROTOCOL_VERSION, id, error })}\n`);
  }
}

const TOLD_EVERY_MS = 200;

function parse(line: string): OwnerRequest | null {
  try {
    const request = JSON.parse(line) as Partial<OwnerRequest> | null;
    if (typeof request !== 'object' || request === null) return null;
    const { v, id, op, as, input } = request;
    if (
      typeof v !== 'number' ||
      typeof id !== 'number' ||
      typeof op !== 'string' ||
      typeof as !== 'string'
    )
      return null;
    // Whoever reads the input may take it for an object; what is none lacks every field.
    return { v, id, op, as, input: Object(input ?? {}) };
  } catch {
    return null;
  }
}

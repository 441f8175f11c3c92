import { once } from 'node:events';
import { Agent, get } from 'node:https';
import { connect as connectTcp, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import type { AbusedGate } from './gate.ts';

/** What one abusing connection got back, and that it is over. */
export interface Ended {
  readonly text: string;
}

/** Enough of an answer to know it by. */
const TEXT_MAX = 1000;

/**
 * Addresses of the loopback to come from: one has not ports enough for all connections of a long
 * run.
 */
let next = 0;
function localAddress(): string {
  next += 1;
  return `127.0.${(next >> 8) % 200}.${1 + (next % 250)}`;
}

export function openTcp(gate: AbusedGate): Socket {
  const socket = connectTcp({
    port: gate.port,
    host: '127.0.0.1',
    localAddress: localAddress(),
    noDelay: true,
  });
  socket.on('error', () => {});
  return socket;
}

/**
 * Over TLS; resolves when the handshake has ended, rejects when it has not. `transport`: the TCP
 * socket beneath.
 */
export async function openTls(gate: AbusedGate, transport = openTcp(gate)): Promise<Socket> {
  const socket = connectTls({
    socket: transport,
    rejectUnauthorized: false,
    servername: 'localhost',
  });
  await once(socket, 'secureConnect');
  socket.on('error', () => {});
  return socket;
}

/** Reads until the gate closes. Resolves in any case. */
export function ended(socket: Socket): Promise<Ended> {
  let text = '';
  socket.on('data', (bytes: Buffer) => {
    if (text.length < TEXT_MAX) text += bytes.toString('latin1');
  });
  return new Promise((resolve) => {
    for (const end of ['end', 'close']) {
      socket.once(end, () => {
        socket.destroy();
        resolve({ text });
      });
    }
    if (socket.destroyed) resolve({ text });
  });
}

/** `count` times `work`, some at a time. */
export async function many(
  count: number,
  work: (index: number) => Promise<void>,
  lanes = 64,
): Promise<void> {
  let begun = 0;
  const lane = async () => {
    while (begun < count) {
      begun += 1;
      await work(begun - 1);
    }
  };
  await Promise.all(Array.from({ length: Math.min(lanes, count) }, lane));
}

/** Writes until all is written or the gate has had enough. */
export async function pour(socket: Socket, bytes: Buffer, times: number): Promise<void> {
  let goOn = () => {};
  for (const event of ['drain', 'close']) socket.on(event, () => goOn());
  for (let count = 0; count < times && socket.writable; count += 1) {
    if (socket.write(bytes)) continue;
    await new Promise<void>((resolve) => {
      goOn = resolve;
    });
  }
}

/**
 * A client that does nothing wrong and goes on asking, one request after the other on a connection
 * that it keeps.
 */
export class Witness {
  readonly #gate: AbusedGate;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1, rejectUnauthorized: false });
  readonly #working: Promise<void>;
  #stopped = false;
  readonly statuses: (number | string)[] = [];

  constructor(gate: AbusedGate) {
    this.#gate = gate;
    this.#working = this.#work();
  }

  /**
   * Ends it. @returns how many answers it got; throws when one was not what it should be, or there
   * was none
   */
  async stop(): Promise<number> {
    this.#stopped = true;
    await this.#working;
    this.#agent.destroy();
    const wrong = this.statuses.filter((status) => status !== 200);
    if (wrong.length > 0 || this.statuses.length === 0)
      throw new Error(`others got ${wrong.length} wrong answers: ${wrong.slice(0, 3)}`);
    return this.statuses.length;
  }

  async #work(): Promise<void> {
    do {
      this.statuses.push(await ask(this.#gate, this.#agent, '/witness'));
      await sleep(10);
    } while (!this.#stopped);
  }
}

/** One request; its status, or the code of what went wrong. */
function ask(
  gate: AbusedGate,
  agent: Agent,
  path: string,
  again = false,
): Promise<number | string> {
  const headers = { Authorization: `Bearer ${gate.token}`, Host: 'localhost' };
  return new Promise((resolve) => {
    const request = get(
      { port: gate.port, host: '127.0.0.1', servername: 'localhost', path, headers, agent },
      (response) => {
        response.resume();
        response.on('end', () => resolve(response.statusCode ?? 'none'));
        response.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'broken'));
      },
    );
    request.setTimeout(30_000, () => request.destroy(new Error('no answer in 30 s')));
    request.on('error', (error: NodeJS.ErrnoException) => {
      // A kept connection may have been idle for too long when this process comes to its turn
      // again: whoever keeps connections asks once more.
      const isLate = request.reusedSocket && error.code === 'ECONNRESET' && !again;
      resolve(isLate ? ask(gate, agent, path, true) : (error.code ?? error.message));
    });
  });
}

/**
 * Work of an honest kind until the gate's process has the size of one that works: small requests,
 * long answers, uploads, on as many connections as later abuse it.
 */
export async function warmUp(
  gate: AbusedGate,
  connections: number,
  requests: number,
): Promise<void> {
  await many(connections, async (index) => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1, rejectUnauthorized: false });
    for (let count = 0; count < requests; count += 1)
      await ask(gate, agent, count === index % requests ? '/big' : '/small');
    agent.destroy();
  });
}

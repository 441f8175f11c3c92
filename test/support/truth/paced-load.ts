import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

/** One answer: what it said, and how long it took from the moment at which it was due. */
export interface PacedCall {
  readonly atMs: number;
  readonly tookMs: number;
  /** 0: the connection ended before it came. */
  readonly status: number;
}

const HEAD_END = '\r\n\r\n';
const TICK_MS = 5;

/**
 * Calls at a fixed rate over kept connections, by one timetable that waits for no answer: what a
 * gate holds up is in the latency of all that was due meanwhile.
 */
export class PacedLoad {
  readonly calls: PacedCall[] = [];
  readonly #port: number;
  readonly #request: string;
  readonly #idle: Connection[] = [];
  readonly #due: number[] = [];
  readonly #all = new Set<Connection>();
  #timer: NodeJS.Timeout | null = null;

  constructor(port: number, token: string) {
    this.#port = port;
    this.#request = `GET /all/read HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}${HEAD_END}`;
  }

  async start(perSecond: number, connections: number): Promise<void> {
    for (let n = 0; n < connections; n += 1) this.#idle.push(await this.#connect());
    const startMs = performance.now();
    let sent = 0;
    this.#timer = setInterval(() => {
      const wanted = Math.floor(((performance.now() - startMs) * perSecond) / 1000);
      for (; sent < wanted; sent += 1) this.#due.push(startMs + (sent * 1000) / perSecond);
      this.#send();
    }, TICK_MS);
  }

  /** What is under way is waited for, what is due but was not sent counts as failed. */
  async stop(limitMs: number): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    const endMs = performance.now() + limitMs;
    while (this.#isBusy && performance.now() < endMs) await new Promise((r) => setTimeout(r, 20));
    for (const atMs of this.#due.splice(0)) this.calls.push({ atMs, tookMs: limitMs, status: 0 });
    for (const connection of this.#all) connection.end();
  }

  get #isBusy(): boolean {
    return this.#due.length > 0 || this.#idle.length < this.#all.size;
  }

  #send(): void {
    for (;;) {
      if (this.#due.length === 0) return;
      const connection = this.#idle.pop();
      if (connection === undefined) return;
      connection.ask(this.#request, this.#due.shift()!);
    }
  }

  async #connect(): Promise<Connection> {
    const socket = connect({ port: this.#port, host: '127.0.0.1', noDelay: true });
    await once(socket, 'connect');
    const connection: Connection = new Connection(socket, (atMs, status) => {
      this.calls.push({ atMs, tookMs: performance.now() - atMs, status });
      if (status !== 0) this.#idle.push(connection);
      else this.#replace(connection);
      this.#send();
    });
    this.#all.add(connection);
    return connection;
  }

  #replace(gone: Connection): void {
    this.#all.delete(gone);
    this.#connect().then(
      (connection) => this.#idle.push(connection),
      () => {},
    );
  }
}

/** Asks for one thing at a time. Answers have a length. */
class Connection {
  readonly #socket: Socket;
  readonly #told: (atMs: number, status: number) => void;
  #bytes = '';
  #atMs: number | null = null;

  constructor(socket: Socket, told: (atMs: number, status: number) => void) {
    this.#socket = socket;
    this.#told = told;
    socket.on('error', () => {});
    socket.on('close', () => this.#over(0));
    socket.setEncoding('latin1').on('data', (text: string) => this.#take(text));
  }

  ask(request: string, atMs: number): void {
    this.#atMs = atMs;
    this.#socket.write(request);
  }

  end(): void {
    this.#socket.destroy();
  }

  #take(text: string): void {
    this.#bytes += text;
    const end = this.#bytes.indexOf(HEAD_END);
    if (end === -1) return;
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(this.#bytes)?.[1] ?? 0);
    if (this.#bytes.length < end + HEAD_END.length + length) return;
    const status = Number(this.#bytes.slice(9, 12));
    this.#bytes = '';
    this.#over(status);
  }

  #over(status: number): void {
    const atMs = this.#atMs;
    this.#atMs = null;
    if (atMs !== null) this.#told(atMs, status);
  }
}

/** An upstream that answers every GET at once and keeps nothing. */
export async function startQuickUpstream(): Promise<{
  readonly url: string;
  readonly requests: () => number;
  stop(): void;
}> {
  const answer = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nwell';
  const sockets = new Set<Socket>();
  let requests = 0;
  const server: Server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    let rest = '';
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    socket.setEncoding('latin1').on('data', (text: string) => {
      const heads = (rest + text).split(HEAD_END);
      rest = heads.pop() ?? '';
      requests += heads.length;
      if (heads.length > 0) socket.write(answer.repeat(heads.length));
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as { readonly port: number };
  return {
    url: `http://127.0.0.1:${port}`,
    requests: () => requests,
    stop() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

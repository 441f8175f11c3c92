import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type IncomingHttpHeaders,
} from 'node:http2';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type {
  DoorClient,
  DoorExchange,
  DoorRequest,
  DoorResponse,
  DoorUnderTest,
  FieldList,
} from './door-under-test.ts';

/** HTTP/2 for the suite of all doors: Node's own client, which knows nothing of ours. */
export function http2Door(tls: boolean): DoorUnderTest {
  return {
    name: `HTTP/2, ${tls ? 'TLS' : 'plain'}`,
    tls,
    powers: { concurrent: true, expectations: true, forwards: true },
    asksForTrailers: [['te', 'trailers']],
    departures: [
      ['resetting its stream', (_client, exchange) => (exchange as Http2Exchange).reset()],
      ['ending its connection', (client) => (client as Http2Client).end()],
      ['breaking it off', (client) => (client as Http2Client).breakOff()],
    ],
    connect: async ({ port, caFile }) => {
      const transport = connectTcp({ host: '127.0.0.1', port, noDelay: true });
      await once(transport, 'connect');
      const socket = tls ? await secured(transport, caFile) : transport;
      const session = connect('https://api.test', { createConnection: () => socket });
      const client = new Http2Client(session, transport);
      await once(session, 'remoteSettings');
      return client;
    },
  };
}

async function secured(socket: Socket, caFile: string): Promise<Socket> {
  const ca = readFileSync(caFile);
  const options = { socket, ca, servername: 'localhost', ALPNProtocols: ['h2'] };
  const secured = connectTls(options);
  await once(secured, 'secureConnect');
  if (secured.alpnProtocol !== 'h2') throw new Error('the gate does not offer h2');
  return secured;
}

class Http2Client implements DoorClient {
  readonly #session: ClientHttp2Session;
  readonly #transport: Socket;
  readonly #closed: Promise<void>;
  #told = false;

  constructor(session: ClientHttp2Session, transport: Socket) {
    this.#session = session;
    this.#transport = transport;
    this.#closed = new Promise((resolve) => session.once('close', resolve));
    session.on('error', () => {});
    session.on('goaway', () => {
      this.#told = true;
    });
  }

  get usable(): boolean {
    return !this.#told && !this.#session.closed && !this.#session.destroyed;
  }

  async begin(request: DoorRequest): Promise<DoorExchange> {
    const { target, authority = 'api.test', fields = [], length, expects, upgrade } = request;
    const heads = [
      // RFC 8441 §4.
      [':method', upgrade === undefined ? request.method : 'CONNECT'],
      ...(upgrade === undefined ? [] : [[':protocol', upgrade]]),
      [':scheme', 'https'],
      [':authority', authority],
      [':path', target],
      ...fields.map(([name, value]) => [name.toLowerCase(), value]),
      ...(typeof length === 'number' ? [['content-length', String(length)]] : []),
      ...(expects ? [['expect', '100-continue']] : []),
    ];
    const { trailers } = request;
    const stream = this.#session.request(heads.flat() as string[], {
      endStream: length === undefined && upgrade === undefined,
      waitForTrailers: trailers !== undefined,
    });
    if (trailers !== undefined)
      stream.on('wantTrailers', () => stream.sendTrailers(Object.fromEntries(trailers)));
    const exchange = new Http2Exchange(stream, length ?? 0);
    await new Promise((resolve) => setImmediate(resolve));
    return exchange;
  }

  async ended(): Promise<void> {
    await this.#closed;
  }

  end(): void {
    this.#transport.end();
  }

  breakOff(): void {
    this.#transport.resetAndDestroy();
  }

  close(): void {
    this.#session.destroy();
    this.#transport.destroy();
  }
}

class Http2Exchange implements DoorExchange {
  readonly #stream: ClientHttp2Stream;
  readonly #interims: [number, FieldList][] = [];
  readonly #pieces: Buffer[] = [];
  #head: Pick<DoorResponse, 'status' | 'fields'> | null = null;
  #trailers: FieldList = [];
  #ended = false;
  #over = false;
  #heard = Promise.withResolvers<void>();

  #toSend: number;

  /** @param length of the content, where it is told */
  constructor(stream: ClientHttp2Stream, length: number) {
    this.#stream = stream;
    this.#toSend = length;
    const heard = (step: () => void) => {
      step();
      this.#heard.resolve();
      this.#heard = Promise.withResolvers();
    };
    stream.on('continue', () => heard(() => this.#interims.push([100, []])));
    stream.on('headers', (headers) =>
      heard(() => this.#interims.push([headers[':status']!, fieldsOf(headers)])),
    );
    stream.on('response', (headers) =>
      heard(() => {
        this.#head = { status: headers[':status']!, fields: fieldsOf(headers) };
      }),
    );
    stream.on('trailers', (headers) =>
      heard(() => {
        this.#trailers = fieldsOf(headers);
      }),
    );
    stream.on('data', (piece: Buffer) => heard(() => this.#pieces.push(piece)));
    stream.on('end', () =>
      heard(() => {
        this.#ended = true;
      }),
    );
    stream.on('error', () => {});
    stream.on('close', () =>
      heard(() => {
        this.#over = true;
      }),
    );
  }

  async send(...pieces: readonly (string | Buffer)[]): Promise<void> {
    for (const piece of pieces) {
      // A gate that has ended the stream early is what many tests look for.
      if (this.#stream.destroyed || this.#stream.closed) return;
      if (piece.length === 0) continue;
      this.#toSend -= piece.length;
      await new Promise<void>((resolve) => {
        this.#stream.once('close', resolve);
        this.#stream.write(piece, () => {
          this.#stream.off('close', resolve);
          resolve();
        });
      });
    }
  }

  /** Content that is not as long as was told has no end. */
  async endBody(): Promise<void> {
    if (this.#toSend <= 0 && !this.#stream.destroyed) this.#stream.end();
  }

  reset(): void {
    // `close` would end the content first, and say that this was all of it.
    this.#stream.destroy(new Error('given up'));
  }

  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  async interim(status: number): Promise<FieldList> {
    const of = () => this.#interims.find(([number]) => number === status);
    await this.#until(`an interim response ${status}`, () => of() !== undefined);
    return of()![1];
  }

  async head(): Promise<Pick<DoorResponse, 'status' | 'fields'>> {
    await this.#until('the head of a response', () => this.#head !== null);
    return this.#head!;
  }

  async content(what: string, holds: (content: Buffer) => boolean): Promise<void> {
    await this.#until(what, () => holds(Buffer.concat(this.#pieces)));
  }

  async response(): Promise<DoorResponse> {
    while (!this.#over) await this.#heard.promise;
    const { status, fields } = this.#head ?? { status: 0, fields: [] };
    // RFC 9113 §8.1: after a whole response the rest of its request may be declined so.
    const whole = this.#ended && this.#stream.rstCode === constants.NGHTTP2_NO_ERROR;
    const content = Buffer.concat(this.#pieces);
    const trailers = this.#trailers;
    return { status, fields, content, trailers, interims: this.#interims, whole };
  }

  async #until(what: string, holds: () => boolean): Promise<void> {
    while (!holds()) {
      if (this.#over) throw new Error(`the stream ended before ${what}`);
      await this.#heard.promise;
    }
  }
}

function fieldsOf(headers: IncomingHttpHeaders): FieldList {
  return Object.entries(headers).flatMap(([name, value]) =>
    name.startsWith(':') ? [] : [value].flat().map((each) => [name, String(each)] as const),
  );
}

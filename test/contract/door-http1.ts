import { readFileSync } from 'node:fs';
import { readResponse, statusOf } from '../support/http-bytes.ts';
import { connectRaw, type RawClient } from '../support/raw-client.ts';
import type {
  DoorClient,
  DoorExchange,
  DoorRequest,
  DoorResponse,
  DoorUnderTest,
  FieldList,
} from './door-under-test.ts';

/** HTTP/1.1 for the suite of all doors: values to bytes, and back. */
export function http1Door(tls: boolean): DoorUnderTest {
  return {
    name: `HTTP/1.1, ${tls ? 'TLS' : 'plain'}`,
    tls,
    powers: { concurrent: false, expectations: true, forwards: true },
    asksForTrailers: [
      ['TE', 'deflate;q=0.5, trailers'],
      ['Connection', 'TE'],
    ],
    departures: [
      ['ending its connection', (client) => (client as Http1Client).raw.end()],
      ['breaking it off', (client) => (client as Http1Client).raw.reset()],
    ],
    connect: async ({ port, caFile }) => {
      const options = { ca: tls ? readFileSync(caFile) : '', servername: 'localhost' };
      return new Http1Client(await connectRaw({ port, ...(tls ? { tls: options } : {}) }));
    },
  };
}

/** Of RFC 6455 §1.3. */
const KEY = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==';

/** How much has come, without putting it together anew with each packet. */
class Arrivals {
  bytes = 0;
  #over = false;
  #heard = Promise.withResolvers<void>();

  constructor({ socket }: RawClient) {
    socket.on('data', (chunk: Buffer) => {
      this.bytes += chunk.length;
      this.#tell();
    });
    for (const end of ['end', 'error', 'close']) {
      socket.on(end, () => {
        this.#over = true;
        this.#tell();
      });
    }
  }

  #tell(): void {
    this.#heard.resolve();
    this.#heard = Promise.withResolvers();
  }

  /** Until there are more, or none will come. */
  async past(bytes: number): Promise<void> {
    while (this.bytes <= bytes && !this.#over) await this.#heard.promise;
  }
}

class Http1Client implements DoorClient {
  readonly raw: RawClient;
  readonly #arrivals: Arrivals;
  #last: Http1Exchange | null = null;

  constructor(raw: RawClient) {
    this.raw = raw;
    this.#arrivals = new Arrivals(raw);
  }

  get usable(): boolean {
    return this.raw.closed === 'open' && this.#last?.isLast !== true;
  }

  async begin(request: DoorRequest): Promise<DoorExchange> {
    const from = this.#last?.end ?? 0;
    this.#last = new Http1Exchange(this.raw, this.#arrivals, from, request);
    const { method, target, fields = [], length, expects, upgrade } = request;
    const framing =
      length === undefined
        ? []
        : [length === null ? 'Transfer-Encoding: chunked' : `Content-Length: ${length}`];
    const lines = [
      `${method} ${target} HTTP/1.1`,
      `Host: ${request.authority ?? 'api.test'}`,
      ...fields.map(([name, value]) => `${name}: ${value}`),
      ...framing,
      ...(expects ? ['Expect: 100-continue'] : []),
      ...(upgrade === undefined ? [] : ['Connection: Upgrade', `Upgrade: ${upgrade}`, KEY]),
    ];
    await this.raw.send(`${lines.join('\r\n')}\r\n\r\n`);
    return this.#last;
  }

  async ended(): Promise<void> {
    await this.raw.waitForClose();
  }

  close(): void {
    this.raw.close();
  }
}

/** What of a response is there. */
interface Seen {
  readonly interims: readonly (readonly [status: number, fields: FieldList])[];
  readonly head: Pick<DoorResponse, 'status' | 'fields'> | null;
  readonly content: Buffer;
  readonly trailers: FieldList;
  /** Where its bytes end; null: they have not. */
  readonly end: number | null;
  /** So many bytes have to be here before they can. */
  readonly needs: number;
}

class Http1Exchange implements DoorExchange {
  readonly #raw: RawClient;
  readonly #arrivals: Arrivals;
  readonly #from: number;
  readonly #request: DoorRequest;

  constructor(raw: RawClient, arrivals: Arrivals, from: number, request: DoorRequest) {
    this.#raw = raw;
    this.#arrivals = arrivals;
    this.#from = from;
    this.#request = request;
  }

  async send(...pieces: readonly (string | Buffer)[]): Promise<void> {
    for (const piece of pieces) {
      const bytes = Buffer.from(piece);
      if (this.#request.length !== null) await this.#raw.send(bytes);
      else await this.#raw.send(`${bytes.length.toString(16)}\r\n`, bytes, '\r\n');
    }
  }

  async endBody(): Promise<void> {
    if (this.#request.length !== null) return;
    const lines = (this.#request.trailers ?? []).map(([name, value]) => `${name}: ${value}\r\n`);
    await this.#raw.send(`0\r\n${lines.join('')}\r\n`);
  }

  pause(): void {
    this.#raw.socket.pause();
  }

  resume(): void {
    this.#raw.socket.resume();
  }

  async interim(status: number): Promise<FieldList> {
    const of = () => this.#seen().interims.find(([number]) => number === status);
    await this.#raw.waitFor(`an interim response ${status}`, () => of() !== undefined);
    return of()![1];
  }

  async head(): Promise<Pick<DoorResponse, 'status' | 'fields'>> {
    await this.#raw.waitFor('the head of a response', () => this.#seen().head !== null);
    return this.#seen().head!;
  }

  async content(what: string, holds: (content: Buffer) => boolean): Promise<void> {
    await this.#raw.waitFor(what, () => holds(this.#seen().content));
  }

  async response(): Promise<DoorResponse> {
    // What is long is looked at again once it can be complete: not at every packet.
    for (let seen = this.#seen(); seen.end === null && this.#raw.closed === 'open'; ) {
      await this.#arrivals.past(Math.max(seen.needs - 1, this.#arrivals.bytes));
      seen = this.#seen();
    }
    const { head, content, trailers, end, interims } = this.#seen();
    const { status, fields } = head ?? { status: 0, fields: [] };
    return { status, fields, content, trailers, interims, whole: end !== null };
  }

  get end(): number {
    return this.#seen().end ?? this.#raw.bytes.length;
  }

  get isLast(): boolean {
    const fields = this.#seen().head?.fields ?? [];
    return fields.some(([name, value]) => name === 'connection' && value === 'close');
  }

  #seen(): Seen {
    const { bytes, closed } = this.#raw;
    const { method } = this.#request;
    const interims: [number, FieldList][] = [];
    for (let offset = this.#from; ; ) {
      const reading = readResponse(bytes, { offset, method, closed: closed === 'end' });
      if (reading.state === 'fault') throw new Error(reading.why);
      const read = reading.state === 'complete' ? reading.message : reading.head;
      if (read === null) return { ...NONE_YET, interims };
      const head = { status: statusOf(read), fields: lowered(read.fields) };
      if (reading.state === 'complete' && head.status < 200) {
        interims.push([head.status, head.fields]);
        offset = reading.message.end;
        continue;
      }
      if (reading.state === 'complete')
        return {
          interims,
          head,
          content: reading.message.body,
          trailers: lowered(reading.message.trailers),
          end: reading.message.end,
          needs: 0,
        };
      const begin = bytes.indexOf('\r\n\r\n', offset, 'latin1') + 4;
      const content = partOf(bytes.subarray(begin), head.fields);
      return { interims, head, content, trailers: [], end: null, needs: reading.needs };
    }
  }
}

const NONE_YET = { head: null, content: Buffer.alloc(0), trailers: [], end: null, needs: 0 };

const lowered = (fields: FieldList): FieldList =>
  fields.map(([name, value]) => [name.toLowerCase(), value]);

/** The content in the first bytes of a body, without its framing. */
function partOf(bytes: Buffer, fields: FieldList): Buffer {
  if (!fields.some(([name]) => name === 'transfer-encoding')) return bytes;
  const pieces: Buffer[] = [];
  for (let at = 0; ; ) {
    const line = bytes.indexOf('\r\n', at, 'latin1');
    if (line === -1) return Buffer.concat(pieces);
    const size = Number.parseInt(bytes.toString('latin1', at, line), 16);
    pieces.push(bytes.subarray(line + 2, line + 2 + size));
    at = line + 2 + size + 2;
  }
}

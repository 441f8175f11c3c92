import { type Message, readResponse, statusOf, valuesOf } from './http-bytes.ts';
import { connectRaw, type RawClient } from './raw-client.ts';

/** A request that somebody has and asks about. */
export interface AskedRequest {
  readonly method: string;
  readonly target: string;
  /** Default `api.test`. */
  readonly host?: string;
  /** Lines of its head, such as `Authorization: …`. */
  readonly fields?: readonly string[];
  /** Default: nobody says. */
  readonly client?: string;
}

/** The four ways in which one request is asked about: the bytes of the question. */
export const ENDPOINTS: Readonly<Record<string, (request: AskedRequest) => string>> = {
  '/auth-request': ({ method, target, host = 'api.test', fields = [], client }) =>
    question('GET /auth-request', [
      'Host: gate',
      `X-Original-Method: ${method}`,
      `X-Original-URI: ${target}`,
      `X-Original-Host: ${host}`,
      ...(client === undefined ? [] : [`X-Original-Forwarded-For: ${client}`]),
      ...fields,
    ]),
  '/forward-auth': ({ method, target, host = 'api.test', fields = [], client }) =>
    question('GET /forward-auth', [
      'Host: gate',
      `X-Forwarded-Method: ${method}`,
      'X-Forwarded-Proto: https',
      `X-Forwarded-Host: ${host}`,
      `X-Forwarded-Uri: ${target}`,
      ...(client === undefined ? [] : [`X-Forwarded-For: ${client}`]),
      ...fields,
    ]),
  '/ext-authz/': ({ method, target, host = 'api.test', fields = [], client }) =>
    question(`${method} /ext-authz${target}`, [
      `Host: ${host}`,
      ...(client === undefined ? [] : [`X-Envoy-External-Address: ${client}`]),
      ...fields,
    ]),
  '/verify': ({ method, target, host = 'api.test', fields = [], client: clientAddress }) => {
    const [, token] = /^Authorization: Bearer (.*)$/.exec(fields[0] ?? '') ?? [];
    const body = JSON.stringify({ token, method, host, target, clientAddress });
    return question('POST /verify', [
      'Host: gate',
      'Content-Type: application/json',
      `Content-Length: ${Buffer.byteLength(body)}`,
    ]).concat(body);
  },
};

function question(line: string, fields: readonly string[]): string {
  return `${[`${line} HTTP/1.1`, ...fields].join('\r\n')}\r\n\r\n`;
}

/** A verdict as it came. */
export interface Told {
  readonly status: number;
  readonly message: Message;
  readonly body: string;
  /** The one value of a field; undefined where it is not there. Throws when it stands twice. */
  field(name: string): string | undefined;
}

/** Asks on one connection, again and again. */
export class Asker {
  readonly client: RawClient;
  #read = 0;

  private constructor(client: RawClient) {
    this.client = client;
  }

  static async open(port: number, localAddress?: string): Promise<Asker> {
    return new Asker(
      await connectRaw({ port, ...(localAddress === undefined ? {} : { localAddress }) }),
    );
  }

  /** @param method of the question, where its response has no content: HEAD */
  async ask(bytes: string, method = 'GET'): Promise<Told> {
    const offset = this.#read;
    const read = (all: Buffer) => readResponse(all, { offset, method });
    await this.client.send(bytes);
    const all = await this.client.waitFor('a verdict', (some) => read(some).state === 'complete');
    const reading = read(all);
    if (reading.state !== 'complete') throw new Error('no verdict came');
    const { message } = reading;
    this.#read = message.end;
    return {
      status: statusOf(message),
      message,
      body: message.body.toString(),
      field: (name) => {
        const values = valuesOf(message, name);
        if (values.length > 1) throw new Error(`${name} stands ${values.length} times`);
        return values[0];
      },
    };
  }

  close(): void {
    this.client.close();
  }
}

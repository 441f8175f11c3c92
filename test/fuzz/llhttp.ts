import { METHODS } from 'node:http';
import { createRequire } from 'node:module';

/**
 * Node's own HTTP parser (llhttp), without sockets around it: what `node:http` reads a connection
 * with, several hundred times faster than over one. `_http_common` is not a documented module; a
 * Node without it makes the fuzzer fail, not pass.
 */
interface RawParser {
  [callback: number]: (...args: never[]) => unknown;
  initialize(type: number, resource: object, maxHeaderBytes: number, lenience: number): void;
  execute(bytes: Buffer): number | Error;
  finish(): undefined | Error;
}

interface RawParserClass {
  new (): RawParser;
  readonly REQUEST: number;
  readonly RESPONSE: number;
  readonly kOnHeaders: number;
  readonly kOnHeadersComplete: number;
  readonly kOnBody: number;
  readonly kOnMessageComplete: number;
  readonly kLenientNone: number;
  readonly kLenientSpacesAfterChunkSize: number;
}

const { HTTPParser } = createRequire(import.meta.url)('_http_common') as {
  readonly HTTPParser: RawParserClass;
};

/** Beyond every limit of ours: that ours are kept is for other tests. */
const MAX_HEADER_BYTES = 1024 * 1024;

export interface LlhttpMessage {
  readonly method: string;
  readonly target: string;
  readonly status: number;
  readonly minor: number;
  /** Names and values by turns, as received. */
  readonly fields: readonly string[];
  readonly keepAlive: boolean;
  body: string;
  whole: boolean;
}

/**
 * One connection as llhttp reads it, in its strict mode; of responses with the one lenience that we
 * have too: what old servers pad the line of a chunk's size with.
 */
export class Llhttp {
  readonly #parser = new HTTPParser();
  readonly #type: number;
  #fields: string[] = [];
  #target = '';
  /** Method names by llhttp's numbers. */
  readonly #methods: readonly string[];
  #skipsBody = false;
  messages: LlhttpMessage[] = [];
  /** Messages that are whole. */
  completed = 0;
  /** Its name for what was wrong, or null. Nothing is read after it. */
  fault: string | null = null;

  private constructor(type: number, methods: readonly string[]) {
    this.#type = type;
    this.#methods = methods;
    this.#listen();
  }

  static requests(): Llhttp {
    return new Llhttp(HTTPParser.REQUEST, methodNumbers());
  }

  static responses(): Llhttp {
    return new Llhttp(HTTPParser.RESPONSE, []);
  }

  /** A new connection. `toHead`: the answers belong to HEAD requests. */
  begin(toHead = false): void {
    const lenience =
      this.#type === HTTPParser.RESPONSE
        ? HTTPParser.kLenientSpacesAfterChunkSize
        : HTTPParser.kLenientNone;
    this.#parser.initialize(this.#type, {}, MAX_HEADER_BYTES, lenience);
    this.#skipsBody = toHead;
    this.#fields = [];
    this.#target = '';
    this.messages = [];
    this.completed = 0;
    this.fault = null;
  }

  read(bytes: Buffer): void {
    if (this.fault !== null || bytes.length === 0) return;
    const result = this.#parser.execute(bytes);
    if (typeof result !== 'number')
      this.fault = String((result as Error & { code?: unknown }).code ?? result);
    else if (result < bytes.length) this.fault = `stopped after ${result} of ${bytes.length} bytes`;
  }

  /** The connection's end. */
  finish(): void {
    if (this.fault !== null) return;
    const result = this.#parser.finish();
    if (result !== undefined)
      this.fault = String((result as Error & { code?: unknown }).code ?? result);
  }

  #listen(): void {
    const parser = this.#parser;
    // Fields come ahead in portions when there are more than 32 or a piece ends among them; after
    // the head the same call brings trailers.
    parser[HTTPParser.kOnHeaders] = (fields: string[], target: string) => {
      this.#fields.push(...fields);
      this.#target += target;
    };
    parser[HTTPParser.kOnHeadersComplete] = (
      _major: number,
      minor: number,
      fields: string[] | undefined,
      method: number | undefined,
      target: string | undefined,
      status: number | undefined,
      _reason: string | undefined,
      _upgrade: boolean,
      keepAlive: boolean,
    ) => {
      this.messages.push({
        method: this.#methods[method ?? -1] ?? '',
        target: target ?? this.#target,
        status: status ?? 0,
        minor,
        fields: fields ?? this.#fields,
        keepAlive,
        body: '',
        whole: false,
      });
      // What `node:http` answers: no body after HEAD and after an interim answer, and no change of
      // protocol.
      this.#fields = [];
      this.#target = '';
      return this.#skipsBody || (status !== undefined && status < 200) ? 1 : 0;
    };
    parser[HTTPParser.kOnBody] = (content: Buffer) => {
      this.messages.at(-1)!.body += content.toString('latin1');
    };
    parser[HTTPParser.kOnMessageComplete] = () => {
      this.messages.at(-1)!.whole = true;
      this.completed += 1;
      this.#fields = [];
      this.#target = '';
    };
  }
}

/** llhttp tells methods by numbers that it does not name outside: each is asked for. */
function methodNumbers(): readonly string[] {
  const names: string[] = [];
  const parser = new HTTPParser();
  for (const name of METHODS) {
    parser.initialize(HTTPParser.REQUEST, {}, MAX_HEADER_BYTES, HTTPParser.kLenientNone);
    parser[HTTPParser.kOnHeadersComplete] = (
      _major: number,
      _minor: number,
      _fields: string[],
      method: number,
    ) => {
      names[method] = name;
      return 0;
    };
    parser.execute(
      Buffer.from(`${name} ${name === 'CONNECT' ? 'a:1' : '/'} HTTP/1.1\r\nHost: a\r\n\r\n`),
    );
  }
  return names;
}

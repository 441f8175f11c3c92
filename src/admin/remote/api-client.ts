import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import { codeOfReason } from '../api/problem.ts';
import { AdminError, type AdminErrorCode, type Fault } from '../error.ts';

export interface ApiClientOptions {
  /** Of the admin listener, `https://gate:9443`. */
  readonly url: URL;
  readonly token: string;
  /** PEM of the CAs to trust instead of the usual ones; null: the usual ones. */
  readonly ca: string | null;
}

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

export interface ApiRequest {
  readonly method: Method;
  /** Below the base: `/service-accounts`. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | boolean | null | undefined>>;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** How long the other side may take by what was asked for, in milliseconds, besides the usual. */
  readonly patienceMs?: number;
  /** Instead of the client's. */
  readonly token?: string;
}

const LIMITS = { answerMs: 30_000, answerBytes: 32 * 1024 * 1024 } as const;

/**
 * Speaks to the admin API of a running gate: HTTPS only, the token in no URL, redirects not
 * followed.
 */
export class ApiClient {
  readonly #options: ApiClientOptions;
  readonly #agent: Agent;
  readonly #base: string;

  constructor(options: ApiClientOptions) {
    this.#options = options;
    this.#base = `${options.url.pathname.replace(/\/+$/, '')}/api/v1`;
    this.#agent = new Agent({
      keepAlive: true,
      maxSockets: 4,
      ...(options.ca === null ? {} : { ca: options.ca }),
    });
  }

  close(): void {
    this.#agent.destroy();
  }

  /**
   * The body of a good answer. Throws `AdminError` in the words of the other side, or
   * `unavailable`.
   */
  async ask<T>(asked: ApiRequest): Promise<T> {
    const patienceMs = LIMITS.answerMs + (asked.patienceMs ?? 0);
    const answer = await this.open(asked, AbortSignal.timeout(patienceMs));
    const body = parsed(await this.#textOf(asked.method, answer));
    if (body === null)
      throw this.#unavailable(asked.method, 'its response is not that of a gate of this version');
    return body as T;
  }

  /** A good answer whose body is read by the caller. */
  async open(asked: ApiRequest, signal: AbortSignal): Promise<IncomingMessage> {
    const answer = await this.#send(asked, signal);
    const status = answer.statusCode ?? 0;
    if (status >= 200 && status < 300) return answer;
    throw this.#refusal(asked.method, status, parsed(await this.#textOf(asked.method, answer)));
  }

  get #where(): string {
    return this.#options.url.origin;
  }

  #send(
    { method, path, query = {}, body, headers = {}, token }: ApiRequest,
    signal: AbortSignal,
  ): Promise<IncomingMessage> {
    const text = body === undefined ? null : JSON.stringify(body);
    const { url } = this.#options;
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const sent = request({
      host: url.hostname.replace(/^\[|\]$/g, ''),
      port: url.port === '' ? 443 : url.port,
      path: this.#base + path + searchOf(query),
      method,
      agent: this.#agent,
      signal,
      headers: {
        authorization: `Bearer ${token ?? this.#options.token}`,
        accept: 'application/json, application/problem+json, text/event-stream',
        ...(text === null
          ? {}
          : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
        ...headers,
      },
    });
    sent.once('response', resolve);
    sent.once('error', (error) => reject(this.#unavailable(method, whyOf(error), error)));
    sent.end(text ?? undefined);
    return promise;
  }

  #unavailable(method: Method, why: string, cause?: unknown): AdminError {
    return new AdminError(
      'unavailable',
      `the server ${this.#where} cannot be asked: ${why}${outcomeOf(method, cause)}`,
      {
        cause,
      },
    );
  }

  async #textOf(method: Method, answer: IncomingMessage): Promise<string> {
    try {
      return await textOf(answer);
    } catch (error) {
      throw this.#unavailable(method, `its response broke off (${whyOf(error as Error)})`, error);
    }
  }

  #refusal(method: Method, status: number, body: unknown): AdminError {
    const { reason, detail, title, faults, users, approval } = (body ?? {}) as Partial<Told>;
    if (typeof reason !== 'string')
      return this.#unavailable(method, `it answered ${status}, not like a gate of this version`);
    if (status === 401)
      return new AdminError(
        'forbidden',
        `${this.#where} does not accept the token (${reason}): it is of another gate, or was rotated, has expired or is deactivated`,
      );
    const words = typeof detail === 'string' ? detail : `${title ?? 'refused'} (${reason})`;
    const message = status === 403 ? `${words} (at ${this.#where})` : words;
    return new AdminError(codeOf(status, reason), message, {
      faults: faults ?? [],
      users: users ?? [],
      ...(approval === undefined ? {} : { approval }),
    });
  }
}

interface Told {
  readonly reason: string;
  readonly title: string;
  readonly detail: string;
  readonly faults: readonly Fault[];
  readonly users: readonly string[];
  readonly approval?: string;
}

function codeOf(status: number, reason: string): AdminErrorCode {
  const known = codeOfReason(reason);
  if (known !== null) return known;
  if (status >= 500 || status === 429) return 'unavailable';
  if (status === 403) return 'forbidden';
  if (status === 404) return 'not-found';
  return status === 409 ? 'conflict' : 'invalid';
}

function searchOf(query: NonNullable<ApiRequest['query']>): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null);
  const search = new URLSearchParams(
    given.map(([name, value]) => [name, String(value)]),
  ).toString();
  return search === '' ? '' : `?${search}`;
}

async function textOf(answer: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of answer as AsyncIterable<Buffer>) {
    bytes += piece.length;
    if (bytes > LIMITS.answerBytes) throw new Error('it is too long');
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString('utf8');
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
}

const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ENOTFOUND: 'the host name is not known',
  ECONNRESET: 'it closed the connection',
  ABORT_ERR: 'it did not answer in time',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is not trusted here (name its CA with --ca-file)',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate is not trusted here (name its CA with --ca-file)',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    'its certificate is not trusted here (name its CA with --ca-file)',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    'its certificate is not trusted here (name its CA with --ca-file)',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another host name',
  EPROTO: 'it does not speak HTTPS',
};

function whyOf(error: Error): string {
  const code = (error as NodeJS.ErrnoException).code ?? '';
  return WORDS[code] ?? error.message;
}

/** What keeps a request from being sent at all. */
const NEVER_SENT: readonly string[] = [
  'ECONNREFUSED',
  'ENOTFOUND',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'ERR_TLS_CERT_ALTNAME_INVALID',
];

/**
 * A change whose answer did not arrive may have been made: a token may have been lost with the
 * answer. Who only looked can look again.
 */
function outcomeOf(method: Method, cause: unknown): string {
  if (method === 'GET') return '';
  const { code = '' } = (cause ?? {}) as NodeJS.ErrnoException;
  if (NEVER_SENT.includes(code)) return '; nothing was changed';
  return '; it is not known whether the change was made: look before you repeat it';
}

import { request } from 'node:https';

/** What a pipeline got, parsed as it parses: an empty body is an empty object. */
export interface PipelineAnswer {
  readonly status: number;
  readonly type: string;
  readonly body: Buffer;
  readonly response: unknown;
}

/** Ends a pipeline: it does not try again. */
export class PipelineFailure extends Error {
  readonly answer: PipelineAnswer;
  constructor(step: string, answer: PipelineAnswer) {
    super(`${step}: ${answer.status} ${answer.body.toString('latin1').slice(0, 200)}`);
    this.answer = answer;
  }
}

/** How this client writes paths: LifeTime takes them all alike. */
export type Spelling = 'as-documented' | 'slash' | 'upper-case';

interface Sent {
  readonly payload?: string | Buffer;
  readonly type?: string;
  readonly authorization?: string;
}

/**
 * A client in the manner of the pipelines that are in use in front of LifeTime: a new TLS
 * connection for each request, JSON wherever there is a body, one exception for plain text after a
 * POST, `Content-Length: 0` where a POST has none, the bare token on download links, and no second
 * try.
 */
export class PipelineClient {
  token: string;
  readonly #origin: string;
  readonly #ca: Buffer;
  readonly #spelling: Spelling;

  constructor(origin: string, ca: Buffer, token: string, spelling: Spelling = 'as-documented') {
    this.#origin = origin;
    this.#ca = ca;
    this.token = token;
    this.#spelling = spelling;
  }

  /** @param path behind the base, without slashes at its ends */
  ask(method: string, path: string, payload?: string): Promise<PipelineAnswer> {
    const [front, query] = path.split('?');
    return this.#send(
      method,
      `${this.#spelled(`/lifetimeapi/rest/v2/${front}`)}${query === undefined ? '' : `?${query}`}`,
      {
        ...(payload === undefined ? {} : { payload }),
      },
    );
  }

  upload(environment: string, content: Buffer): Promise<PipelineAnswer> {
    const path = this.#spelled(`/lifetimeapi/rest/v2/environments/${environment}/deployment`);
    return this.#send('POST', path, { payload: content, type: 'application/octet-stream' });
  }

  setProperty(path: string, value: string): Promise<PipelineAnswer> {
    return this.#send('PUT', `/PropertiesAPI/rest/v1/${path}`, { payload: value });
  }

  /** Follows a link in an answer, wherever it leads. */
  download(url: string): Promise<PipelineAnswer> {
    const { pathname, origin } = new URL(url);
    if (origin !== this.#origin) throw new Error(`${url} leads past ${this.#origin}`);
    return this.#send('GET', pathname, { authorization: this.token });
  }

  /** Throws `PipelineFailure` for another status than those that the step knows. */
  async expecting(
    step: string,
    asked: Promise<PipelineAnswer>,
    ...statuses: readonly number[]
  ): Promise<PipelineAnswer> {
    const answer = await asked;
    if (!statuses.includes(answer.status)) throw new PipelineFailure(step, answer);
    return answer;
  }

  #spelled(path: string): string {
    if (this.#spelling === 'slash') return `${path}/`;
    return this.#spelling === 'upper-case' ? path.toUpperCase() : path;
  }

  #send(
    method: string,
    path: string,
    { payload, type, authorization }: Sent,
  ): Promise<PipelineAnswer> {
    const headers = {
      'content-type': type ?? 'application/json',
      authorization: authorization ?? `Bearer ${this.token}`,
      ...(method === 'POST' || payload !== undefined
        ? { 'content-length': Buffer.byteLength(payload ?? '') }
        : {}),
    };
    const options = { method, headers, ca: this.#ca, agent: false };
    return new Promise((resolve, reject) => {
      const sent = request(`${this.#origin}${path}`, options, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.once('error', reject);
        response.once('end', () => {
          const body = Buffer.concat(chunks);
          const kind = response.headers['content-type'] ?? '';
          try {
            const parsed =
              authorization !== undefined && response.statusCode === 200
                ? null
                : read(method, body);
            resolve({ status: response.statusCode ?? 0, type: kind, body, response: parsed });
          } catch (error) {
            reject(error);
          }
        });
      });
      sent.once('error', reject);
      sent.end(payload);
    });
  }
}

/** As the pipeline reads: what is no JSON ends it, but for one line of text after a POST. */
function read(method: string, body: Buffer): unknown {
  if (body.length === 0) return {};
  const text = body.toString();
  try {
    return JSON.parse(text);
  } catch (error) {
    if (method === 'POST') return JSON.parse(`"${text}"`);
    throw error;
  }
}

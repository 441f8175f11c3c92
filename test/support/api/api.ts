import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import type { GatewayOptions, TestGateway } from '../gateway.ts';
import { owner, startGateway } from '../gateway.ts';

export interface ApiAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  /** The body as JSON. */
  readonly body: never;
}

export interface ApiRequest {
  readonly token?: string | null;
  readonly body?: unknown;
  /** The body as it is sent, instead of `body`. */
  readonly raw?: string | Buffer;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
}

/** A gate with an admin listener, and a token of somebody who may everything. */
export interface ApiBench {
  readonly test: TestGateway;
  readonly url: string;
  readonly ca: string;
  readonly administrator: { readonly id: string; readonly token: string };
  call(method: string, path: string, request?: ApiRequest): Promise<ApiAnswer>;
  stop(): Promise<void>;
}

export interface ApiBenchOptions
  extends Partial<Pick<GatewayOptions, 'upstreams' | 'routes' | 'plaintext'>> {
  readonly store?: Readonly<Record<string, unknown>>;
  readonly administratorStore?: Readonly<Record<string, unknown>>;
  readonly foundTokens?: boolean;
  /** Keys of `console`. */
  readonly console?: Readonly<Record<string, unknown>>;
  /** Items of `webhooks`. */
  readonly webhooks?: readonly Readonly<Record<string, unknown>>[];
  /** Of the account that may everything. */
  readonly name?: string;
}

/** Raw HTTP, by Node's own client: nothing of ours reads or writes on this side. */
export async function openApi({
  foundTokens = false,
  console = {},
  webhooks = [],
  name = 'administrator-account',
  ...stores
}: ApiBenchOptions = {}): Promise<ApiBench> {
  const test = await startGateway({
    upstreams: { api: { addresses: ['http://127.0.0.1:9'] } },
    admin: { foundTokens },
    config: { console, webhooks },
    ...stores,
  });
  const administrator = await test.createAccount({ name, role: 'administrator' });
  // With Redis the registry has only just begun: until the first lease everybody gets 503.
  for (let attempt = 0; attempt < 1_200 && !test.gateway.ready; attempt += 1) await sleep(25);
  const { port } = test.gateway.addresses.admin!;
  const url = `https://localhost:${port}`;
  const ca = readFileSync(test.caFile, 'utf8');
  return {
    test,
    url,
    ca,
    administrator,
    call: (method, path, { token = administrator.token, body, raw, headers = {} } = {}) =>
      send({
        port,
        ca,
        method,
        path: path.startsWith('/api') ? path : `/api/v1${path}`,
        body: raw ?? (body === undefined ? null : JSON.stringify(body)),
        headers: {
          ...(token === null ? {} : { authorization: `Bearer ${token}` }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
      }),
    stop: () => test.stop(),
  };
}

interface Sending {
  readonly port: number;
  readonly ca: string;
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly body: string | Buffer | null;
}

function send({ port, ca, method, path, headers, body }: Sending): Promise<ApiAnswer> {
  return new Promise((resolve, reject) => {
    const options = {
      host: 'localhost',
      port,
      ca,
      method,
      path,
      headers: headers as Record<string, string | string[]>,
      agent: false,
    };
    const sent = request(options, (answer) => {
      const pieces: Buffer[] = [];
      answer.on('data', (piece: Buffer) => pieces.push(piece));
      answer.once('error', reject);
      answer.once('end', () => {
        const text = Buffer.concat(pieces).toString('utf8');
        resolve({
          status: answer.statusCode ?? 0,
          headers: answer.headers,
          text,
          body: parsed(text) as never,
        });
      });
    });
    sent.once('error', reject);
    sent.end(body ?? undefined);
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

export { owner };

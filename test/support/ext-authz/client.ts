import { join } from 'node:path';
import { type Client, credentials, loadPackageDefinition, type ServiceError } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import type { AskedRequest } from '../questions.ts';

type Methods = Client & Readonly<Record<string, CallableFunction>>;
interface Definition {
  readonly envoy: {
    readonly service: {
      readonly auth: {
        readonly v3: { readonly Authorization: new (at: string, secret: object) => Methods };
      };
    };
  };
}

/** Numbers above 2^53 are not among what is asked. */
const READING = {
  keepCase: true,
  enums: String,
  longs: Number,
  arrays: true,
  oneofs: true,
} as const;
const definition = loadPackageDefinition(
  loadSync(join(import.meta.dirname, 'external_auth.proto'), READING),
) as unknown as Definition;

interface HeaderOption {
  readonly header: { readonly key: string; readonly value: string };
  readonly append_action: string;
  readonly keep_empty_value: boolean;
}

/** A `CheckResponse`, as the client has read it. */
export interface CheckResponse {
  readonly status: { readonly code: number };
  readonly http_response: 'denied_response' | 'ok_response';
  readonly denied_response?: {
    readonly status: { readonly code: number };
    readonly headers: readonly HeaderOption[];
    readonly body: string;
  };
  readonly ok_response?: {
    readonly headers: readonly HeaderOption[];
    readonly headers_to_remove: readonly string[];
    readonly response_headers_to_add: readonly HeaderOption[];
  };
}

/** The same request, as a `CheckRequest` in the form that Envoy gives it. */
export function checkRequest({
  method,
  target,
  host = 'api.test',
  fields = [],
  client,
}: AskedRequest) {
  const headers = Object.fromEntries(
    fields.map((line) => {
      const at = line.indexOf(':');
      return [line.slice(0, at).toLowerCase(), line.slice(at + 1).trim()];
    }),
  );
  const pseudo = { ':method': method, ':path': target, ':authority': host, ':scheme': 'https' };
  const http = {
    id: '1',
    method,
    path: target,
    host,
    scheme: 'https',
    headers: { ...pseudo, ...headers },
    protocol: 'HTTP/1.1',
    size: -1,
  };
  const address = { socket_address: { address: client ?? '127.0.0.1', port_value: 40_000 } };
  return {
    attributes: {
      source: { address },
      destination: { address: { socket_address: { address: '10.0.0.1', port_value: 443 } } },
      request: { time: { seconds: 1_800_000_000 }, http },
      context_extensions: { tenant: 'a' },
    },
  };
}

/** A client of gRPC that is not ours, on one connection. */
export class CheckClient {
  readonly #client: Methods;

  constructor(port: number) {
    const { Authorization } = definition.envoy.service.auth.v3;
    this.#client = new Authorization(`127.0.0.1:${port}`, credentials.createInsecure());
  }

  /** Rejects with gRPC's own status where there was no response. */
  ask(request: object, method: 'Check' | 'Other' = 'Check'): Promise<CheckResponse> {
    return new Promise((resolve, reject) => {
      this.#client[method]!(request, (error: ServiceError | null, response: CheckResponse) => {
        if (error === null) resolve(response);
        else reject(error);
      });
    });
  }

  close(): void {
    this.#client.close();
  }
}

/** Fields by name; throws where one stands twice. */
export function optionsOf(options: readonly HeaderOption[]): Readonly<Record<string, string>> {
  const names = options.map(({ header }) => header.key);
  if (new Set(names).size < names.length) throw new Error(`one stands twice: ${names}`);
  return Object.fromEntries(options.map(({ header }) => [header.key, header.value]));
}

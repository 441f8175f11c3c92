import type { AddressInfo } from 'node:net';
import { listen } from '../ops/listen.ts';
import { UsageError } from './exit.ts';

const { createServer } = process.getBuiltinModule('node:http');

const LIMITS = {
  maxHeaderSize: 8192,
  headersTimeout: 5000,
  requestTimeout: 10_000,
  keepAliveTimeout: 30_000,
  connectionsCheckingInterval: 1000,
} as const;
const CONNECTIONS_MOST = 32;

/** `HOST:PORT`, or a port of this machine alone. Throws `UsageError`. */
export function metricsAddress(text: string): { readonly host: string; readonly port: number } {
  const [, host = '127.0.0.1', digits = ''] = /^(?:(.+):)?(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  if (digits === '' || port > 65_535)
    throw new UsageError(`--metrics ${text}: name HOST:PORT, or a port of 127.0.0.1`);
  return { host: host.replace(/^\[(.*)\]$/, '$1'), port };
}

/** Answers `GET /metrics` and nothing else. Throws `ListenFault`. */
export async function serveMetrics(
  address: { readonly host: string; readonly port: number },
  metrics: { readonly contentType: string; text(): Promise<string> },
): Promise<{ readonly port: number; close(): void }> {
  const server = createServer(LIMITS, (request, response) => {
    request.resume();
    const isKnown = request.url === '/metrics';
    if (!isKnown || (request.method !== 'GET' && request.method !== 'HEAD')) {
      response.writeHead(isKnown ? 405 : 404).end();
      return;
    }
    metrics.text().then(
      (text) => response.writeHead(200, { 'content-type': metrics.contentType }).end(text),
      () => response.writeHead(500).end(),
    );
  });
  server.maxConnections = CONNECTIONS_MOST;
  await listen(server, address, '--metrics');
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  return { port: (server.address() as AddressInfo).port, close };
}

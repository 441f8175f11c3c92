import type { AddressInfo } from 'node:net';
import { serve } from '@hono/node-server';
import { systemClock } from '../clock.ts';
import { createSampleService } from './service.ts';

export interface RunningSample {
  /** `http://127.0.0.1:PORT`. */
  readonly url: string;
  close(): Promise<void>;
}

/**
 * Runs the sample service. Loopback unless told otherwise, because it lets in everybody who reaches
 * it; port 0 takes any free one. Rejects with the system's error when the port is taken.
 */
export function startSample(
  options: { readonly host?: string; readonly port?: number } = {},
): Promise<RunningSample> {
  const host = options.host ?? '127.0.0.1';
  return new Promise((resolve, reject) => {
    const server = serve({
      fetch: createSampleService(systemClock).fetch,
      hostname: host,
      port: options.port ?? 0,
    });
    server.once('error', reject);
    server.once('listening', () => {
      const { address, family, port } = server.address() as AddressInfo;
      const url = `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
      resolve({ url, close: () => closed(server) });
    });
  });
}

function closed(server: ReturnType<typeof serve>): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    if ('closeAllConnections' in server) server.closeAllConnections();
  });
}

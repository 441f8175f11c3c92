import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { Server as SecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';

/** A server of HTTP, or of HTTPS, on the loopback. */
export interface Listening {
  readonly port: number;
  /** `127.0.0.1:PORT`. */
  readonly address: string;
  stop(): Promise<void>;
}

export async function listening(server: Server | SecureServer): Promise<Listening> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    port,
    address: `127.0.0.1:${port}`,
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Responds with its own name, what was asked for, and who asks as the gate says. */
export function startPlainService(name: string): Promise<Listening> {
  return listening(
    createServer(({ method, url, headers }, response) => {
      const caller = headers['x-account-name'] ?? '';
      response.end(`${name}: ${method} ${url} by ${String(caller)}\n`);
    }),
  );
}

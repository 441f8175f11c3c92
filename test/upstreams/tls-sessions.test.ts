import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer, type TLSSocket, type TlsOptions } from 'node:tls';
import { expect, it, onTestFinished } from 'vitest';
import { clientContext } from '../../src/tls/client-material.ts';
import { issueTls } from '../integration/door/certificates.ts';
import { openPool } from './pool.ts';

interface Server {
  readonly port: number;
  /** Of each connection, whether it resumed a session. */
  readonly resumed: boolean[];
  /** Sizes of what was asked. */
  readonly requests: number[];
  /** New keys for tickets: no session that was begun before can be resumed. */
  forget(): void;
}

/** Answers one request per connection. */
async function startServer(options: TlsOptions): Promise<Server> {
  const resumed: boolean[] = [];
  const requests: number[] = [];
  const server = createServer(options, (socket: TLSSocket) => {
    resumed.push(socket.isSessionReused());
    socket.on('error', () => {});
    socket.on('data', (bytes: Buffer) => {
      requests.push(bytes.length);
      socket.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
    });
  });
  server.on('tlsClientError', () => {});
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return {
    port: (server.address() as AddressInfo).port,
    resumed,
    requests,
    forget: () => server.setTicketKeys(randomBytes(48)),
  };
}

const trusting = (caFile: string, serverName: string) => ({
  context: clientContext({
    ca: readFileSync(caFile, 'utf8'),
    serverName,
    certificate: null,
    key: null,
    verify: true,
  }),
  serverName,
  rejectUnauthorized: true,
});

it.each(['TLSv1.2', 'TLSv1.3'] as const)(
  'a later connection resumes the session of an earlier one (%s)',
  async (version) => {
    const { server, client } = await issueTls();
    const { port, resumed } = await startServer({
      ...server,
      minVersion: version,
      maxVersion: version,
    });
    const { call } = openPool([port], { tls: trusting(client.caFile, 'localhost') });
    for (let number = 0; number < 4; number += 1) expect(await call()).toBe(200);
    expect(resumed).toEqual([false, true, true, true]);
  },
);

it.each(['TLSv1.2', 'TLSv1.3'] as const)(
  'a handshake that was turned down leaves no session by which the next would get in (%s)',
  async (version) => {
    const { server, client } = await issueTls();
    const { port, resumed, requests } = await startServer({
      ...server,
      minVersion: version,
      maxVersion: version,
    });
    const { call } = openPool([port], { tls: trusting(client.caFile, 'other.test') });
    for (let number = 0; number < 4; number += 1) expect(await call()).toBe('unreachable');
    expect([requests, resumed.includes(true)]).toEqual([[], false]);
  },
);

it('a server that has forgotten its sessions costs a full handshake and no call', async () => {
  const { server, client } = await issueTls();
  const { port, resumed, forget } = await startServer(server);
  const { call } = openPool([port], { tls: trusting(client.caFile, 'localhost') });
  for (let number = 0; number < 4; number += 1) {
    if (number === 2) forget();
    expect(await call()).toBe(200);
  }
  expect(resumed).toEqual([false, true, false, true]);
});

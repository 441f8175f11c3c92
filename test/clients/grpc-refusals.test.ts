import { readFileSync } from 'node:fs';
import { Client, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';
import { newToken } from '../../src/account/token.ts';
import { type Door, startDoor } from '../integration/door/door.ts';
import { owner } from '../support/gateway.ts';

/** The real client of gRPC for Node, against a gate that refuses. */

const KNOWN = { application: 'any', permission: 'test:all', upstream: 'raw' } as const;
const LIMIT = { requests: 1, windowSeconds: 3600, per: 'account' } as const;
const ROUTES = [
  { name: 'app', path: '/app.Service/{method}', methods: ['POST'], ...KNOWN },
  {
    name: 'denied',
    path: '/denied.Service/{method}',
    methods: ['POST'],
    ...KNOWN,
    permission: 'other:it',
  },
  {
    name: 'limited',
    path: '/limited.Service/{method}',
    methods: ['POST'],
    ...KNOWN,
    rateLimit: LIMIT,
  },
];

const clients: Client[] = [];
afterEach(() => {
  for (const client of clients.splice(0)) client.close();
});

async function start(): Promise<Door> {
  return startDoor({
    tls: true,
    upstreamConfig: { addresses: ['http://127.0.0.1:1'] },
    gateway: { http2: { enabled: true }, routes: ROUTES },
  });
}

function connect({ gate }: Door): Client {
  const secure = credentials.createSsl(readFileSync(gate.caFile));
  const client = new Client(`ipv4:127.0.0.1:${gate.port}`, secure, {
    'grpc.ssl_target_name_override': 'localhost',
    'grpc.default_authority': 'localhost',
    'grpc.enable_retries': 0,
  });
  clients.push(client);
  return client;
}

const bytes = (value: Buffer): Buffer => value;

function call(client: Client, path: string, token: string | null): Promise<ServiceError> {
  const metadata = new Metadata();
  if (token !== null) metadata.set('authorization', `Bearer ${token}`);
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(path, bytes, bytes, Buffer.from('hello'), metadata, (error) => {
      if (error === null) reject(new Error('nothing was refused'));
      else resolve(error);
    });
  });
}

const reasonOf = (error: ServiceError) => error.metadata.get('x-sallyport-reason');

describe('a caller of gRPC that is refused', () => {
  it('is told so in a status of gRPC, with reason and request, and the record has its own', async () => {
    const door = await start();
    const client = connect(door);
    const { token } = door.gate;
    await call(client, '/limited.Service/Do', token);
    for (const [path, shown, code, reason, httpStatus] of [
      ['/app.Service/Do', null, status.UNAUTHENTICATED, 'token-missing', 401],
      ['/app.Service/Do', newToken('a1B2c3D4e5F6'), status.UNAUTHENTICATED, 'token-refused', 401],
      ['/denied.Service/Do', token, status.PERMISSION_DENIED, 'permission-denied', 403],
      ['/other.Service/Do', token, status.UNIMPLEMENTED, 'route-unknown', 404],
      ['/limited.Service/Do', token, status.RESOURCE_EXHAUSTED, 'rate-limited', 429],
      ['/app.Service/Do', token, status.UNAVAILABLE, 'upstream-unreachable', 502],
    ] as const) {
      const error = await call(client, path, shown);
      expect([error.code, reasonOf(error)], reason).toEqual([code, [reason]]);
      expect(error.details, reason).toMatch(/^[A-Z][a-z ]+/);
      const [id] = error.metadata.get('x-request-id');
      const events = (await door.events()).filter((event) => event.id === id);
      expect(events.at(-1)?.status, reason).toBe(httpStatus);
    }
    expect(door.upstream.requests).toEqual([]);
  });

  it('in a stream of messages is told so, too, and other calls of its connection go on', async () => {
    const door = await start();
    const client = connect(door);
    const stream = client.makeBidiStreamRequest('/app.Service/Chat', bytes, bytes);
    stream.write(Buffer.alloc(100_000));
    const error = await new Promise<ServiceError>((resolve) => {
      stream.on('error', (error: ServiceError) => resolve(error));
      stream.on('data', () => {});
    });
    expect([error.code, reasonOf(error)]).toEqual([status.UNAUTHENTICATED, ['token-missing']]);
    await door.gate.administration.deactivateAccount(owner, { id: door.gate.account.id });
    const next = await call(client, '/app.Service/Do', door.gate.token);
    expect([next.code, reasonOf(next)]).toEqual([status.UNAUTHENTICATED, ['token-refused']]);
  });
});

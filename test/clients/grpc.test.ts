import { once } from 'node:events';
import { Metadata, status } from '@grpc/grpc-js';
import { expect, it, onTestFinished, vi } from 'vitest';
import { owner, startGateway, type TestGateway } from '../support/gateway.ts';
import {
  bearer,
  callGrpc,
  type GrpcService,
  grpcClient,
  METHODS,
  startGrpcService,
} from '../support/grpc.ts';

const bytes = (message: Buffer): Buffer => message;

interface Scene {
  readonly service: GrpcService;
  readonly gate: TestGateway;
}

async function scene({
  upstream = {},
  ...config
}: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {}): Promise<Scene> {
  const service = await startGrpcService();
  const gate = await startGateway({
    upstreams: {
      echo: { addresses: [`http://127.0.0.1:${service.port}`], protocol: 'h2c', ...upstream },
    },
    routes: [
      {
        name: 'echo',
        path: '/test.Echo/**',
        methods: ['POST'],
        application: 'any',
        permission: 'test:all',
        upstream: 'echo',
      },
    ],
    http2: { enabled: true },
    ...config,
  });
  onTestFinished(() => gate.stop());
  return { service, gate };
}

it('serves the four kinds of calls, with the caller in the metadata and trailers behind', async () => {
  const { service, gate } = await scene();
  const client = grpcClient(gate);
  const metadata = bearer(gate.token, { 'x-account-id': 'mallory' });

  const said = await callGrpc(client, 'Say', [Buffer.from('one')], metadata);
  expect(said).toMatchObject({ code: status.OK, messages: [Buffer.from('one')] });
  expect(said.trailers?.get('x-end')).toEqual(['yes']);
  expect(service.metadata[0]!.get('x-account-id')).toEqual([gate.account.id]);
  expect(service.metadata[0]!.get('authorization')).toEqual([]);

  const parts = [Buffer.from('a'), Buffer.alloc(100_000), Buffer.from('b')];
  const collected = await callGrpc(client, 'Collect', parts, metadata);
  expect(collected.messages.map(String)).toEqual(['3 100002']);

  const counted = await callGrpc(client, 'Count', [Buffer.from('1000')], metadata);
  expect(counted.messages.length).toBe(1000);
  expect(String(counted.messages[999])).toBe('999');

  const chat = client.makeBidiStreamRequest(METHODS.Chat.path, bytes, bytes, metadata);
  // The upstream speaks first: no message of the client's is waited for.
  expect(String((await once(chat, 'data'))[0])).toBe('hello');
  chat.write(Buffer.from('again'));
  expect(String((await once(chat, 'data'))[0])).toBe('again');
  chat.end();
  expect((await once(chat, 'status'))[0]).toMatchObject({ code: status.OK });
});

it('passes on a status without a message, and messages of 8 MiB both ways', async () => {
  const { gate } = await scene();
  const client = grpcClient(gate);
  const failed = await callGrpc(client, 'Fail', [Buffer.alloc(1)], bearer(gate.token));
  expect(failed).toMatchObject({ code: status.FAILED_PRECONDITION, details: 'not now: ü' });
  expect(failed.trailers?.get('x-why')).toEqual(['on purpose']);
  const large = Buffer.alloc(8 * 1024 * 1024, 'large');
  const said = await callGrpc(client, 'Say', [large], bearer(gate.token));
  expect(said.code).toBe(status.OK);
  expect(said.messages[0]!.equals(large)).toBe(true);
});

it('passes deadlines on, and lets both sides give a call up', async () => {
  const { service, gate } = await scene();
  const client = grpcClient(gate);
  const late = await callGrpc(client, 'Hang', [Buffer.alloc(1)], bearer(gate.token), {
    deadline: Date.now() + 700,
  });
  expect(late.code).toBe(status.DEADLINE_EXCEEDED);
  expect(service.deadlines[0]).toBeGreaterThan(0);
  expect(service.deadlines[0]).toBeLessThan(700);
  await vi.waitFor(() => expect(service.cancelled).toBe(1), 5000);

  const hangs = client.makeServerStreamRequest(
    METHODS.Hang.path,
    bytes,
    bytes,
    Buffer.alloc(1),
    bearer(gate.token),
  );
  hangs.on('error', () => {});
  await once(hangs, 'data');
  hangs.cancel();
  await vi.waitFor(() => expect(service.cancelled).toBe(2), 5000);

  const dying = callGrpc(client, 'Hang', [Buffer.alloc(1)], bearer(gate.token));
  await vi.waitFor(() => expect(service.metadata.length).toBe(3), 5000);
  service.die();
  expect((await dying).code).not.toBe(status.OK);
  expect((await gate.events()).filter(({ phase }) => phase === 'outcome').length).toBe(3);
});

it('ends the streams of an account that is revoked, and no others', async () => {
  const { service, gate } = await scene();
  const other = await gate.createAccount({ name: 'other', role: 'tester' });
  const client = grpcClient(gate);
  const open = (token: string) => {
    const call = client.makeBidiStreamRequest(METHODS.Chat.path, bytes, bytes, bearer(token));
    call.on('error', () => {});
    return call;
  };
  const doomed = open(other.token);
  const stays = open(gate.token);
  await Promise.all([once(doomed, 'data'), once(stays, 'data')]);
  const ended = new Promise<{ code: number }>((resolve) => doomed.on('status', resolve));
  await gate.administration.deactivateAccount(owner, { id: other.id });
  expect((await ended).code).not.toBe(status.OK);
  await vi.waitFor(() => expect(service.cancelled).toBe(1), 5000);
  stays.write(Buffer.from('still here'));
  expect(String((await once(stays, 'data'))[0])).toBe('still here');
  stays.end();
});

it('lets both sides of a stream rest longer than a body may, and ends one that rests for too long', async () => {
  const { gate } = await scene({
    limits: { bodyGraceMs: 100, idleTimeoutMs: 300 },
    upstream: { streamIdleTimeoutMs: 1500 },
  });
  const client = grpcClient(gate);
  const chat = client.makeBidiStreamRequest(METHODS.Chat.path, bytes, bytes, bearer(gate.token));
  chat.on('error', () => {});
  const ended = new Promise<{ code: number }>((resolve) => chat.on('status', resolve));
  await once(chat, 'data');
  await new Promise((resolve) => setTimeout(resolve, 900));
  chat.write(Buffer.from('rested'));
  expect(String((await once(chat, 'data'))[0])).toBe('rested');
  expect((await ended).code).not.toBe(status.OK);
});

it('does not punish a client that sends PING at a normal rate', async () => {
  const { gate } = await scene();
  const client = grpcClient(gate, {
    'grpc.keepalive_time_ms': 100,
    'grpc.keepalive_timeout_ms': 2000,
    'grpc.keepalive_permit_without_calls': 1,
  });
  const chat = client.makeBidiStreamRequest(METHODS.Chat.path, bytes, bytes, bearer(gate.token));
  await once(chat, 'data');
  for (let round = 0; round < 5; round += 1) {
    await new Promise((resolve) => setTimeout(resolve, 250));
    chat.write(Buffer.from(`${round}`));
    expect(String((await once(chat, 'data'))[0])).toBe(`${round}`);
  }
  chat.end();
  expect((await once(chat, 'status'))[0]).toMatchObject({ code: status.OK });
});

it('lets nobody in without a token, and tells a path that is not there from one that is', async () => {
  const { service, gate } = await scene();
  const client = grpcClient(gate);
  const nobody = await callGrpc(client, 'Say', [Buffer.alloc(1)], new Metadata());
  expect(nobody.code).toBe(status.UNAUTHENTICATED);
  expect(service.metadata).toEqual([]);
});

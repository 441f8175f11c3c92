import type { EventEmitter } from 'node:events';
import { readFileSync } from 'node:fs';
import {
  Client,
  type ClientOptions,
  credentials,
  Metadata,
  type MethodDefinition,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceError,
  status,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { onTestFinished } from 'vitest';

/** A service whose messages are bytes, by the library that most programs on Node use. */

const bytes = (message: Buffer): Buffer => message;

const method = (
  name: string,
  requestStream: boolean,
  responseStream: boolean,
): MethodDefinition<Buffer, Buffer> => ({
  path: `/test.Echo/${name}`,
  requestStream,
  responseStream,
  requestSerialize: bytes,
  requestDeserialize: bytes,
  responseSerialize: bytes,
  responseDeserialize: bytes,
});

export const METHODS = {
  /** What it was sent; `x-end: yes` in a trailer. */
  Say: method('Say', false, false),
  /** How many messages and bytes it was sent. */
  Collect: method('Collect', true, false),
  /** As many messages as the request says, each its number. */
  Count: method('Count', false, true),
  /** Speaks first, then what it is sent. */
  Chat: method('Chat', true, true),
  /** A status and nothing else. */
  Fail: method('Fail', false, false),
  /** Sends one message and never ends. */
  Hang: method('Hang', false, true),
} as const;
export type MethodName = keyof typeof METHODS;

/** @grpc/grpc-js limits messages to 4 MiB where nothing else is said. */
const LARGE = {
  'grpc.max_receive_message_length': 16 * 1024 * 1024,
  'grpc.max_send_message_length': 16 * 1024 * 1024,
};

export interface GrpcService {
  readonly port: number;
  /** What each call came with. */
  readonly metadata: Metadata[];
  /** `METHOD DEADLINE`: until when calls may take, in milliseconds from their beginning. */
  readonly deadlines: number[];
  /** Calls that were given up by their client. */
  cancelled: number;
  /** Ends at once, with whatever is under way. */
  die(): void;
}

type Unary = ServerUnaryCall<Buffer, Buffer>;
type Reading = ServerReadableStream<Buffer, Buffer>;
type Writing = ServerWritableStream<Buffer, Buffer>;
type Both = ServerDuplexStream<Buffer, Buffer>;
type Called = Pick<Unary, 'metadata' | 'getDeadline'> & Pick<EventEmitter, 'once'>;
type Reply = (error: Partial<ServiceError> | null, value?: Buffer, trailer?: Metadata) => void;

/** Closed after the test. */
export async function startGrpcService(): Promise<GrpcService> {
  const server = new Server(LARGE);
  const note = (call: Called): void => {
    service.metadata.push(call.metadata);
    const deadline = call.getDeadline();
    service.deadlines.push(Number(deadline) - Date.now());
    call.once('cancelled', () => {
      service.cancelled += 1;
    });
  };
  const implementation: UntypedServiceImplementation = {
    Say: (call: Unary, reply: Reply) => {
      note(call);
      const trailer = new Metadata();
      trailer.set('x-end', 'yes');
      reply(null, call.request, trailer);
    },
    Collect: (call: Reading, reply: Reply) => {
      note(call);
      let messages = 0;
      let length = 0;
      call.on('data', (message: Buffer) => {
        messages += 1;
        length += message.length;
      });
      call.on('end', () => reply(null, Buffer.from(`${messages} ${length}`)));
    },
    Count: (call: Writing) => {
      note(call);
      const count = Number(call.request.toString());
      for (let number = 0; number < count; number += 1) call.write(Buffer.from(`${number}`));
      call.end();
    },
    Chat: (call: Both) => {
      note(call);
      call.write(Buffer.from('hello'));
      call.on('data', (message: Buffer) => call.write(message));
      call.on('end', () => call.end());
    },
    Fail: (call: Unary, reply: Reply) => {
      note(call);
      const metadata = new Metadata();
      metadata.set('x-why', 'on purpose');
      reply({ code: status.FAILED_PRECONDITION, details: 'not now: ü', metadata });
    },
    Hang: (call: Writing) => {
      note(call);
      call.write(Buffer.from('begun'));
    },
  };
  server.addService(METHODS, implementation);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  onTestFinished(() => server.forceShutdown());
  const service: GrpcService = {
    port,
    metadata: [],
    deadlines: [],
    cancelled: 0,
    die: () => server.forceShutdown(),
  };
  return service;
}

export interface GrpcGate {
  readonly port: number;
  readonly caFile: string;
}

/** A client of the gate; closed after the test. */
export function grpcClient(gate: GrpcGate, options: ClientOptions = {}): Client {
  const secure = credentials.createSsl(readFileSync(gate.caFile));
  const client = new Client(`localhost:${gate.port}`, secure, { ...LARGE, ...options });
  onTestFinished(() => client.close());
  return client;
}

export function bearer(token: string, fields: Readonly<Record<string, string>> = {}): Metadata {
  const metadata = new Metadata();
  metadata.set('authorization', `Bearer ${token}`);
  for (const [name, value] of Object.entries(fields)) metadata.set(name, value);
  return metadata;
}

export interface GrpcReply {
  readonly code: number;
  readonly details: string;
  readonly messages: readonly Buffer[];
  readonly metadata: Metadata | null;
  readonly trailers: Metadata | null;
}

/** One call that sends all of these, one after the other, and waits for its end. */
export function callGrpc(
  client: Client,
  name: MethodName,
  sent: readonly Buffer[],
  metadata: Metadata,
  options: { readonly deadline?: number } = {},
): Promise<GrpcReply> {
  const { path } = METHODS[name];
  // All four kinds are this one on the wire.
  const call = client.makeBidiStreamRequest(path, bytes, bytes, metadata, options);
  const messages: Buffer[] = [];
  let head: Metadata | null = null;
  call.on('metadata', (received: Metadata) => {
    head = received;
  });
  call.on('data', (message: Buffer) => messages.push(message));
  call.on('error', () => {});
  for (const message of sent) call.write(message);
  call.end();
  return new Promise((resolve) => {
    call.on('status', ({ code, details, metadata: trailers }) =>
      resolve({ code, details, messages, metadata: head, trailers }),
    );
  });
}

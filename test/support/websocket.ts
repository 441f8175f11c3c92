import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';

/** The example of RFC 6455 §1.3. */
export const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';

export function acceptOf(key: string): string {
  return createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
}

/** A valid handshake; `fields` stand behind it, and in place of those of the same name. */
export function handshake(
  token: string,
  { path = '/ws', fields = [] as readonly string[] } = {},
): string {
  const valid = [
    'Host: api.test',
    `Authorization: Bearer ${token}`,
    'Connection: Upgrade',
    'Upgrade: websocket',
    `Sec-WebSocket-Key: ${KEY}`,
    'Sec-WebSocket-Version: 13',
  ];
  const named = new Set(fields.map((field) => nameOf(field)));
  const kept = valid.filter((field) => !named.has(nameOf(field)));
  const lines = [...kept, ...fields.filter((field) => !field.endsWith(': -'))];
  return `GET ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`;
}

function nameOf(field: string): string {
  return field.slice(0, field.indexOf(':')).toLowerCase();
}

/** A frame as a server sends it (RFC 6455 §5.2). */
export function frame(payload: Buffer | string, opcode = 1, fin = true): Buffer {
  const content = Buffer.from(payload);
  const first = (fin ? 0x80 : 0) | opcode;
  if (content.length < 126) return Buffer.concat([Buffer.of(first, content.length), content]);
  const isLong = content.length > 0xffff;
  const head = Buffer.alloc(isLong ? 10 : 4);
  head[0] = first;
  head[1] = isLong ? 127 : 126;
  if (isLong) head.writeBigUInt64BE(BigInt(content.length), 2);
  else head.writeUInt16BE(content.length, 2);
  return Buffer.concat([head, content]);
}

/** What closes a WebSocket with this code, as a server sends it. */
export function closeFrame(code: number): Buffer {
  return Buffer.of(0x88, 2, code >> 8, code & 0xff);
}

/** One connection to an upstream that switches protocols. */
export interface Switched {
  readonly socket: Socket;
  /** Of the request, without the empty line. */
  readonly head: string;
  /** What came behind the head. */
  readonly bytes: Buffer;
  readonly ended: boolean;
  readonly closed: boolean;
}

export interface SwitchingUpstream {
  readonly url: string;
  readonly connections: readonly Switched[];
  /** Ends its connections; those that follow are the first. */
  forget(): void;
  stop(): Promise<void>;
}

/** The response that agrees to what `head` asks for. */
export function agreement(head: string): string {
  const protocol = /^upgrade: (.*)$/im.exec(head)?.[1] ?? '';
  const key = /^sec-websocket-key: (.*)$/im.exec(head)?.[1];
  const accept = key === undefined ? '' : `Sec-WebSocket-Accept: ${acceptOf(key)}\r\n`;
  return `HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: ${protocol}\r\n${accept}\r\n`;
}

/** It agrees, and sends back what comes. */
export function echo({ socket, head }: Switched): void {
  socket.write(agreement(head));
  socket.on('data', (bytes: Buffer) => socket.write(bytes));
}

/** @param answer what it does once a head is there; default: `echo` */
export async function startSwitching(
  answer: (connection: Switched) => void = echo,
): Promise<SwitchingUpstream> {
  const connections: Switched[] = [];
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    const connection = new Connection(socket);
    connections.push(connection);
    socket.on('error', () => {});
    socket.on('end', () => {
      connection.ended = true;
      socket.end();
    });
    socket.on('close', () => {
      connection.closed = true;
      sockets.delete(socket);
    });
    socket.on('data', (bytes: Buffer) => {
      if (connection.push(bytes)) answer(connection);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    connections,
    forget: () => {
      for (const socket of sockets) socket.destroy();
      connections.length = 0;
    },
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

class Connection implements Switched {
  readonly socket: Socket;
  head = '';
  bytes = Buffer.alloc(0);
  ended = false;
  closed = false;

  constructor(socket: Socket) {
    this.socket = socket;
  }

  /** @returns whether the head has just come to its end */
  push(bytes: Buffer): boolean {
    if (this.head !== '') {
      this.bytes = Buffer.concat([this.bytes, bytes]);
      return false;
    }
    const all = Buffer.concat([this.bytes, bytes]);
    const end = all.indexOf('\r\n\r\n');
    if (end === -1) {
      this.bytes = all;
      return false;
    }
    this.head = all.toString('latin1', 0, end + 2);
    this.bytes = Buffer.from(all.subarray(end + 4));
    return true;
  }
}

/**
 * A frame as a client sends it, masked.
 *
 * @param options `first`: bits that its first byte has besides
 */
export function clientFrame(
  payload: Buffer | string,
  opcode: number,
  { fin = true, first = 0 } = {},
): Buffer {
  const bytes = frame(payload, opcode, fin);
  const content = Buffer.from(payload);
  const mask = Buffer.of(0x37, 0xfa, 0x21, 0x3d);
  const head = bytes.subarray(0, bytes.length - content.length);
  head[0] = head[0]! | first;
  head[1] = head[1]! | 0x80;
  const masked = Buffer.alloc(content.length);
  for (let index = 0; index < content.length; index += 1)
    masked[index] = content[index]! ^ mask[index & 3]!;
  return Buffer.concat([head, mask, masked]);
}

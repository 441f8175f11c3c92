import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { DatabaseSync } from 'node:sqlite';
import type { AuditEvent } from '../gateway.ts';

/** One line of the record as it lies in the store. */
export interface StoredEvent {
  /** Where it stands: partition and id, or the number in the file. */
  readonly place: string;
  readonly line: string;
  readonly event: AuditEvent;
}

const PAGE = 5000;
const STREAM = /:audit:\{\d+\}$/;
type Reply = string | number | null | readonly Reply[];

/** Reads every partition of the audit log from a Redis, with nothing of the product's code. */
export async function storedInRedis(port: number): Promise<readonly StoredEvent[]> {
  const redis = await RawRedis.open(port);
  try {
    const stored: StoredEvent[] = [];
    for (const key of ((await redis.call('KEYS', '*:audit:*')) as string[]).filter(isStream).sort())
      for (let from = '-'; ; ) {
        const page = (await redis.call('XRANGE', key, from, '+', 'COUNT', `${PAGE}`)) as Entry[];
        for (const [id, [, line]] of page) stored.push(storedEvent(`${key} ${id}`, line));
        if (page.length < PAGE) break;
        from = `(${page.at(-1)![0]}`;
      }
    return stored;
  } finally {
    redis.close();
  }
}

/** Which of these nodes are there, and are no replicas. */
export async function primariesOf(ports: readonly number[]): Promise<readonly number[]> {
  const roles = await Promise.all(ports.map((port) => roleOf(port)));
  return ports.filter((_port, at) => roles[at] === 'master');
}

/** Null: nobody is there. */
async function roleOf(port: number): Promise<Reply> {
  const redis = await RawRedis.open(port).catch(() => null);
  if (redis === null) return null;
  try {
    const [role = null] = (await redis.call('ROLE')) as Reply[];
    return role;
  } finally {
    redis.close();
  }
}

/** Where the stream of an instance is: the port of its primary, and the slot of the stream. */
export async function placeOf(
  instance: string,
  ports: readonly number[],
): Promise<{ readonly port: number; readonly slot: number }> {
  for (const port of await primariesOf(ports)) {
    const own = (await storedInRedis(port)).find(({ event }) => event.instance === instance);
    if (own === undefined) continue;
    const redis = await RawRedis.open(port);
    try {
      const [key = ''] = own.place.split(' ');
      return { port, slot: Number(await redis.call('CLUSTER', 'KEYSLOT', key)) };
    } finally {
      redis.close();
    }
  }
  throw new Error(`nothing of ${instance} is in any stream`);
}

type Entry = readonly [id: string, fields: readonly [name: string, value: string]];
const isStream = (key: string) => STREAM.test(key);

/** The same from the file of the embedded store, while nobody has it open. */
export function storedInFile(path: string): readonly StoredEvent[] {
  const file = new DatabaseSync(path, { readOnly: true });
  try {
    const rows = file.prepare('SELECT n, event FROM events ORDER BY n').all();
    return rows.map(({ n, event }) => storedEvent(String(n), String(event)));
  } finally {
    file.close();
  }
}

function storedEvent(place: string, line: string): StoredEvent {
  return { place, line, event: JSON.parse(line) as AuditEvent };
}

/** A connection that speaks RESP2, one command at a time. */
export class RawRedis {
  readonly #socket: Socket;
  #bytes = Buffer.alloc(0);

  private constructor(socket: Socket) {
    this.#socket = socket;
  }

  static async open(port: number): Promise<RawRedis> {
    const socket = connect({ port, host: '127.0.0.1' });
    await once(socket, 'connect');
    return new RawRedis(socket);
  }

  async call(...words: readonly string[]): Promise<Reply> {
    const parts = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`);
    this.#socket.write(`*${words.length}\r\n${parts.join('')}`);
    const chunks: Buffer[] = [];
    for await (const chunk of this.#socket.iterator({ destroyOnReturn: false })) {
      chunks.push(chunk as Buffer);
      if (!(chunk as Buffer).subarray(-2).equals(Buffer.from('\r\n'))) continue;
      this.#bytes = Buffer.concat(chunks);
      const reply = replyIn(this.#bytes);
      if (reply !== null) return reply.value;
    }
    throw new Error(`Redis has closed the connection: ${words.join(' ')}`);
  }

  close(): void {
    this.#socket.destroy();
  }
}

/** Null: it is not whole yet. Throws what Redis refuses. */
function replyIn(bytes: Buffer): { readonly value: Reply } | null {
  let at = 0;
  const next = (): Reply | undefined => {
    const end = bytes.indexOf('\r\n', at);
    if (end === -1) return undefined;
    const kind = bytes[at]!;
    const head = bytes.toString('utf8', at + 1, end);
    at = end + 2;
    if (kind === 0x2d) throw new Error(head);
    if (kind === 0x2b) return head;
    if (kind === 0x3a) return Number(head);
    if (Number(head) < 0) return null;
    if (kind === 0x24) {
      const from = at;
      at += Number(head) + 2;
      return at > bytes.length ? undefined : bytes.toString('utf8', from, at - 2);
    }
    const items: Reply[] = [];
    for (let left = Number(head); left > 0; left -= 1) {
      const item = next();
      if (item === undefined) return undefined;
      items.push(item);
    }
    return items;
  };
  const value = next();
  return value === undefined ? null : { value };
}

import { connect, createServer, type Server, type Socket } from 'node:net';

/** A TCP relay on loopback that can go silent without closing anything, as a broken path does. */
export interface TcpRelay {
  readonly port: number;
  /**
   * From now on nothing passes on the chosen connections, those that come later included, in either
   * direction or only to (`there`) or from (`back`) the server. `chosen` sees the first bytes that
   * the client sent (Redis: its name).
   */
  silence(chosen?: (head: string) => boolean, way?: 'there' | 'back' | 'both'): void;
  /** Lets everything pass again; what was held back is delivered. */
  heal(): void;
  /** Leads connections that come from now on to another port; those that stand go on. */
  lead(targetPort: number): void;
  stop(): Promise<void>;
}

const HEAD_BYTES = 4_096;

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
  head: string;
}

export async function startRelay(firstPort: number): Promise<TcpRelay> {
  let targetPort = firstPort;
  const pairs = new Set<Pair>();
  let silenced: ((head: string) => boolean) | null = null;
  let silentWay = 'both';
  const apply = (pair: Pair) => {
    const silent = silenced?.(pair.head) ?? false;
    for (const [socket, way] of [[pair.client, 'there'] as const, [pair.server, 'back'] as const]) {
      if (silent && (silentWay === 'both' || silentWay === way)) socket.pause();
      else socket.resume();
    }
  };
  const server = createServer((client) => {
    const pair: Pair = {
      client,
      server: connect({ port: targetPort, host: '127.0.0.1' }),
      head: '',
    };
    pairs.add(pair);
    client.on('data', (chunk) => {
      if (pair.head.length < HEAD_BYTES) pair.head += chunk.toString('latin1');
      pair.server.write(chunk);
      apply(pair);
    });
    pair.server.on('data', (chunk) => client.write(chunk));
    const end = () => {
      pairs.delete(pair);
      client.destroy();
      pair.server.destroy();
    };
    for (const socket of [client, pair.server]) socket.on('error', end).on('close', end);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: portOf(server),
    silence: (chosen = () => true, way = 'both') => {
      silenced = chosen;
      silentWay = way;
      for (const pair of pairs) apply(pair);
    },
    heal: () => {
      silenced = null;
      for (const pair of pairs) apply(pair);
    },
    lead: (port) => {
      targetPort = port;
    },
    stop: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const pair of pairs) {
        pair.client.destroy();
        pair.server.destroy();
      }
      await closed;
    },
  };
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port was given');
  return address.port;
}

import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { plainAddress } from '../http/ip-address.ts';
import {
  type AddressLimit,
  type Occupant,
  Places,
  type PlacesOptions,
  type PlaceUse,
} from '../limits/places.ts';
import type { Log } from '../telemetry/log.ts';

/** Of the places of a small listener, one address may take one in so many. */
const SHARE_OF_ONE = 4;

/** Counts connections that met a limit. */
export type PlaceCount = (limit: 'connections' | 'connections_per_address' | 'places') => void;

/**
 * Counts, and says who took too many places and what can be done: the log counts what repeats.
 *
 * @param setting `listen.ops`
 * @param recorded what is said of an address, as in the record
 */
export function tellFull(
  log: Log,
  setting: string,
  count: PlaceCount,
  recorded: (address: string) => string | null,
): PlacesOptions['full'] {
  const all = setting === 'listen.proxy' ? 'connections' : 'places';
  return ({ address, connections }) => {
    count(address === null ? all : 'connections_per_address');
    log.warn(
      address === null
        ? `all connections of ${setting} are taken: what is idle is closed for new ones`
        : `an address has as many connections to ${setting} as it may: what is idle of it is closed for new ones (limits.connectionsPerAddress; a proxy in front belongs into listen.proxy.trustedProxies)`,
      {
        connections,
        ...(address === null ? {} : { clientAddress: recorded(address) ?? undefined }),
      },
    );
  };
}

/**
 * Holds the connections of one of Node's servers, HTTPS too, to the places that there are: `total`,
 * of which one address takes a quarter at most, and no more than its limit.
 */
export function holdPlaces(
  server: Server,
  options: AddressLimit & Pick<PlacesOptions, 'full'> & { readonly total: number },
): void {
  const most = Math.floor(options.total / SHARE_OF_ONE);
  const places = new Places({
    total: () => options.total,
    full: options.full,
    isExempt: (address) => options.isExempt(address),
    perAddress: () => Math.min(most, options.perAddress()),
  });
  /** By both ends: a request names the TLS socket, not the TCP one beneath. */
  const known = new Map<string, ServerPlace>();
  server.on('connection', (socket: Socket) => {
    const place = new ServerPlace(socket);
    if (!places.enter(plainAddress(socket.remoteAddress ?? ''), place)) {
      socket.destroy();
      return;
    }
    const key = pairOf(socket);
    known.set(key, place);
    socket.once('close', () => {
      places.left(place);
      if (known.get(key) === place) known.delete(key);
    });
  });
  server.prependListener('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
    known.get(pairOf(socket))?.serve(response);
  });
}

/**
 * Lets the connection of a request with `Upgrade` close with its response: nothing is upgraded
 * here, and what follows may be meant for a tunnel (RFC 9931). After CONNECT Node closes by itself.
 */
export function closeAfterUpgrade(server: Server): void {
  server.prependListener('request', ({ headers }: IncomingMessage, response: ServerResponse) => {
    if (headers.upgrade !== undefined) response.shouldKeepAlive = false;
  });
}

class ServerPlace implements Occupant {
  readonly #socket: Socket;
  #served = false;
  #underWay = 0;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  get use(): PlaceUse {
    if (this.#underWay > 0) return 'busy';
    return this.#served ? 'idle' : 'silent';
  }

  makeRoom(): void {
    this.#socket.destroy();
  }

  serve(response: ServerResponse): void {
    this.#served = true;
    this.#underWay += 1;
    response.once('close', () => {
      this.#underWay -= 1;
    });
  }
}

function pairOf({ remoteAddress, remotePort, localPort }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localPort}`;
}

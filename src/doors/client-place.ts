import type { Socket } from 'node:net';
import type { ConveyedClient } from '../http1/proxy-protocol.ts';
import type { Occupant, PlaceUse } from '../limits/places.ts';
import type { DoorConnection } from './connection.ts';

/** The place of a client's TCP connection, from its acceptance to its end. */
export class ClientPlace implements Occupant {
  readonly #transport: Socket;
  readonly client: ConveyedClient | null;
  /** Null until there is something to read requests from. */
  connection: Pick<DoorConnection, 'use' | 'destroy'> | null = null;

  /**
   * @param client whose connection it is, where a balancer has said so; null = the socket's peer
   */
  constructor(transport: Socket, client: ConveyedClient | null = null) {
    this.#transport = transport;
    this.client = client;
  }

  get use(): PlaceUse {
    return this.connection?.use ?? 'silent';
  }

  makeRoom(): void {
    if (this.connection === null) this.#transport.destroy();
    else this.connection.destroy();
  }
}

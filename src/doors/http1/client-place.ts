import type { Socket } from 'node:net';
import type { Occupant, PlaceUse } from '../../limits/places.ts';
import type { Http1Connection } from './connection.ts';

/** The place of a client's TCP connection, from its acceptance to its end. */
export class ClientPlace implements Occupant {
  readonly #transport: Socket;
  /** Null until there is something to read requests from. */
  connection: Pick<Http1Connection, 'use' | 'destroy'> | null = null;

  constructor(transport: Socket) {
    this.#transport = transport;
  }

  get use(): PlaceUse {
    return this.connection?.use ?? 'silent';
  }

  makeRoom(): void {
    if (this.connection === null) this.#transport.destroy();
    else this.connection.destroy();
  }
}

import { networkOf } from './client-network.ts';

/** What a connection is doing. The less, the sooner it makes room for another one. */
export type PlaceUse =
  /** It has not brought a whole request yet. */
  | 'silent'
  /** It has, and none is under way. */
  | 'idle'
  | 'busy';

/** A connection that takes a place. */
export interface Occupant {
  readonly use: PlaceUse;
  /** Closes the connection at once, for another one. Never asked of a busy one. */
  makeRoom(): void;
}

/** How many places one address may take, on every listener. */
export interface AddressLimit {
  /** Asked at each arrival: a reload may have changed it. */
  perAddress(): number;
  /** A proxy in front, from whose address many clients come. */
  isExempt(address: string): boolean;
}

export interface PlacesOptions extends AddressLimit {
  /** Asked at each arrival, too: a reload may have made them fewer than are taken. */
  total(): number;
  /**
   * Somebody had to make room, or nobody could. Told each time. `address` null: all places are
   * taken.
   */
  full(what: { readonly address: string | null; readonly connections: number }): void;
}

/** So many are looked at for one that can make room; the next time, others are. */
const SEARCHED = 64;

/**
 * The places of one listener. One address (an IPv4 address, or the /64 of an IPv6 one) takes so
 * many at most, and all together no more than there are. Past either, a new connection takes the
 * place of one that is silent, else of one that is idle, and gets none only where all are busy. So
 * whoever opens connections and says nothing keeps nobody out, not even others at its own address.
 */
export class Places {
  readonly #options: PlacesOptions;
  /** With the network of each. The oldest first, give or take a search. */
  readonly #all = new Map<Occupant, string>();
  readonly #byNetwork = new Map<string, Map<Occupant, string>>();

  constructor(options: PlacesOptions) {
    this.#options = options;
  }

  get taken(): number {
    return this.#all.size;
  }

  /**
   * @param address of the client, as far as it is known
   * @returns false when there is no place; else `left` follows
   */
  enter(address: string, occupant: Occupant): boolean {
    const total = this.#options.total();
    const network = networkOf(address);
    const held = this.#byNetwork.get(network);
    if (
      held !== undefined &&
      held.size >= this.#options.perAddress() &&
      !this.#options.isExempt(address)
    ) {
      this.#options.full({ address, connections: held.size });
      if (!this.#makeRoom(held)) return false;
    }
    if (this.#all.size >= total) {
      this.#options.full({ address: null, connections: total });
      if (!this.#makeRoom(this.#all)) return false;
    }
    this.#add(network, occupant);
    return true;
  }

  /** The connection is gone. One that is not here is left alone. */
  left(occupant: Occupant): void {
    const network = this.#all.get(occupant);
    if (network === undefined) return;
    this.#all.delete(occupant);
    const held = this.#byNetwork.get(network);
    held?.delete(occupant);
    if (held?.size === 0) this.#byNetwork.delete(network);
  }

  #add(network: string, occupant: Occupant): void {
    this.#all.set(occupant, network);
    const held = this.#byNetwork.get(network);
    if (held === undefined) this.#byNetwork.set(network, new Map([[occupant, network]]));
    else held.set(occupant, network);
  }

  /** @returns false when all that were looked at are busy */
  #makeRoom(among: Map<Occupant, string>): boolean {
    let idle: Occupant | null = null;
    let searched = 0;
    for (const [occupant, network] of among) {
      if (searched === SEARCHED || searched === among.size) break;
      searched += 1;
      const { use } = occupant;
      if (use === 'silent') return this.#evict(occupant);
      if (use === 'idle') idle ??= occupant;
      // To the end, so that the next search begins behind it.
      among.delete(occupant);
      among.set(occupant, network);
    }
    return idle !== null && this.#evict(idle);
  }

  #evict(occupant: Occupant): true {
    this.left(occupant);
    occupant.makeRoom();
    return true;
  }
}

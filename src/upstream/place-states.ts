import {
  AddressHealth,
  type CheckOptions,
  type EjectionOptions,
  type HealthObserver,
} from './address-health.ts';

/** How the health of a place is judged. */
export interface Judgement {
  readonly ejection: EjectionOptions;
  /** Null = no health checks. */
  readonly checks: CheckOptions | null;
  readonly observer: HealthObserver;
}

/** One place of an upstream, whichever of the upstream's pools uses it. */
export class PlaceState {
  readonly health: AddressHealth;
  readonly #forget: () => void;
  /** Pools that still open connections there. */
  #users = 0;
  #connections = 0;

  constructor(health: AddressHealth, forget: () => void) {
    this.health = health;
    this.#forget = forget;
  }

  /** Connections of all pools, idle and busy together. */
  get connections(): number {
    return this.#connections;
  }

  opened(): void {
    this.#connections += 1;
  }

  closed(): void {
    this.#connections -= 1;
    this.#forgetIfUnused();
  }

  used(): void {
    this.#users += 1;
  }

  /** By a pool that was retired; its connections may go on. */
  left(): void {
    this.#users -= 1;
    this.#forgetIfUnused();
  }

  #forgetIfUnused(): void {
    if (this.#users === 0 && this.#connections === 0) this.#forget();
  }
}

/**
 * What is known of the places of one upstream: their health, and how many connections there are. A
 * reload may put a new pool beside one that ends what it has begun; both use the same states, so
 * that no limit is counted from nothing, and no address that fails is taken for a sound one.
 */
export class PlaceStates {
  readonly #clock: { readonly nowMs: number };
  readonly #states = new Map<string, PlaceState>();

  /** @param clock `Deadlines` */
  constructor(clock: { readonly nowMs: number }) {
    this.#clock = clock;
  }

  /** Places that are in use, or have connections. */
  get size(): number {
    return this.#states.size;
  }

  /**
   * The state of a place, from now on judged in this way; `left` follows.
   *
   * @param place what tells it from others
   */
  enter(place: string, { ejection, checks, observer }: Judgement): PlaceState {
    let state = this.#states.get(place);
    if (state === undefined) {
      state = this.#newState(place, new AddressHealth(ejection, checks, this.#clock, observer));
    } else {
      state.health.judgeBy(ejection, checks, observer);
    }
    state.used();
    return state;
  }

  #newState(place: string, health: AddressHealth): PlaceState {
    const state: PlaceState = new PlaceState(health, () => {
      // A retired pool may have used it once more, and the place have another by then.
      if (this.#states.get(place) === state) this.#states.delete(place);
    });
    this.#states.set(place, state);
    return state;
  }
}

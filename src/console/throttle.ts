import type { Clock } from '../clock.ts';
import { networkOf } from '../limits/client-network.ts';

/**
 * Slows down whoever guesses passwords. Three counts, each of wrong passwords within a window:
 *
 * - of one address (IPv4, or an IPv6 /64): bounds one guesser over many names
 * - of one name from one address: bounds one guesser at one name
 * - of one name from anywhere: bounds many guessers at one name. An address from which that name was last signed in is exempt, so that strangers cannot lock
 *   out the owner at the usual desk.
 *
 * Names are counted whether or not they exist. Counts are this instance's own: N instances with a console let N times as much through. They are bounded, and
 * forget the oldest first.
 */
export const THROTTLE = {
  windowMs: 15 * 60_000,
  perAddress: 30,
  perNameAndAddress: 8,
  perName: 40,
  remembered: 20_000,
} as const;

interface Count {
  failures: number;
  endsMs: number;
}

export class SignInThrottle {
  readonly #clock: Clock;
  readonly #counts = new Map<string, Count>();
  /** Name -> the network it was last signed in from. */
  readonly #known = new Map<string, string>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** How long this one has to wait, in whole seconds; 0 = may try now. Costs nothing: to be asked before the password is looked at. */
  waitSeconds(name: string, address: string): number {
    const nowMs = this.#clock.monotonicMs();
    const network = networkOf(address);
    const ends = this.#keys(name, network).map(([key, most]) => {
      const count = this.#counts.get(key);
      return count !== undefined && count.endsMs > nowMs && count.failures >= most ? count.endsMs : nowMs;
    });
    return Math.ceil((Math.max(...ends) - nowMs) / 1000);
  }

  /**
   * Counts an attempt as failed before it is known how it ends, so that many at once are no way around. Answers whether it was the one that closed the door.
   */
  attempt(name: string, address: string): boolean {
    const nowMs = this.#clock.monotonicMs();
    let closes = false;
    for (const [key, most] of this.#keys(name, networkOf(address))) {
      const known = this.#counts.get(key);
      const count = known !== undefined && known.endsMs > nowMs ? known : { failures: 0, endsMs: nowMs + THROTTLE.windowMs };
      count.failures += 1;
      if (count.failures === most) closes = true;
      keep(this.#counts, key, count);
    }
    return closes;
  }

  /** Nothing was learned by the attempt: it does not count. */
  takeBack(name: string, address: string): void {
    for (const [key] of this.#keys(name, networkOf(address))) {
      const count = this.#counts.get(key);
      if (count !== undefined) count.failures = Math.max(0, count.failures - 1);
    }
  }

  /** The attempt was right: it is taken back, and the name's count at this address begins anew. */
  succeeded(name: string, address: string): void {
    this.takeBack(name, address);
    const network = networkOf(address);
    this.#counts.delete(pairKey(name, network));
    keep(this.#known, folded(name), network);
  }

  #keys(name: string, network: string): readonly (readonly [key: string, most: number])[] {
    const own = [
      [`address ${network}`, THROTTLE.perAddress] as const,
      [pairKey(name, network), THROTTLE.perNameAndAddress] as const,
    ];
    if (this.#known.get(folded(name)) === network) return own;
    return [...own, [`name ${folded(name)}`, THROTTLE.perName]];
  }
}

function pairKey(name: string, network: string): string {
  return `pair ${folded(name)} ${network}`;
}

/** Bounded: what was typed may be anything. */
function folded(name: string): string {
  return name.slice(0, 64).toLowerCase();
}

function keep<Value>(map: Map<string, Value>, key: string, value: Value): void {
  map.delete(key);
  map.set(key, value);
  const oldest = map.size > THROTTLE.remembered ? map.keys().next().value : undefined;
  if (oldest !== undefined) map.delete(oldest);
}

import { networkOf } from '../limits/client-network.ts';
import type { TryCount, TryStore } from '../limits/tries-port.ts';
import { type KnownBrowser, nameDigest } from './known-browser.ts';

/**
 * Slows down whoever guesses passwords, over all instances together. Counts of wrong passwords,
 * each of which time lowers again:
 *
 * - of one name from one network (an IPv4 address, or an IPv6 /64): bounds one guesser at one name
 * - of one network: bounds one guesser over many names
 * - of one name from anywhere: bounds many guessers at one name
 * - of all: bounds what the store keeps of this
 *
 * Names are counted whether or not they exist. What strangers do, however many they are and for
 * however long, does not keep somebody out who has signed in with this browser before: that browser
 * is counted by itself, and nobody else can raise its count.
 */
export const THROTTLE = {
  windowMs: 15 * 60_000,
  perNameAndAddress: 8,
  perAddress: 30,
  perName: 40,
  inAll: 20_000,
} as const;

/**
 * One attempt, counted as failed before it is known how it ends, so that many at once are no way
 * around.
 */
export type Attempted =
  | { readonly allowed: false; readonly waitSeconds: number }
  | {
      readonly allowed: true;
      /** Whether the next one has to wait. */
      readonly closes: boolean;
      /** Nothing was learned by the attempt: it does not count. */
      takeBack(): Promise<void>;
      /**
       * The attempt was right: it does not count, and neither do the ones before it that were made
       * in the same name from here.
       */
      succeeded(): Promise<void>;
    };

export class SignInThrottle {
  readonly #tries: TryStore;

  constructor(tries: TryStore) {
    this.#tries = tries;
  }

  /**
   * @param browser whether this name has signed in with this browser before; null = it has not, or
   * that is not known
   */
  password(name: string, address: string, browser: KnownBrowser | null): Promise<Attempted> {
    if (browser !== null) return this.#attempt(ofBrowser(browser));
    const [who, network] = [nameDigest(name), networkOf(address)];
    return this.#attempt(count(`pair:${who}:${network}`, THROTTLE.perNameAndAddress), [
      ...ofNetwork(network),
      count(`name:${who}`, THROTTLE.perName),
    ]);
  }

  /**
   * What comes back from an identity provider names nobody, so nobody's own name is slowed down by
   * it.
   */
  provider(address: string, browser: KnownBrowser | null): Promise<Attempted> {
    if (browser !== null) return this.#attempt(ofBrowser(browser));
    const network = networkOf(address);
    return this.#attempt(
      count(`provider:${network}`, THROTTLE.perNameAndAddress),
      ofNetwork(network),
    );
  }

  /**
   * The current password, asked in an open session: only whoever has that session can raise its
   * count.
   */
  session(digest: string): Promise<Attempted> {
    return this.#attempt(count(`session:${digest}`, THROTTLE.perNameAndAddress));
  }

  async #attempt(own: TryCount, others: readonly TryCount[] = []): Promise<Attempted> {
    const counts = [own, ...others];
    const { waitMs, nextWaitMs } = await this.#tries.charge(counts);
    if (waitMs > 0) return { allowed: false, waitSeconds: Math.ceil(waitMs / 1000) };
    return {
      allowed: true,
      closes: nextWaitMs > 0,
      takeBack: () => this.#tries.giveBack(counts),
      succeeded: () => this.#tries.giveBack([{ ...own, costMs: own.mostMs }, ...others]),
    };
  }
}

function ofBrowser({ digest }: KnownBrowser): TryCount {
  return count(`browser:${digest}`, THROTTLE.perNameAndAddress);
}

function ofNetwork(network: string): readonly TryCount[] {
  return [count(`address:${network}`, THROTTLE.perAddress), count('all', THROTTLE.inAll)];
}

function count(key: string, most: number): TryCount {
  return { key: `console:${key}`, costMs: THROTTLE.windowMs / most, mostMs: THROTTLE.windowMs };
}

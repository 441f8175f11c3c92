import type { Clock } from '../clock.ts';
import type { Lookup } from '../registry/replica/port.ts';
import { networkOf } from './client-network.ts';
import { GUESS_LIMITS, GuessingClient, type GuessLimits } from './guessing-client.ts';
import type { RateStanding } from './rate-limit.ts';

/** What the throttle needs of the registry. */
export interface LookupSource {
  /** The answer that is at hand, or null when the store would have to be asked. */
  cached(accountId: string): Lookup | null;
  lookup(accountId: string): Lookup | Promise<Lookup>;
}

export interface GuessThrottleOptions {
  readonly source: LookupSource;
  readonly clock: Clock;
  readonly limits?: Partial<GuessLimits>;
}

const UNAVAILABLE: Lookup = { found: 'unavailable' };

/**
 * Stands between the decision and the registry, so that guessed tokens can neither occupy the store
 * nor hold up anybody else.
 *
 * ```
 *   id is cached (also: cached as absent) ─────────────────────────────────────────▶ known at once
 *   id is not cached, client is quiet ──▶ [queue of the client] ──▶ quiet lane ────▶ store
 *   id is not cached, client is guessing ──▶ [queue of the client] ──▶ guess lane ─▶ store
 * ```
 *
 * A client (an IPv4 address, or a /64 of IPv6) is *guessing* once it has asked for more ids that
 * name no account than the allowance (60 in a minute). The quiet lane goes round the clients that
 * wait, one look-up each. The guess lane sends so many look-ups every 50 ms (256), divided evenly
 * among all that guess, so that all guesses together ask the store for at most 5,120 ids a second
 * (in 20 commands on Redis, see registry/redis/lookups.ts), however many clients guess.
 *
 * What is promised, whatever anybody guesses:
 * - A valid token that is cached on this instance is not affected at all.
 * - A valid token that is not cached, of a client that is not guessing, waits only behind other
 *   quiet clients: guesses have a lane of their own.
 * - A valid token that is not cached, of a client that is guessing, waits its turn and is then let
 *   in: at most 1.6 s when one client guesses with 8,192
 *   requests waiting at the same time, k times that when k do, in proportion less when fewer wait.
 * - No valid token is ever answered `guessing-throttled`: that is said only after the registry has
 *   said that the token is not valid (`guessing`), to all
 *   tokens that fail from a client that is guessing, so that it tells nothing about any of them.
 * - Where these waits end is where any overload ends: past 8,192 look-ups of one client, 32,768 in
 *   all, or after 5 s, the answer is 503 (nobody knows), never 401.
 */
export class GuessThrottle {
  readonly #source: LookupSource;
  readonly #clock: Clock;
  readonly #limits: GuessLimits;
  readonly #clients = new Map<string, GuessingClient>();
  /** Clients that find no room in the table count as one. */
  readonly #others: GuessingClient;
  /** Clients with waiting look-ups whose turn may come, in the order in which it does. */
  readonly #quietTurns = new Set<GuessingClient>();
  readonly #guessTurns = new Set<GuessingClient>();
  readonly #policy: string;
  #quietInFlight = 0;
  #guessesInFlight = 0;
  #waiting = 0;
  #tick: NodeJS.Timeout | null = null;
  #closed = false;

  constructor({ source, clock, limits = {} }: GuessThrottleOptions) {
    this.#source = source;
    this.#clock = clock;
    this.#limits = { ...GUESS_LIMITS, ...limits };
    this.#others = new GuessingClient('others', this.#limits);
    this.#policy = `"unknown-tokens";q=${this.#limits.allowance};w=${Math.round(this.#limits.windowMs / 1000)}`;
  }

  /** Look-ups that wait for their turn. */
  get waiting(): number {
    return this.#waiting;
  }

  /** @param address the client's, as the call is recorded under. Never rejects. */
  lookup(accountId: string, address: string): Lookup | Promise<Lookup> {
    const known = this.#source.cached(accountId);
    if (known !== null) return known;
    const client = this.#client(networkOf(address));
    const full =
      client.waiting.length >= this.#limits.waitingPerClient ||
      this.#waiting >= this.#limits.waitingInAll;
    if (full || this.#closed) return UNAVAILABLE;
    const nowMs = this.#clock.monotonicMs();
    const free =
      client.inFlight < this.#limits.atOncePerClient &&
      this.#quietInFlight < this.#limits.quietAtOnce;
    if (free && client.waiting.length === 0 && !client.guesses(nowMs))
      return this.#ask(client, accountId, false);
    const { promise, resolve } = Promise.withResolvers<Lookup>();
    client.waiting.push({ accountId, sinceMs: nowMs, resolve });
    this.#waiting += 1;
    this.#queue(client, nowMs);
    return promise;
  }

  /**
   * How a client that is guessing stands; null for one that is not. To be asked only about a token
   * that has failed.
   */
  guessing(address: string): RateStanding | null {
    const client = this.#clients.get(networkOf(address)) ?? this.#others;
    const nowMs = this.#clock.monotonicMs();
    if (!client.guesses(nowMs)) return null;
    const retryAfterSeconds = Math.max(1, Math.ceil(client.quietInMs(nowMs) / 1000));
    return {
      retryAfterSeconds,
      policy: this.#policy,
      limit: `"unknown-tokens";r=0;t=${retryAfterSeconds}`,
    };
  }

  /** Whoever still waits is told that nobody knows. */
  close(): void {
    this.#closed = true;
    if (this.#tick !== null) clearTimeout(this.#tick);
    for (const client of [...this.#clients.values(), this.#others])
      this.#giveUp(client, Number.POSITIVE_INFINITY);
    this.#quietTurns.clear();
    this.#guessTurns.clear();
  }

  #queue(client: GuessingClient, nowMs: number): void {
    if (client.guesses(nowMs)) {
      this.#quietTurns.delete(client);
      this.#guessTurns.add(client);
    } else if (!this.#guessTurns.has(client)) {
      this.#quietTurns.add(client);
    }
    // The clock also ends waits in the quiet lane that take too long.
    if (this.#tick === null) this.#tick = setTimeout(() => this.#onTick(), this.#limits.tickMs);
  }

  #onTick(): void {
    this.#tick = null;
    const nowMs = this.#clock.monotonicMs();
    const oldestMs = nowMs - this.#limits.longestWaitMs;
    for (const client of [...this.#quietTurns, ...this.#guessTurns]) this.#giveUp(client, oldestMs);
    for (const client of this.#quietTurns) if (client.guesses(nowMs)) this.#queue(client, nowMs);
    this.#releaseGuesses();
    this.#releaseQuiet();
    if (this.#waiting > 0 && this.#tick === null)
      this.#tick = setTimeout(() => this.#onTick(), this.#limits.tickMs);
  }

  #releaseGuesses(): void {
    const share = Math.max(
      1,
      Math.floor(this.#limits.guessesPerTick / Math.max(1, this.#guessTurns.size)),
    );
    let left = this.#limits.guessesPerTick - this.#guessesInFlight;
    for (const client of [...this.#guessTurns]) {
      if (left <= 0) return;
      this.#guessTurns.delete(client);
      for (
        let count = 0;
        count < share && left > 0 && client.waiting.length > 0;
        count += 1, left -= 1
      )
        this.#release(client, true);
      if (client.waiting.length > 0) this.#guessTurns.add(client);
    }
  }

  #releaseQuiet(): void {
    for (const client of this.#quietTurns) {
      if (this.#quietInFlight >= this.#limits.quietAtOnce) return;
      // Its own answers bring its next turn.
      this.#quietTurns.delete(client);
      if (client.waiting.length === 0 || client.inFlight >= this.#limits.atOncePerClient) continue;
      this.#release(client, false);
      if (client.waiting.length > 0) this.#quietTurns.add(client);
    }
  }

  #release(client: GuessingClient, isGuess: boolean): void {
    const { accountId, resolve } = client.waiting.shift()!;
    this.#waiting -= 1;
    const answer = this.#ask(client, accountId, isGuess);
    if (answer instanceof Promise) answer.then(resolve, () => resolve(UNAVAILABLE));
    else resolve(answer);
  }

  #ask(client: GuessingClient, accountId: string, isGuess: boolean): Lookup | Promise<Lookup> {
    const answer = this.#source.lookup(accountId);
    if (!(answer instanceof Promise)) return answer;
    client.inFlight += 1;
    if (isGuess) this.#guessesInFlight += 1;
    else this.#quietInFlight += 1;
    return answer.then((lookup) => {
      client.inFlight -= 1;
      if (isGuess) this.#guessesInFlight -= 1;
      else this.#quietInFlight -= 1;
      this.#answered(client, lookup);
      return lookup;
    });
  }

  #answered(client: GuessingClient, lookup: Lookup): void {
    const nowMs = this.#clock.monotonicMs();
    if (lookup.found === 'absent') client.guessed(nowMs);
    if (client.waiting.length > 0) this.#queue(client, nowMs);
    else if (client.idle(nowMs)) this.#clients.delete(client.network);
    this.#releaseQuiet();
  }

  /** Whatever waits since `oldestMs` or before. */
  #giveUp(client: GuessingClient, oldestMs: number): void {
    for (
      let first = client.waiting.peek();
      first !== null && first.sinceMs <= oldestMs;
      first = client.waiting.peek()
    ) {
      client.waiting.shift();
      this.#waiting -= 1;
      first.resolve(UNAVAILABLE);
    }
  }

  #client(network: string): GuessingClient {
    let client = this.#clients.get(network);
    if (client !== undefined) return client;
    if (this.#clients.size >= this.#limits.clients && !this.#forgetIdle()) return this.#others;
    client = new GuessingClient(network, this.#limits);
    this.#clients.set(network, client);
    return client;
  }

  #forgetIdle(): boolean {
    const nowMs = this.#clock.monotonicMs();
    let searched = 0;
    for (const [network, client] of this.#clients) {
      if (searched === SEARCHED) return false;
      searched += 1;
      this.#clients.delete(network);
      if (client.idle(nowMs)) return true;
      this.#clients.set(network, client);
    }
    return false;
  }
}

/** Clients looked at for one to forget when the table is full. */
const SEARCHED = 32;

import type { Clock } from '../clock.ts';
import type { Bucket } from './bucket.ts';
import { type BucketMaker, Limit, type Room } from './limit.ts';
import type { RateLimit, RateStanding } from './rate-limit.ts';

/** What a limit needs to know of a route. */
export interface RatedRoute {
  readonly name: string;
  readonly rateLimit: RateLimit | null;
}

/** What an account may call in all, over all routes together. */
export type AccountRate = Omit<RateLimit, 'per'>;

export interface RateLimiterOptions {
  readonly clock: Clock;
  /** Makes buckets: local ones, or parts of shared ones. */
  readonly makeBucket: BucketMaker;
  readonly accountRate: AccountRate | null;
  /** Buckets held at most. Default 100,000, some 20 MB. */
  readonly maxBuckets?: number;
}

const MAX_BUCKETS = 100_000;
const ONE_FOR_ALL = '';

/**
 * The rate limits of an instance: at most two cover a call, what the account may call in all and
 * what the route says. Decided at once, by arithmetic on numbers that are at hand; only the
 * answer's field values are made anew.
 */
export class RateLimiter {
  readonly #clock: Clock;
  readonly #makeBucket: BucketMaker;
  readonly #room: Room;
  #account: Limit | null = null;
  /**
   * By what they say, so that a reload that changes nothing about a limit leaves its buckets as
   * they are.
   */
  #limits = new Map<string, Limit>();
  #ofRoute = new WeakMap<RateLimit, Limit>();

  constructor(options: RateLimiterOptions) {
    this.#clock = options.clock;
    this.#makeBucket = options.makeBucket;
    this.#room = { left: options.maxBuckets ?? MAX_BUCKETS };
    this.configure(options.accountRate, []);
  }

  /**
   * Takes over a changed configuration: limits that stayed keep their buckets, others begin with
   * full ones.
   */
  configure(accountRate: AccountRate | null, routes: readonly RatedRoute[]): void {
    const before = this.#limits;
    this.#limits = new Map();
    this.#ofRoute = new WeakMap();
    this.#account =
      accountRate === null ? null : this.#limit('account', 'account', accountRate, before);
    for (const { name, rateLimit } of routes)
      if (rateLimit !== null) this.#compile(name, rateLimit, before);
    for (const [key, limit] of before) if (!this.#limits.has(key)) limit.close();
  }

  /**
   * Takes one call from every limit that covers it, or from none; null when no limit does.
   *
   * @param accountId null for a caller who is not known (public routes): only the limit of the
   * route counts
   */
  ask(route: RatedRoute, accountId: string | null): RateStanding | null {
    const ofAccount = accountId === null ? null : this.#account;
    const { rateLimit } = route;
    if (ofAccount === null && rateLimit === null) return null;
    const nowMs = this.#clock.monotonicMs();
    const ofRoute =
      rateLimit === null
        ? null
        : (this.#ofRoute.get(rateLimit) ?? this.#compile(route.name, rateLimit, null));
    if (ofRoute === null) return askOne(ofAccount!, ofAccount!.bucket(accountId!, nowMs), nowMs);
    // A limit per account on a public route is refused by the configuration; should one come here,
    // nobody shares it with all.
    const bucket = ofRoute.bucket(
      rateLimit!.per === 'account' ? (accountId ?? ONE_FOR_ALL) : ONE_FOR_ALL,
      nowMs,
    );
    if (ofAccount === null) return askOne(ofRoute, bucket, nowMs);
    return askBoth(ofAccount, ofAccount.bucket(accountId!, nowMs), ofRoute, bucket, nowMs);
  }

  /**
   * Takes one call that is refused anyway from what the account may call in all, so that nobody
   * asks without end for what they may not have; null when there is no such limit. What a route
   * allows is for calls that it lets in.
   */
  askRefused(accountId: string): RateStanding | null {
    if (this.#account === null) return null;
    const nowMs = this.#clock.monotonicMs();
    return askOne(this.#account, this.#account.bucket(accountId, nowMs), nowMs);
  }

  #compile(
    routeName: string,
    rateLimit: RateLimit,
    before: ReadonlyMap<string, Limit> | null,
  ): Limit {
    const key = `route:${routeName}${rateLimit.per === 'account' ? ':account' : ''}`;
    const limit = this.#limit(key, 'route', rateLimit, before);
    this.#ofRoute.set(rateLimit, limit);
    return limit;
  }

  #limit(
    key: string,
    policyName: string,
    rate: AccountRate,
    before: ReadonlyMap<string, Limit> | null,
  ): Limit {
    const whole = `${key}:${rate.requests}:${rate.windowSeconds}`;
    const limit =
      this.#limits.get(whole) ??
      before?.get(whole) ??
      new Limit(key, policyName, rate, this.#room, this.#makeBucket);
    this.#limits.set(whole, limit);
    return limit;
  }
}

function askOne(limit: Limit, bucket: Bucket, nowMs: number): RateStanding {
  const waitMs = bucket.waitMs(nowMs);
  if (waitMs > 0) {
    const retryAfterSeconds = wholeSeconds(waitMs);
    return { retryAfterSeconds, policy: limit.policy, limit: limit.refused(retryAfterSeconds) };
  }
  bucket.take(nowMs);
  return { retryAfterSeconds: 0, policy: limit.policy, limit: limit.standing(bucket, nowMs) };
}

function askBoth(
  account: Limit,
  ofAccount: Bucket,
  route: Limit,
  ofRoute: Bucket,
  nowMs: number,
): RateStanding {
  const policy = `${account.policy}, ${route.policy}`;
  const accountMs = ofAccount.waitMs(nowMs);
  const routeMs = ofRoute.waitMs(nowMs);
  if (accountMs > 0 || routeMs > 0) {
    const retryAfterSeconds = wholeSeconds(Math.max(accountMs, routeMs));
    const forAccount =
      accountMs > 0 ? account.refused(retryAfterSeconds) : account.standing(ofAccount, nowMs);
    const forRoute =
      routeMs > 0 ? route.refused(retryAfterSeconds) : route.standing(ofRoute, nowMs);
    return { retryAfterSeconds, policy, limit: `${forAccount}, ${forRoute}` };
  }
  ofAccount.take(nowMs);
  ofRoute.take(nowMs);
  return {
    retryAfterSeconds: 0,
    policy,
    limit: `${account.standing(ofAccount, nowMs)}, ${route.standing(ofRoute, nowMs)}`,
  };
}

/** Rounded up: who comes back then is let in. */
function wholeSeconds(ms: number): number {
  return Math.max(1, Math.ceil(ms / 1000));
}

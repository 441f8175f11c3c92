import type { Bucket, Terms } from './bucket.ts';
import type { RateLimit } from './rate-limit.ts';

/** Room for buckets, shared by all limits of an instance. */
export interface Room {
  left: number;
}

/** Makes the bucket of a name. */
export type BucketMaker = (name: string, terms: Terms) => Bucket;

/**
 * Buckets looked at for an idle one when there is no room, so that no single call pays for a sweep.
 */
const SEARCHED = 32;

/**
 * One limit with its buckets, by account id, or the one bucket of a route (by the empty id).
 *
 * An idle bucket is as good as none and makes room for another. When there is no room and none is
 * idle, all further ids share one bucket: strict, and bounded.
 */
export class Limit {
  readonly terms: Terms;
  readonly #name: string;
  readonly #policyName: string;
  readonly policy: string;
  readonly #room: Room;
  readonly #make: BucketMaker;
  readonly #buckets = new Map<string, Bucket>();
  #shared: Bucket | null = null;

  /** @param name the same on every instance; `policyName` is what clients see */
  constructor(
    name: string,
    policyName: string,
    limit: Omit<RateLimit, 'per'>,
    room: Room,
    make: BucketMaker,
  ) {
    const { requests, windowSeconds } = limit;
    const windowMs = windowSeconds * 1000;
    this.#name = `${name}:${requests}:${windowSeconds}`;
    this.#policyName = policyName;
    this.terms = { requests, windowMs, intervalMs: windowMs / requests };
    this.policy = `"${policyName}";q=${requests};w=${windowSeconds}`;
    this.#room = room;
    this.#make = make;
  }

  bucket(id: string, nowMs: number): Bucket {
    return this.#buckets.get(id) ?? this.#open(id, nowMs);
  }

  /** What `RateLimit` says of a bucket. */
  standing(bucket: Bucket, nowMs: number): string {
    return `"${this.#policyName}";r=${bucket.remaining(nowMs)};t=${Math.ceil(bucket.fullInMs(nowMs) / 1000)}`;
  }

  /** What `RateLimit` says of a bucket that refused. */
  refused(retryAfterSeconds: number): string {
    return `"${this.#policyName}";r=0;t=${retryAfterSeconds}`;
  }

  /** Gives its room back; the limit is used no more. */
  close(): void {
    this.#room.left += this.#buckets.size;
    this.#buckets.clear();
  }

  #open(id: string, nowMs: number): Bucket {
    if (this.#room.left <= 0 && !this.#forgetIdle(nowMs)) {
      this.#shared ??= this.#make(`${this.#name}:others`, this.terms);
      return this.#shared;
    }
    this.#room.left -= 1;
    const bucket = this.#make(id === '' ? this.#name : `${this.#name}:${id}`, this.terms);
    this.#buckets.set(id, bucket);
    return bucket;
  }

  #forgetIdle(nowMs: number): boolean {
    let searched = 0;
    for (const [id, bucket] of this.#buckets) {
      if (searched === SEARCHED) break;
      searched += 1;
      this.#buckets.delete(id);
      if (bucket.idle(nowMs)) {
        this.#room.left += 1;
        return true;
      }
      this.#buckets.set(id, bucket);
    }
    return false;
  }
}

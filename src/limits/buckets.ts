import { LocalBucket, type Terms } from './bucket.ts';
import { LeasedBucket, type LeaseTerms, leaseTerms } from './leased-bucket.ts';
import type { BucketMaker } from './limit.ts';
import type { QuotaLeaser } from './quota-leaser.ts';

/** Buckets of an instance that is alone: exact. */
export const localBuckets: BucketMaker = (_name, terms) => new LocalBucket(terms);

/** Parts of buckets that instances share. */
export function sharedBuckets(leaser: QuotaLeaser, sharePercent: number): BucketMaker {
  const known = new WeakMap<Terms, LeaseTerms>();
  return (name, terms) => {
    let lease = known.get(terms);
    if (lease === undefined) {
      lease = leaseTerms(terms, sharePercent);
      known.set(terms, lease);
    }
    return new LeasedBucket(name, lease, leaser.want);
  };
}

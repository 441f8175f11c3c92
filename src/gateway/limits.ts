import type { Clock } from '../clock.ts';
import type { Config } from '../config/schema.ts';
import { localBuckets, sharedBuckets } from '../limits/buckets.ts';
import { GuessThrottle, type LookupSource } from '../limits/guess-throttle.ts';
import { QuotaLeaser } from '../limits/quota-leaser.ts';
import type { QuotaStore } from '../limits/quota-port.ts';
import { RateLimiter } from '../limits/rate-limiter.ts';
import type { Log } from '../telemetry/log.ts';

/** What the decision asks about how much a caller may. */
export interface GatewayLimits {
  readonly rates: RateLimiter;
  readonly lookups: GuessThrottle;
  /** Takes over changed limits; buckets of those that stayed are kept. */
  configure(config: Config): void;
  close(): void;
}

export function openLimits(parts: {
  readonly config: Config;
  readonly clock: Clock;
  readonly view: LookupSource;
  /** Null: this instance is alone. */
  readonly quotas: QuotaStore | null;
  readonly log: Log;
}): GatewayLimits {
  const { config, clock, view, quotas, log } = parts;
  const leaser = quotas === null ? null : openLeaser(quotas, clock, log);
  const makeBucket =
    leaser === null ? localBuckets : sharedBuckets(leaser, config.limits.localSharePercent);
  const rates = new RateLimiter({ clock, makeBucket, accountRate: config.limits.accountRate });
  const lookups = new GuessThrottle({ source: view, clock });
  rates.configure(config.limits.accountRate, config.routes);
  return {
    rates,
    lookups,
    configure: (next) => rates.configure(next.limits.accountRate, next.routes),
    close: () => {
      leaser?.close();
      lookups.close();
    },
  };
}

function openLeaser(store: QuotaStore, clock: Clock, log: Log): QuotaLeaser {
  return new QuotaLeaser({
    store,
    clock,
    onHealth: (answers) => {
      if (answers) log.info('rate limits are shared with the other instances again');
      else
        log.warn(
          'the store of the rate limits does not answer: this instance goes on with its own share',
        );
    },
  });
}

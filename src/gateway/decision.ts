import { createDecider, type Decider } from '../decision/decide.ts';
import { localBuckets, sharedBuckets } from '../limits/buckets.ts';
import { GuessThrottle } from '../limits/guess-throttle.ts';
import { QuotaLeaser } from '../limits/quota-leaser.ts';
import type { QuotaStore } from '../limits/quota-port.ts';
import { RateLimiter } from '../limits/rate-limiter.ts';
import type { Replica } from '../registry/replica/replica.ts';
import { type GateContext, own, type PrepareReload } from './context.ts';

/** Who may do what, and how often. */
export interface GateDecision {
  readonly decider: Decider;
  readonly lookups: GuessThrottle;
  /** Takes over routes and limits; buckets of those that stayed are kept. */
  readonly prepareReload: PrepareReload;
}

/** @param quotas where rates are shared with other instances; null: this instance is alone */
export function openDecision(
  gate: GateContext,
  view: Replica,
  quotas: QuotaStore | null,
): GateDecision {
  const { clock } = gate;
  const { limits, routes } = gate.state.config;
  const makeBucket =
    quotas === null
      ? localBuckets
      : sharedBuckets(openLeaser(gate, quotas), limits.localSharePercent);
  const rates = new RateLimiter({ clock, makeBucket, accountRate: limits.accountRate });
  rates.configure(limits.accountRate, routes);
  const lookups = own(gate, new GuessThrottle({ source: view, clock }));
  const decider = createDecider({ view, routes, clock, limits, lookups, rates });
  return {
    decider,
    lookups,
    prepareReload: (next) => () => {
      decider.setRoutes(next.routes);
      decider.setLimits(next.limits);
      rates.configure(next.limits.accountRate, next.routes);
    },
  };
}

function openLeaser(gate: GateContext, store: QuotaStore): QuotaLeaser {
  const { clock, log } = gate;
  return own(
    gate,
    new QuotaLeaser({
      store,
      clock,
      onHealth: (answers) => {
        if (answers) log.info('rate limits are shared with the other instances again');
        else
          log.warn(
            'the store of the rate limits does not answer: this instance goes on with its own share',
          );
      },
    }),
  );
}

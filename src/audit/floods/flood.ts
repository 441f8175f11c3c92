import type { Clock } from '../../clock.ts';
import { networkOf } from '../../limits/client-network.ts';
import type { Reason } from '../../refusal.ts';
import type { AccountFacts } from '../event/call-facts.ts';
import type { FoldedFacts } from '../event/folded-event.ts';
import { FloodTable } from './flood-table.ts';

export interface FloodFoldOptions {
  readonly clock: Clock;
  /** Writes one event that stands for many. Must not throw. */
  readonly write: (facts: FoldedFacts) => void;
  /** Whether what is written now is kept; until then it is counted on. Default: always. */
  readonly hasRoom?: () => boolean;
  /** Verdicts of one caller that are written singly per interval. */
  readonly singles: number;
  readonly limits?: Partial<FloodLimits>;
}

export interface FloodLimits {
  readonly intervalMs: number;
  /** How often it is looked for intervals that are over. */
  readonly sweepMs: number;
  /** Client addresses told apart; further ones count as one. */
  readonly clients: number;
  /** Accounts told apart; further ones count as one. */
  readonly accounts: number;
  /**
   * Verdicts that are written singly for all strangers together, and as many for all accounts
   * together, in multiples of `singles`: so many at once, and as many again in `refillMs`, evenly.
   */
  readonly singlesInAll: number;
  readonly refillMs: number;
}

const FLOOD_LIMITS: FloodLimits = {
  intervalMs: 10_000,
  sweepMs: 1_000,
  clients: 512,
  accounts: 4_096,
  singlesInAll: 100,
  refillMs: 600_000,
};

/**
 * Folds floods of verdicts, so that nobody can fill the audit log or push history out of it: nobody
 * without an account, and no account by what it is refused.
 *
 * The first verdicts of a caller in ten seconds are written one by one. Those beyond are counted,
 * and at the end of the interval one event says whose they were, how many, why, and when the first
 * and the last came. A flood that goes on is counted from its first verdict on, until an interval
 * stays within what would have been written singly. No verdict is both written and counted, and
 * none is neither. A caller is an account where the token proved one, else a client: an IPv4
 * address, or a /64 of IPv6. The two are counted apart, so that strangers never cost an account
 * the detail of its record.
 *
 * What a folded verdict gives up: its path, its user agent, its request id and the account id that
 * it claimed are not kept, and its answer does not wait for a record. A crash loses the counts that
 * are not written yet: of twenty seconds at most.
 *
 * At worst, however many callers there are: 100 times `singles` single events at once and as many
 * again in ten minutes, for strangers and for accounts each; and per interval one event for each of
 * 512 clients and 4,096 accounts, and one for all others.
 */
export class FloodFold {
  readonly #clock: Clock;
  readonly #sweepMs: number;
  readonly #strangers: FloodTable;
  readonly #accounts: FloodTable;
  #timer: NodeJS.Timeout | null = null;

  constructor({ clock, write, hasRoom = () => true, singles, limits }: FloodFoldOptions) {
    const { intervalMs, refillMs, sweepMs, clients, accounts, singlesInAll } = {
      ...FLOOD_LIMITS,
      ...limits,
    };
    const common = {
      write,
      hasRoom,
      singles,
      singlesInAll: singles * singlesInAll,
      intervalMs,
      refillMs,
    };
    this.#clock = clock;
    this.#sweepMs = sweepMs;
    this.#strangers = new FloodTable({ ...common, callers: clients });
    this.#accounts = new FloodTable({ ...common, callers: accounts });
  }

  /**
   * Whether this verdict was counted here, so that no record of its own must be written.
   *
   * @param account whoever the token proved; null = nobody
   */
  folds(address: string, reason: Reason, account: AccountFacts | null = null): boolean {
    const table = account === null ? this.#strangers : this.#accounts;
    const network = networkOf(address);
    const nowMs = this.#clock.monotonicMs();
    if (!table.counts(network, account, reason, nowMs, this.#clock.wallMs())) return false;
    this.#watch();
    return true;
  }

  /** Writes what is counted. */
  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#strangers.close();
    this.#accounts.close();
  }

  #watch(): void {
    if (this.#timer !== null) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      const nowMs = this.#clock.monotonicMs();
      const counting = [this.#strangers.sweep(nowMs), this.#accounts.sweep(nowMs)];
      if (counting.includes(true)) this.#watch();
    }, this.#sweepMs);
    this.#timer.unref();
  }
}

import type { Registry } from 'prom-client';
import { declareGauge } from './series.ts';
import type { MetricPiece } from './text.ts';

/** Who calls most, at a cost that does not depend on how many accounts there are. */
export interface TopAccounts {
  /** A call of this account has ended. */
  count(account: string): void;
  /** How many accounts are named, 20 at most; 0: none, and nothing is counted. */
  show(accounts: number): void;
}

/** Of accounts that are watched for each that is named. */
const WATCHED_PER_SHOWN = 10;
const WINDOW_MS = 60_000;
const OTHER = 'other';
export const TOP_ACCOUNTS = 'sallyport_top_account_requests';

/**
 * A sketch by space-saving (Metwally, Agrawal, El Abbadi, 2005) over windows of one minute: of so
 * many accounts a count is kept, and whoever is new takes the place, and the count, of the one that
 * had the fewest. So whoever makes more than one in so many of the calls is watched at the end of
 * the minute. What was taken over is left out of what is told: no figure is too high.
 *
 * @param nowMs monotonic clock
 */
export function createTopAccounts(
  registry: Registry,
  nowMs: () => number = () => performance.now(),
): TopAccounts {
  let shown = 0;
  let current = new Sketch(0);
  let last = new Sketch(0);
  let beganMs = nowMs();
  const roll = () => {
    const passed = nowMs() - beganMs;
    if (passed < WINDOW_MS) return;
    last = passed < 2 * WINDOW_MS ? current : new Sketch(0);
    current = new Sketch(shown * WATCHED_PER_SHOWN);
    beganMs = nowMs();
  };
  declareGauge(
    registry,
    TOP_ACCOUNTS,
    'Requests of the busiest accounts in the last full minute (telemetry.topAccounts), and of all others.',
    'sum',
    (emit) => {
      if (shown === 0) return;
      roll();
      let others = last.total;
      for (const { account, count } of last.top(shown)) {
        others -= count;
        emit(count, { account });
      }
      emit(others, { account: OTHER });
    },
  );
  return {
    count(account) {
      if (shown === 0) return;
      roll();
      current.count(account);
    },
    show(accounts) {
      if (accounts === shown) return;
      shown = accounts;
      current = new Sketch(shown * WATCHED_PER_SHOWN);
      last = new Sketch(0);
      beganMs = nowMs();
    },
  };
}

class Sketch {
  readonly #size: number;
  readonly #places = new Map<string, number>();
  readonly #names: string[] = [];
  readonly #counts: Float64Array;
  /** What each has taken over. */
  readonly #taken: Float64Array;
  total = 0;

  constructor(size: number) {
    this.#size = size;
    this.#counts = new Float64Array(size);
    this.#taken = new Float64Array(size);
  }

  count(account: string): void {
    this.total += 1;
    let place = this.#places.get(account);
    if (place === undefined) {
      place = this.#names.length < this.#size ? this.#names.length : this.#vacated();
      this.#names[place] = account;
      this.#places.set(account, place);
    }
    this.#counts[place] = (this.#counts[place] as number) + 1;
  }

  #vacated(): number {
    const counts = this.#counts;
    let least = 0;
    for (let place = 1; place < counts.length; place += 1)
      if ((counts[place] as number) < (counts[least] as number)) least = place;
    this.#places.delete(this.#names[least] as string);
    this.#taken[least] = counts[least] as number;
    return least;
  }

  /** Those with the highest counts that are certain; `OTHER` is nobody's name here. */
  top(most: number): readonly { readonly account: string; readonly count: number }[] {
    return this.#names
      .map((account, place) => ({
        account,
        count: (this.#counts[place] as number) - (this.#taken[place] as number),
      }))
      .filter(({ account, count }) => count > 0 && account !== OTHER)
      .sort((a, b) => b.count - a.count)
      .slice(0, most);
  }
}

interface AccountSample {
  readonly labels: { readonly account: string };
  readonly value: number;
}

/**
 * Of several processes together as many as each names by itself; the rest is one of the others.
 *
 * @param sum of all of them
 * @param parts what each has told
 */
export function busiestOf(sum: MetricPiece, parts: readonly MetricPiece[]): MetricPiece {
  const most = Math.max(...parts.map(({ values = [] }) => values.length)) - 1;
  const samples = (sum.values ?? []) as readonly AccountSample[];
  const named = samples
    .filter(({ labels }) => labels.account !== OTHER)
    .sort((a, b) => b.value - a.value)
    .slice(0, most);
  const total = samples.reduce((all, { value }) => all + value, 0);
  const told = named.reduce((all, { value }) => all + value, 0);
  return { ...sum, values: [...named, { labels: { account: OTHER }, value: total - told }] };
}

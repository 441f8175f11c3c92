import type { NoticeFacts } from '../audit/event/notice-event.ts';
import type { Taken } from '../audit/port.ts';
import type { Clock } from '../clock.ts';
import { type ListQuery, UNFILTERED } from '../registry/listing/query.ts';
import { type RegistryStore, RegistryUnavailable } from '../registry/port.ts';
import { StoreUnavailable } from '../store/fault.ts';
import type { Log } from '../telemetry/log.ts';
import { turn } from '../turns.ts';
import type { WebhookStore } from './port.ts';

const DAY_MS = 86_400_000;

export const EXPIRY_LIMITS = {
  /** Between two looks. In ms. */
  everyMs: 600_000,
  /** Accounts in one question. */
  page: 500,
} as const;

const WORD = 'warned:accounts';
const KINDS = ['service', 'user'] as const;

export interface ExpiryWarningsOptions {
  /** How many days before an expiry it is told, in any order. */
  readonly days: readonly number[];
  readonly registry: Pick<RegistryStore, 'list'>;
  readonly store: Pick<WebhookStore, 'word' | 'keep'>;
  readonly clock: Clock;
  readonly notify: (facts: NoticeFacts) => Taken;
  readonly log: Log;
}

/** How many accounts expire within so many days. */
export interface Expiring {
  readonly days: number;
  readonly count: number;
}

/**
 * Tells of accounts that expire soon, each once for each of some spans before it. What is kept is
 * not who was told of, but up to when: an account is told of by the look in which its expiry comes
 * within the span. So the work is that of reading who expires in a window as long as two looks are
 * apart, however many accounts there are; and who is given an expiry that is nearer than a span is
 * told of by the next shorter one.
 */
export class ExpiryWarnings {
  readonly #options: ExpiryWarningsOptions;
  readonly #days: readonly number[];
  #lookAtMs = Number.NEGATIVE_INFINITY;
  #expiring: readonly Expiring[] = [];
  #isAway = false;

  constructor(options: ExpiryWarningsOptions) {
    this.#options = options;
    this.#days = [...new Set(options.days)].sort((one, other) => one - other);
  }

  /** As of the last look of this instance. */
  get expiring(): readonly Expiring[] {
    return this.#expiring;
  }

  /** This instance looks no more: another one does. */
  rest(): void {
    this.#expiring = [];
    this.#lookAtMs = Number.NEGATIVE_INFINITY;
  }

  /** Looks where it is time to. Does not throw for a store that is away. */
  async look(): Promise<void> {
    const { clock, log } = this.#options;
    if (this.#days.length === 0 || clock.monotonicMs() < this.#lookAtMs) return;
    this.#lookAtMs = clock.monotonicMs() + EXPIRY_LIMITS.everyMs;
    try {
      await this.#look();
      this.#isAway = false;
    } catch (error) {
      const isAway = error instanceof StoreUnavailable || error instanceof RegistryUnavailable;
      if (!isAway) throw error;
      if (!this.#isAway) log.warn('who expires soon cannot be looked for', { error });
      this.#isAway = true;
    }
  }

  async #look(): Promise<void> {
    const { store, clock } = this.#options;
    const nowMs = clock.wallMs();
    const kept = Number((await store.word(WORD)) ?? Number.NaN);
    // A clock that was set back tells of nobody twice.
    const fromMs = Number.isFinite(kept) ? Math.min(kept, nowMs) : nowMs;
    const isTold = await this.#tell(fromMs, nowMs);
    if (isTold) await store.keep(WORD, String(nowMs));
    await this.#count(nowMs);
  }

  /** Whether the record took all of it. */
  async #tell(fromMs: number, nowMs: number): Promise<boolean> {
    const told = new Set<string>();
    for (const days of this.#days) {
      // Whoever has expired meanwhile is not told of any more.
      const afterMs = Math.max(nowMs, fromMs + days * DAY_MS);
      const untilMs = nowMs + days * DAY_MS;
      if (afterMs < untilMs && !(await this.#tellBetween(afterMs, untilMs, days, told)))
        return false;
    }
    return true;
  }

  async #tellBetween(
    afterMs: number,
    untilMs: number,
    days: number,
    told: Set<string>,
  ): Promise<boolean> {
    const { registry, notify, clock } = this.#options;
    for (const kind of KINDS) {
      let cursor: string | null = null;
      do {
        const page = await registry.list({ ...between(afterMs, untilMs), kind, cursor });
        await turn();
        for (const { account } of page.items) {
          // Of two spans at once the shorter one is told.
          if (account.status !== 'active' || account.expiresAt === null || told.has(account.id))
            continue;
          told.add(account.id);
          const { id, name, expiresAt } = account;
          const taken = notify({
            // The same for who has to tell it again.
            id: `expiry-${id}-${Date.parse(expiresAt)}-${days}`,
            timeMs: clock.wallMs(),
            type: 'account-expiring',
            target: { kind: 'account', id, name },
            detail: days === 1 ? 'within a day' : `within ${days} days`,
            expiresAt: new Date(Date.parse(expiresAt)).toISOString(),
          });
          if (taken === 'no-room') return false;
        }
        cursor = page.next;
      } while (cursor !== null);
    }
    return true;
  }

  async #count(nowMs: number): Promise<void> {
    const expiring: Expiring[] = [];
    for (const days of this.#days) {
      let count = 0;
      for (const kind of KINDS) {
        const query = { ...between(nowMs, nowMs + days * DAY_MS), limit: 1, kind, cursor: null };
        count += (await this.#options.registry.list(query)).total;
      }
      expiring.push({ days, count });
    }
    this.#expiring = expiring;
  }
}

/** Whoever expires after one moment and up to another. */
function between(nowMs: number, expiresUntilMs: number): Omit<ListQuery, 'kind'> {
  return { ...UNFILTERED, nowMs, expiresUntilMs, sort: 'expiresAt', limit: EXPIRY_LIMITS.page };
}

import type { Clock } from '../../clock.ts';
import type { EventOf } from '../event/audit-event.ts';
import type { AccountFacts } from '../event/call-facts.ts';
import type { NoticeFacts } from '../event/notice-event.ts';
import { isoTime } from '../event/text.ts';
import type { Taken } from '../port.ts';

/** Somebody has shown a token that was issued to be found. */
export interface HoneyPresented {
  /** The bait. Nobody has proved to be it. */
  readonly bait: AccountFacts;
  readonly tokenId: string;
  /** As the record holds it. */
  readonly clientAddress: string | null;
  readonly door: EventOf<'notice'>['door'] | null;
  readonly method: string | null;
  readonly path: string | null;
  readonly userAgent: string | null;
  /** Of the request, whose refusal is on record under it. */
  readonly requestId: string;
}

export interface HoneyTokensOptions {
  readonly clock: Clock;
  readonly nextId: () => string;
  readonly write: (facts: NoticeFacts) => Taken;
  /** Told of each presentation. */
  readonly presented: () => void;
}

export const HONEY_LIMITS = {
  /** Of one token: after a notice so long is counted. In ms. */
  intervalMs: 60_000,
  /** Tokens told apart; what comes beyond is counted by the metric alone, and by its refusals. */
  tokens: 1_024,
} as const;

interface Counted {
  readonly last: HoneyPresented;
  readonly firstMs: number;
  readonly lastMs: number;
  readonly count: number;
}

/**
 * Tells of honey tokens that somebody presents. The first time at once; whatever comes within a
 * minute is counted and told in one notice at its end, and so on as long as it goes on, so that
 * nobody can fill the record by it.
 */
export class HoneyTokens {
  readonly #options: HoneyTokensOptions;
  /** By the token's public handle; null: nothing has come since the last notice. */
  readonly #tokens = new Map<string, Counted | null>();
  #timer: NodeJS.Timeout | null = null;

  constructor(options: HoneyTokensOptions) {
    this.#options = options;
  }

  presented(seen: HoneyPresented): void {
    this.#options.presented();
    const nowMs = this.#options.clock.wallMs();
    const counted = this.#tokens.get(seen.tokenId);
    if (counted === undefined) {
      if (this.#tokens.size >= HONEY_LIMITS.tokens) return;
      const once = { last: seen, firstMs: nowMs, lastMs: nowMs, count: 1 };
      this.#tokens.set(seen.tokenId, this.#tell(once) ? null : once);
      this.#watch();
      return;
    }
    const { firstMs = nowMs, count = 0 } = counted ?? {};
    this.#tokens.set(seen.tokenId, { last: seen, firstMs, lastMs: nowMs, count: count + 1 });
  }

  /** Tells of what was counted. */
  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    for (const counted of this.#tokens.values()) if (counted !== null) this.#tell(counted);
    this.#tokens.clear();
  }

  #watch(): void {
    if (this.#timer !== null) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#turn();
    }, HONEY_LIMITS.intervalMs);
    this.#timer.unref();
  }

  #turn(): void {
    for (const [token, counted] of this.#tokens)
      if (counted === null) this.#tokens.delete(token);
      else if (this.#tell(counted)) this.#tokens.set(token, null);
    if (this.#tokens.size > 0) this.#watch();
  }

  /** Whether the record took it: else it is counted on. */
  #tell({ last, firstMs, lastMs, count }: Counted): boolean {
    const { bait, tokenId, requestId } = last;
    const { nextId, write } = this.#options;
    const several =
      count === 1 ? {} : { count, firstTime: isoTime(firstMs), lastTime: isoTime(lastMs) };
    const taken = write({
      id: nextId(),
      timeMs: lastMs,
      type: 'honey-token-presented',
      target: { kind: 'account', id: bait.id, name: bait.name },
      tokenId,
      door: last.door ?? undefined,
      method: last.method ?? undefined,
      path: last.path ?? undefined,
      clientAddress: last.clientAddress ?? undefined,
      userAgent: last.userAgent ?? undefined,
      requestId,
      ...several,
    });
    return taken !== 'no-room';
  }
}

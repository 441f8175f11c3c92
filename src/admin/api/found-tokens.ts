import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '../../clock.ts';
import { networkOf } from '../../limits/client-network.ts';
import { type AdminActor, storeOwner } from '../actor.ts';
import type { Control } from '../control.ts';
import { AdminError } from '../error.ts';

export const FOUND_LIMITS = { windowMs: 60_000, perClient: 10, inAll: 100, clients: 1_000 } as const;

/** Every answer takes at least so long, so that a revocation does not show in the time it takes. */
const ANSWER_MS = 400;

/** Whoever finds a token is nobody that is known. */
const FINDER: AdminActor = { ...storeOwner('finder', 'admin-api'), kind: 'system' };

/** Takes found tokens out of use. Anybody may report one, so few are taken: ten a minute of one client, a hundred of all. */
export class FoundTokens {
  readonly #control: Control;
  readonly #clock: Clock;
  #sinceMs = Number.NEGATIVE_INFINITY;
  #inAll = 0;
  #ofClient = new Map<string, number>();

  constructor(control: Control, clock: Clock) {
    this.#control = control;
    this.#clock = clock;
  }

  /** Null: this one is taken; else in how many seconds to come again. */
  retryAfterSeconds(address: string): number | null {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#sinceMs >= FOUND_LIMITS.windowMs) {
      this.#sinceMs = nowMs;
      this.#inAll = 0;
      this.#ofClient.clear();
    }
    const client = networkOf(address);
    const count = this.#ofClient.get(client) ?? 0;
    const full = count === 0 && this.#ofClient.size >= FOUND_LIMITS.clients;
    if (full || count >= FOUND_LIMITS.perClient || this.#inAll >= FOUND_LIMITS.inAll) {
      return Math.max(1, Math.ceil((this.#sinceMs + FOUND_LIMITS.windowMs - nowMs) / 1000));
    }
    this.#ofClient.set(client, count + 1);
    this.#inAll += 1;
    return null;
  }

  /** Resolves in the same way, and not sooner, whether or not it was a token. Throws `AdminError` `unavailable` when nobody could find out. */
  async report(token: string): Promise<void> {
    const [outcome] = await Promise.allSettled([
      this.#control.administration.reportToken(FINDER, { token, waitMs: 0 }),
      sleep(ANSWER_MS),
    ]);
    if (outcome.status === 'fulfilled') return;
    const { reason } = outcome;
    // Not even the form of a token: the same answer.
    if (reason instanceof AdminError && reason.code === 'invalid') return;
    throw reason;
  }
}

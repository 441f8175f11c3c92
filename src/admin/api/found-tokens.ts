import { setTimeout as sleep } from 'node:timers/promises';
import { networkOf } from '../../limits/client-network.ts';
import type { TryStore } from '../../limits/tries-port.ts';
import { type AdminActor, storeOwner } from '../actor.ts';
import type { Control } from '../control.ts';
import { AdminError } from '../error.ts';

/** Of one client, and of all. */
const WINDOW_MS = 60_000;
const PER_CLIENT = 10;
const IN_ALL = 100;

/** Every answer takes at least so long, so that a revocation does not show in the time it takes. */
const ANSWER_MS = 400;

/** Whoever finds a token is nobody that is known. */
const FINDER: AdminActor = { ...storeOwner('finder', 'admin-api'), kind: 'system' };

/**
 * Takes found tokens out of use. Anybody may report one, so few are taken: ten a minute of one
 * client, a hundred of all, over all instances.
 */
export class FoundTokens {
  readonly #control: Control;
  readonly #tries: TryStore;

  constructor(control: Control, tries: TryStore) {
    this.#control = control;
    this.#tries = tries;
  }

  /** Null: this one is taken; else in how many seconds to come again. Throws `StoreUnavailable`. */
  async retryAfterSeconds(address: string): Promise<number | null> {
    const { waitMs } = await this.#tries.charge([
      { key: `found:${networkOf(address)}`, costMs: WINDOW_MS / PER_CLIENT, mostMs: WINDOW_MS },
      { key: 'found', costMs: WINDOW_MS / IN_ALL, mostMs: WINDOW_MS },
    ]);
    return waitMs === 0 ? null : Math.ceil(waitMs / 1000);
  }

  /**
   * Resolves in the same way, and not sooner, whether or not it was a token. Throws `AdminError`
   * `unavailable` when nobody could find out.
   */
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

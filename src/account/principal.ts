import type { Account } from './model.ts';

/** An account compiled for deciding: look-ups instead of searches. Immutable; a change to the account makes a new one. */
export interface Principal {
  readonly account: Account;
}

import type { RefusalReason } from '../../refusal.ts';
import type { EventOf } from './audit-event.ts';
import { isoTime } from './text.ts';
import { eventJson } from './write.ts';

/** How a sign-in to the console ended. One word each; who tries is told less. */
export type SignInReason =
  | 'signed-in'
  | 'signed-out'
  | 'password-wrong'
  | 'account-inactive'
  | 'account-expired'
  | 'not-a-user'
  | 'name-unknown'
  | 'throttled'
  /** The identity provider did not vouch for whoever came back from it. */
  | 'identity-refused'
  /** It did, and none of the groups has a role here. */
  | 'identity-without-role'
  /**
   * It did, and the account of that name (or the person's own, under another name) is not theirs to
   * use.
   */
  | 'identity-name-taken';

export interface SignInFacts {
  /** Unique id of the event. */
  readonly id: string;
  readonly timeMs: number;
  readonly reason: SignInReason;
  /** Whoever has proved to be it; null otherwise. */
  readonly account: { readonly id: string; readonly name: string } | null;
  /**
   * Whose name was typed, where there is such an account. A name that is none is not recorded:
   * people type passwords into the wrong field.
   */
  readonly claimedAccountId: string | null;
  readonly clientAddress: string | null;
  readonly userAgent: string | null;
  /** Absent: a password. */
  readonly method?: 'oidc';
  /** Whoever was to be let in was told this instead: the outcome of a sign-in with the same id. */
  readonly instead?: { readonly reason: RefusalReason; readonly status: number };
}

/**
 * One line of JSON about somebody at the door of the console. Like events about calls, it has no
 * field that a secret could be in.
 */
export function signInEvent(instance: string, seq: number, facts: SignInFacts): string {
  const { id, account, reason, instead } = facts;
  const common = {
    id,
    time: isoTime(facts.timeMs),
    type: 'sign-in',
    instance,
    seq,
    account: account === null ? null : userOf(account),
    claimedAccountId: facts.claimedAccountId ?? undefined,
    method: facts.method,
    clientAddress: facts.clientAddress ?? undefined,
    userAgent: facts.userAgent ?? undefined,
  } as const;
  if (instead !== undefined) return eventJson({ ...common, phase: 'outcome', ...instead });
  const letIn = reason === 'signed-in' || reason === 'signed-out';
  const decision = letIn ? 'permit' : 'refusal';
  return eventJson({ ...common, phase: 'sign-in', decision, reason });
}

function userOf({ id, name }: NonNullable<SignInFacts['account']>): EventOf<'signIn'>['account'] {
  return { id, name, kind: 'user' };
}

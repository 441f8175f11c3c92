import type { Reason } from '../../refusal.ts';
import type { EventOf } from './audit-event.ts';
import type { Actor } from './change-event.ts';
import { EVENT_LIMITS } from './limits.ts';
import { bounded, isoTime } from './text.ts';
import { eventJson } from './write.ts';

/**
 * One request to the administration, beside the `change` that it may make: who asked for what, and
 * what was said.
 */
export interface AdminCallFacts {
  /** The request id. */
  readonly id: string;
  readonly timeMs: number;
  readonly phase: 'decision' | 'outcome';
  /** `permitted`, or why not. */
  readonly reason: Reason;
  /** Null: nobody known. */
  readonly actor: Actor | null;
  /** Of a token that proved nothing: the account that it named. */
  readonly claimedAccountId: string | null;
  readonly tokenId: string | null;
  /** Null: what came could not be read as a request. */
  readonly method: string | null;
  /** Without query. */
  readonly path: string | null;
  /** What was answered; null in the decision of a call that is let in. */
  readonly status: number | null;
  readonly durationMs: number | null;
  readonly clientAddress: string | null;
  readonly userAgent: string | null;
}

/** One line of JSON. Fields without a value are left out. */
export function adminCallEvent(instance: string, seq: number, facts: AdminCallFacts): string {
  const { id, actor, reason, durationMs } = facts;
  const common = {
    id,
    time: isoTime(facts.timeMs),
    type: 'admin-call',
    instance,
    seq,
    account: accountOf(actor),
    actor: actor === null ? undefined : actorText(actor),
    claimedAccountId: facts.claimedAccountId ?? undefined,
    tokenId: facts.tokenId ?? undefined,
    reason,
    ...askedFor(facts),
    status: facts.status ?? undefined,
    clientAddress: facts.clientAddress ?? undefined,
    userAgent: facts.userAgent ?? undefined,
    requestId: id,
  } as const;
  if (facts.phase === 'decision') {
    const decision = reason === 'permitted' ? 'permit' : 'refusal';
    return eventJson({ ...common, phase: 'decision', decision });
  }
  const took = durationMs === null ? undefined : Math.round(durationMs * 1000) / 1000;
  return eventJson({ ...common, phase: 'outcome', durationMs: took });
}

/** Null for whoever acts with the store itself. */
function accountOf(actor: Actor | null): EventOf<'adminDecision'>['account'] {
  if (actor === null || actor.id === null) return null;
  const { id, name, kind } = actor;
  return kind === 'service' || kind === 'user' ? { id, name, kind } : null;
}

/** Whoever asks, field by field: nothing that is added to an actor gets here by itself. */
export function actorText({ id, name, kind, via }: Actor): Actor {
  return { id, name, kind, via };
}

/** What was asked for, within limits. */
export function askedFor({ method, path }: Pick<AdminCallFacts, 'method' | 'path'>) {
  return {
    method: method === null ? undefined : bounded(method, EVENT_LIMITS.short),
    path:
      path === null
        ? undefined
        : bounded(path.split(/[?#]/, 1)[0] ?? '', EVENT_LIMITS.path).toWellFormed(),
  };
}

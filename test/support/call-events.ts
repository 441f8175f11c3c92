import { EventBytes } from '../../src/audit/event/bytes.ts';
import type { CallEvents } from '../../src/audit/event/call-event.ts';
import type {
  AccountFacts,
  CallFacts,
  EndFacts,
  VerdictFacts,
} from '../../src/audit/event/call-facts.ts';
import type { PlainAccount } from '../../src/audit/event/kept-blocks.ts';
import type { Reason } from '../../src/refusal.ts';

/** All that a decision's event says, side by side. */
export interface DecisionFacts
  extends CallFacts,
    Omit<VerdictFacts, 'account' | 'permitted' | 'reason'> {
  readonly timeMs: number;
  readonly reason: Reason;
  readonly account: AccountFacts | null;
  readonly status: number | null;
}

export interface OutcomeFacts
  extends Pick<DecisionFacts, 'id' | 'timeMs' | 'account' | 'route' | 'application' | 'traceId'>,
    EndFacts {
  readonly demand?: DecisionFacts['demand'];
}

export const DECISION: DecisionFacts = {
  id: 'request-1',
  timeMs: Date.UTC(2026, 10, 24, 6, 7, 8, 9),
  reason: 'permitted',
  account: { id: 'a1B2c3D4e5F6', name: 'billing', kind: 'service' },
  claimedAccountId: null,
  exposed: false,
  tokenId: '0123456789abcdef',
  scheme: null,
  preflight: null,
  detail: null,
  route: { name: 'deploy', permission: 'deployments:write', upstream: 'deployments' },
  application: 'CRM',
  demand: null,
  role: 'deployer',
  method: 'POST',
  path: '/deployments',
  status: null,
  clientAddress: '192.0.2.7',
  userAgent: 'curl/8.0',
  traceId: null,
};

export const OUTCOME: OutcomeFacts = {
  id: 'request-1',
  timeMs: DECISION.timeMs,
  reason: 'permitted',
  account: DECISION.account,
  route: DECISION.route,
  application: 'CRM',
  status: 200,
  upstreamStatus: 200,
  durationMs: 12.3456789,
  gateMs: 0.5004,
  upstreamMs: 11,
  requestBytes: 5,
  responseBytes: 7,
  traceId: null,
};

function verdictOf(facts: DecisionFacts): VerdictFacts {
  const { account } = facts;
  return {
    ...facts,
    permitted: facts.reason === 'permitted',
    account: account === null ? null : { account },
  };
}

function written(facts: DecisionFacts, write: (to: EventBytes) => void): string {
  // Memory that was used before: whatever was in it must not show.
  const to = new EventBytes(16);
  to.json(JSON.stringify(facts.id ?? '').repeat(3));
  to.shorten(0);
  write(to);
  return to.written().toString();
}

export function decisionLine(events: CallEvents, seq: number, facts: DecisionFacts): string {
  return written(facts, (to) =>
    events.decision(to, seq, facts.timeMs, facts, verdictOf(facts), facts.status),
  );
}

/** Whether a decision was found to hold nothing but plain texts. */
decisionLine.plain = (events: CallEvents, facts: DecisionFacts): PlainAccount | null =>
  events.decision(new EventBytes(16), 1, facts.timeMs, facts, verdictOf(facts), facts.status);

export function outcomeLine(
  events: CallEvents,
  seq: number,
  facts: OutcomeFacts,
  plain: PlainAccount | null = null,
): string {
  const whole = { ...DECISION, ...facts, demand: facts.demand ?? null };
  return written(whole, (to) =>
    events.outcome(to, seq, facts.timeMs, whole, verdictOf(whole), facts, plain),
  );
}

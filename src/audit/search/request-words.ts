import { REFUSALS, type RefusalReason } from '../../refusal.ts';
import type { AuditEvent, EventOf } from '../event/audit-event.ts';
import { type ReadEvent, readEvent } from '../event/read.ts';

/** A question that a person has of a request, and its answer. */
export type Answered = readonly [question: string, answer: string];

type Decision = EventOf<'callDecision'> | EventOf<'adminDecision'>;
type Outcome = Extract<AuditEvent, { phase: 'outcome' }>;

/**
 * What was recorded of one request, told as answers: the decision, the outcome, what the client
 * got, who asked, why it was decided so, and by which rule. Empty: nothing is known.
 *
 * @param lines its events, in any order
 */
export function requestWords(lines: readonly string[]): readonly Answered[] {
  const events = lines.map(readEvent);
  const decision = events.find(isDecision);
  const outcome = events.find((event) => event.phase === 'outcome');
  const signIn = events.find((event) => event.phase === 'sign-in');
  return [
    ...(decision === undefined ? [] : aboutDecision(decision)),
    ...(signIn === undefined ? [] : aboutSignIn(signIn)),
    ...(decision === undefined && outcome !== undefined ? aboutLostDecision(outcome) : []),
    ...aboutEnd(decision, outcome),
    ...events.filter((event) => event.phase === 'change').map(aboutChange),
    ...events.filter((event) => event.phase === 'unreadable').map(aboutUnreadable),
  ];
}

function isDecision(event: ReadEvent): event is Decision {
  return event.phase === 'decision' && !('count' in event);
}

function aboutDecision(event: Decision): readonly Answered[] {
  return [
    ['time', event.time],
    ['request', `${event.method ?? '-'} ${event.path ?? '-'}`],
    ['decision', event.decision === 'permit' ? 'permitted' : 'refused'],
    ['why', whyWords(event)],
    ['who', whoWords(event)],
    ['rule', ruleWords(event)],
    ['client', [event.clientAddress ?? 'unknown address', event.userAgent ?? ''].join(' ').trim()],
    ...('traceId' in event && event.traceId !== undefined
      ? [['trace', event.traceId] as const]
      : []),
    ['instance', `${event.instance}, event ${event.seq}`],
  ];
}

function whyWords(event: Decision): string {
  const detail = 'detail' in event && event.detail !== undefined ? ` (${event.detail})` : '';
  const { reason } = event;
  const title = Object.hasOwn(REFUSALS, reason) ? REFUSALS[reason as RefusalReason].title : null;
  return `${reason}${title === null ? '' : `: ${title}`}${detail}`;
}

function whoWords({ account, claimedAccountId, tokenId, ...event }: Decision): string {
  const token = tokenId === undefined ? '' : `, token ${tokenId}`;
  const actor = 'actor' in event && event.actor !== undefined ? `, by the ${event.actor.via}` : '';
  if (account !== null)
    return `${account.name} (${account.kind} account ${account.id})${token}${actor}`;
  const claimed = claimedAccountId === undefined ? '' : `, claims to be ${claimedAccountId}`;
  return `nobody known${claimed}${token}`;
}

function ruleWords(event: Decision): string {
  if (event.type === 'admin-call') return 'the rights of the administration';
  const { route, permission, permissions, application, applications, role, upstream } = event;
  const needed = permissions ?? (permission === undefined ? [] : [permission]);
  const about = applications ?? (application === undefined ? [] : [application]);
  if (route === undefined) return 'no route matched';
  return [
    `route ${route}`,
    ...(needed.length === 0 ? [] : [`needs ${needed.join(', ')}`]),
    ...(about.length === 0 ? [] : [`on ${about.join(', ')}`]),
    ...(role === undefined ? [] : [`decided by role ${role}`]),
    ...(upstream === undefined ? [] : [`leads to ${upstream}`]),
  ].join(', ');
}

function aboutSignIn(event: EventOf<'signIn'>): readonly Answered[] {
  const claimed = event.claimedAccountId ?? null;
  const unknown = claimed === null ? 'nobody known' : `claims to be ${claimed}`;
  return [
    ['time', event.time],
    ['request', 'sign-in to the console'],
    ['decision', event.decision === 'permit' ? 'permitted' : 'refused'],
    ['why', event.reason],
    ['who', event.account === null ? unknown : event.account.name],
    ['client', event.clientAddress ?? 'unknown address'],
  ];
}

/** Its beginning was cut off by retention, or lies before what was looked at. */
function aboutLostDecision(event: Outcome): readonly Answered[] {
  return [
    ['decision', 'not found: it is older than what is kept or was looked at'],
    ['who', event.account?.name ?? 'nobody known'],
  ];
}

function aboutEnd(decision: Decision | undefined, outcome: Outcome | undefined): Answered[] {
  if (outcome === undefined) {
    if (decision === undefined) return [];
    if (decision.status !== undefined) return [['client got', String(decision.status)]];
    return isAsked(decision)
      ? [['outcome', 'none: a proxy asked, and does itself what was permitted']]
      : [['outcome', 'none yet: the call is under way']];
  }
  const ended: readonly Answered[] = [['outcome', outcome.reason]];
  if ('decidedBy' in outcome)
    return [...ended, ['client got', `not known: ${outcome.decidedBy} ended without a word`]];
  const { status, ...rest } = outcome;
  const told = status === undefined ? 'no answer' : String(status);
  const words = [
    ...('responseBytes' in rest && rest.responseBytes !== undefined
      ? [`${rest.responseBytes} bytes`]
      : []),
    ...('upstreamStatus' in rest && rest.upstreamStatus !== undefined
      ? [`the upstream said ${rest.upstreamStatus}`]
      : []),
  ];
  const got: Answered = ['client got', [told, ...words].join(', ')];
  const took = 'durationMs' in rest ? tookWords(rest) : null;
  return [...ended, got, ...(took === null ? [] : [['took', took] as const])];
}

type Times = Partial<Pick<EventOf<'callOutcome'>, 'durationMs' | 'gateMs' | 'upstreamMs'>>;

/** Whose time it was; null: nobody measured it. */
function tookWords({ durationMs, gateMs, upstreamMs }: Times): string | null {
  if (durationMs === undefined) return null;
  if (gateMs === undefined) return `${durationMs} ms`;
  const upstream =
    upstreamMs === undefined
      ? 'the upstream did not respond'
      : `the upstream ${upstreamMs} ms until it responded`;
  return `${durationMs} ms: the gate ${gateMs} ms, ${upstream}`;
}

function isAsked(decision: Decision): boolean {
  return 'door' in decision && decision.door === 'decision';
}

function aboutChange(event: EventOf<'change'>): Answered {
  const { type, target, actor } = event;
  return ['changed', `${type} ${target.kind} ${target.name}, by ${actor.name} (${actor.via})`];
}

function aboutUnreadable({ reason, line }: Extract<ReadEvent, { phase: 'unreadable' }>): Answered {
  return ['unreadable', `${reason}: ${line}`];
}

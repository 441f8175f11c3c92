import { CHANGE_TYPES, type EventKind, NOTICE_TYPES } from './audit-event.ts';

const CHAIN_KINDS = {
  'instance-begun': 'instanceBegun',
  'instance-ended': 'instanceEnded',
  'chain-head': 'chainHead',
  'events-lost': 'eventsLost',
  'permits-closed': 'permitsClosed',
  'log-trimmed': 'logTrimmed',
} as const;

/** What an instance says of its own series of events. */
export type ChainKind = (typeof CHAIN_KINDS)[keyof typeof CHAIN_KINDS];

/** Which kind an event is by what it says of itself; null: none that is known here. */
export function kindOf(event: Readonly<Record<string, unknown>>): EventKind | null {
  const { type, phase } = event;
  const called = type === 'call' || type === 'admin-call';
  if (called && phase === 'decision' && 'count' in event) return 'foldedDecision';
  if (called && phase === 'outcome' && 'decidedBy' in event) return 'unknownOutcome';
  switch (phase) {
    case 'decision':
      return type === 'call' ? 'callDecision' : type === 'admin-call' ? 'adminDecision' : null;
    case 'outcome':
      if (type === 'sign-in') return 'signInOutcome';
      return type === 'call' ? 'callOutcome' : type === 'admin-call' ? 'adminOutcome' : null;
    case 'sign-in':
      return type === 'sign-in' ? 'signIn' : null;
    case 'chain':
      return typeof type === 'string' && Object.hasOwn(CHAIN_KINDS, type)
        ? CHAIN_KINDS[type as keyof typeof CHAIN_KINDS]
        : null;
    case 'notice':
      return (NOTICE_TYPES as readonly unknown[]).includes(type) ? 'notice' : null;
    case 'change':
      return (CHANGE_TYPES as readonly unknown[]).includes(type) ? 'change' : null;
    default:
      return null;
  }
}

import type { AuditEvent, EventOf } from '../audit/event/audit-event.ts';
import { chainWords } from '../audit/event/chain-words.ts';
import { markOf, type ReadEvent, readEvent, type UnreadableEvent } from '../audit/event/read.ts';
import { REFUSALS, type RefusalReason } from '../refusal.ts';
import type { Tone } from './components/parts.ts';
import { msWords, plural, secondWords } from './words.ts';

/**
 * One row of a log as it is shown: plain texts, the same for the page and for the script that adds
 * rows to it. A call is one row, whose beginning (the verdict) and ending (what became of it) are
 * two events of one id.
 */
export interface EventRow {
  readonly id: string;
  /** Where to go on after this event. */
  readonly mark: string;
  /** `call`, or nothing. */
  readonly kind: 'call' | '';
  /** Page that tells it whole; empty: there is none. */
  readonly story: string;
  /** The row only fills in the ending of another one. */
  readonly ending: boolean;
  readonly iso: string;
  readonly time: string;
  readonly tone: Tone;
  readonly verdict: string;
  readonly who: string;
  readonly what: string;
  readonly detail: string;
  readonly result: string;
}

export function eventRow(line: string): EventRow {
  const event = readEvent(line);
  const common = {
    id: event.id,
    mark: markOf(line),
    kind: '' as EventRow['kind'],
    story: storyPath(('requestId' in event ? event.requestId : undefined) ?? event.id),
    ending: false,
    iso: event.time,
    time: secondWords(event.time),
  };
  return { ...common, ...wordsOf(event) };
}

/** Of a request, or of an event that belongs to none. */
export function storyPath(id: string): string {
  return id === '' ? '' : `/activity/requests/${encodeURIComponent(id)}`;
}

function wordsOf(event: ReadEvent): Words {
  switch (event.phase) {
    case 'change':
      return change(event);
    case 'sign-in':
      return signIn(event);
    case 'outcome':
      return outcome(event);
    case 'decision':
      return 'count' in event ? folded(event) : decision(event);
    case 'notice':
      return notice(event);
    case 'chain':
      return {
        tone: event.type === 'events-lost' ? 'warn' : '',
        verdict: 'Record',
        who: event.instance,
        what: chainWords(event),
        detail: '',
        result: '',
      };
    case 'unreadable':
      return unreadable(event);
  }
}

/** Rows of a page, newest first, with each ending filled into its beginning. */
export function eventRows(lines: readonly string[]): readonly EventRow[] {
  const rows = lines.map(eventRow);
  const begun = new Set(rows.filter(({ ending }) => !ending).map(({ id }) => id));
  const endings = new Map(rows.filter(({ ending }) => ending).map((row) => [row.id, row]));
  return rows
    .filter((row) => !row.ending || !begun.has(row.id))
    .map((row) => {
      const ending = row.ending ? undefined : endings.get(row.id);
      return ending === undefined
        ? row
        : { ...row, result: ending.result, tone: ending.tone || row.tone };
    });
}

type Words = Pick<EventRow, 'tone' | 'verdict' | 'who' | 'what' | 'detail' | 'result'> & {
  readonly ending?: boolean;
  readonly kind?: EventRow['kind'];
};

type Decision = EventOf<'callDecision'> | EventOf<'adminDecision'>;

function decision(event: Decision): Words {
  const called: Partial<EventOf<'callDecision'>> = event.type === 'call' ? event : {};
  const { exposed, permission, role, application, applications } = called;
  const detail = sentence([
    ...(event.decision === 'permit' ? [] : [reasonWords(event.reason)]),
    ...(exposed === true ? ['the token came over plain HTTP and is exposed'] : []),
    ...(permission === undefined ? [] : [`needs ${permission}`]),
    ...(role === undefined
      ? []
      : [`role ${role}${application === undefined ? '' : ` on ${application}`}`]),
    ...(applications === undefined ? [] : [`about ${applications.join(', ')}`]),
    ...clientWords(event),
  ]);
  return {
    ...verdictWords(event),
    who: whoIn(event),
    what: `${event.method ?? '-'} ${event.path ?? '-'}`,
    detail,
    result: event.status === undefined ? '' : String(event.status),
    kind: 'call',
  };
}

function folded(event: EventOf<'foldedDecision'>): Words {
  const from = `from ${event.clientAddress ?? 'many addresses'}`;
  return {
    ...verdictWords(event),
    who: event.account?.name ?? 'nobody known',
    what: `${plural(event.count, 'call')} in a short time`,
    detail: sentence([reasonWords(event.reason), from]),
    result: '',
  };
}

function verdictWords({ decision: said }: { readonly decision: string }) {
  const permitted = said === 'permit';
  const tone: Tone = permitted ? 'good' : 'bad';
  return { tone, verdict: permitted ? 'Let in' : 'Refused' };
}

function whoIn({ account, claimedAccountId }: Decision | EventOf<'signIn'>): string {
  if (account !== null) return account.name;
  return claimedAccountId === undefined ? 'nobody known' : `claims to be ${claimedAccountId}`;
}

function clientWords({ clientAddress, userAgent }: Decision | EventOf<'signIn'>): string[] {
  return [
    ...(clientAddress === undefined ? [] : [`from ${clientAddress}`]),
    ...(userAgent === undefined || userAgent === '' ? [] : [userAgent]),
  ];
}

function outcome(event: Extract<AuditEvent, { phase: 'outcome' }>): Words {
  const status = 'status' in event ? event.status : undefined;
  const durationMs = 'durationMs' in event ? event.durationMs : undefined;
  const route = 'route' in event ? event.route : undefined;
  const isWell = event.reason === 'permitted';
  const took = durationMs === undefined ? '' : ` in ${msWords(durationMs)}`;
  const result = `${status ?? 'no answer'}${took}${isWell ? '' : `, ${reasonWords(event.reason)}`}`;
  // Said only where the beginning is not shown.
  return {
    tone: isWell ? '' : 'warn',
    verdict: 'Ended',
    who: event.account?.name ?? '-',
    what: route ?? 'a call',
    detail: '',
    result,
    ending: true,
  };
}

function notice(event: EventOf<'notice'>): Words {
  const { type, count = 1, expiresAt, detail, clientAddress } = event;
  const times = count === 1 ? '' : `, ${plural(count, 'time')}`;
  return {
    tone: type === 'honey-token-presented' ? 'bad' : 'warn',
    verdict: 'Notice',
    who: event.target?.name ?? event.instance,
    what: `${NOTICES[type]}${times}`,
    detail: sentence([
      ...(expiresAt === undefined ? [] : [`at ${secondWords(expiresAt)}`]),
      ...(detail === undefined ? [] : [detail]),
      ...(clientAddress === undefined ? [] : [`from ${clientAddress}`]),
    ]),
    result: '',
  };
}

const NOTICES: Readonly<Record<EventOf<'notice'>['type'], string>> = {
  'honey-token-presented': 'Somebody presented its honey token',
  'account-expiring': 'The account expires soon',
  'certificate-expiring': 'A certificate expires soon',
  'gaps-found': 'Accepted events are lost',
};

/** Damaged, or of another version: shown as it is rather than missing. */
function unreadable({ reason, line }: UnreadableEvent): Words {
  const shown = line.length > LONGEST_LINE ? `${line.slice(0, LONGEST_LINE)}…` : line;
  return {
    tone: 'warn',
    verdict: 'Unreadable',
    who: '-',
    what: 'An event that this version cannot read',
    detail: sentence([reason, shown]),
    result: '',
  };
}

const LONGEST_LINE = 500;

const CHANGES: Readonly<Record<string, string>> = {
  'account-created': 'Created the account',
  'account-changed': 'Changed the account',
  'account-activated': 'Activated the account',
  'account-deactivated': 'Deactivated the account',
  'account-deleted': 'Deleted the account',
  'account-revived': 'Brought back from an export, against what was revoked, the account',
  'role-revived': 'Brought back from an export, against what it had come to, the role',
  'team-revived': 'Brought back from an export, against what it had come to, the team',
  'token-issued': 'Issued a token for',
  'token-rotated': 'Generated a new token for',
  'token-renewed': 'Renewed its own token:',
  'overlap-closed': 'Ended the overlap of the old token of',
  'password-set': 'Set the password of',
  'sessions-ended': 'Ended all sessions of',
  'registry-made': 'Made the registry',
  'registry-adopted': 'Confirmed for a data folder the registry',
  'change-proposed': 'Proposed, for another administrator to approve, a change of',
  'change-approved': 'Approved what another administrator had proposed for',
  'change-withdrawn': 'Withdrew what was proposed for',
  'change-expired': 'Nobody approved in time what was proposed for',
};

function change(event: EventOf<'change'>): Words {
  const { target, actor, type } = event;
  const phrase = CHANGES[type] ?? `${type.replaceAll('-', ' ')}:`;
  return {
    tone: 'info',
    verdict: 'Changed',
    who: actor.name,
    what: `${phrase} ${target.name}`,
    detail: sentence([
      ...differences(event),
      `by the ${actor.via.replace('-', ' ').replace('admin api', 'admin API')}`,
    ]),
    result: '',
  };
}

const COMPARED = [
  'status',
  'role',
  'description',
  'expiresAt',
  'allowedNetworks',
  'boundTo',
  'teams',
  'grants',
  'permissions',
  'applications',
  'registry',
] as const;

/** What is different afterwards; nothing for what was created or deleted as a whole. */
function differences({ before, after }: EventOf<'change'>): readonly string[] {
  if (before === null || after === null) return [];
  return differencesOf(before, after).map((one) => `${one.name}: ${one.before} → ${one.after}`);
}

type Recorded = Readonly<Record<string, unknown>> | null;

/** Fields that are not the same, in words. */
export function differencesOf(before: Recorded, after: Recorded) {
  return COMPARED.filter(
    (name) => JSON.stringify(before?.[name]) !== JSON.stringify(after?.[name]),
  ).map((name) => ({
    name,
    before: valueWords(before?.[name]),
    after: valueWords(after?.[name]),
  }));
}

function entriesWords(value: object): string {
  return Object.entries(value)
    .map(([name, one]) => `${name} ${one}`)
    .join(', ');
}

function valueWords(value: unknown): string {
  if (value === null || value === undefined || value === '') return 'none';
  if (typeof value === 'object' && !Array.isArray(value)) return entriesWords(value);
  if (!Array.isArray(value)) return String(value);
  if (value.length === 0) return 'none';
  return value
    .map((one) =>
      typeof one === 'object' && one !== null ? Object.values(one).join(': ') : String(one),
    )
    .join(', ');
}

const SIGN_INS: Readonly<Record<string, string>> = {
  'signed-in': 'Signed in to the console',
  'signed-out': 'Signed out of the console',
  'password-wrong': 'Wrong password for the console',
  'name-unknown': 'Unknown name at the console',
  'not-a-user': 'A service account at the console',
  'account-inactive': 'Inactive, at the console',
  'account-expired': 'Expired, at the console',
  'identity-refused': 'Not vouched for by the identity provider',
  'identity-without-role': 'In no group that has a role here',
  'identity-name-taken': 'The account of that name is not theirs',
  throttled: 'Too many wrong passwords: further ones are not looked at for a while',
};

function signIn(event: EventOf<'signIn'>): Words {
  const isIn = event.decision === 'permit';
  return {
    tone: isIn ? 'info' : 'bad',
    verdict: isIn ? 'Sign-in' : 'Refused',
    who: whoIn(event),
    what: SIGN_INS[event.reason] ?? 'At the console',
    detail: sentence(clientWords(event)),
    result: '',
  };
}

/** `permission-denied` as its title in the table of refusals. */
export function reasonWords(reason: string): string {
  const words: Readonly<Record<string, string>> = {
    'token-malformed': 'the token is malformed',
    'token-unknown': 'the token is unknown',
    'token-revoked': 'the token was revoked',
    'token-expired': 'the account has expired',
    'account-inactive': 'the account is inactive',
    'token-unbound': 'without the certificate that its token is bound to',
    'address-refused': 'from outside the networks that it is let in from',
    'client-aborted': 'the client went away',
    'outcome-unknown': 'how it ended is not known',
  };
  const title = Object.hasOwn(REFUSALS, reason) ? REFUSALS[reason as RefusalReason].title : reason;
  return words[reason] ?? `${title.slice(0, 1).toLowerCase()}${title.slice(1)}`;
}

function sentence(parts: readonly string[]): string {
  const joined = parts.join(' · ');
  return `${joined.slice(0, 1).toUpperCase()}${joined.slice(1)}`;
}

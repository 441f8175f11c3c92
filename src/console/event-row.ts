import { markOf } from '../admin/activity.ts';
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

interface Shown {
  readonly id?: string;
  readonly time?: string;
  readonly phase?: string;
  readonly type?: string;
  readonly decision?: string;
  readonly reason?: string;
  readonly account?: { readonly name?: string } | null;
  readonly claimedAccountId?: string;
  readonly exposed?: boolean;
  readonly method?: string;
  readonly path?: string;
  readonly route?: string;
  readonly permission?: string;
  readonly application?: string;
  readonly applications?: readonly string[];
  readonly role?: string;
  readonly status?: number;
  readonly durationMs?: number;
  readonly clientAddress?: string;
  readonly userAgent?: string;
  readonly count?: number;
  readonly actor?: { readonly name?: string; readonly via?: string };
  readonly target?: { readonly kind?: string; readonly name?: string };
  readonly before?: Readonly<Record<string, unknown>> | null;
  readonly after?: Readonly<Record<string, unknown>> | null;
}

/** Null for a line that cannot be read. */
export function eventRow(line: string): EventRow | null {
  const event = parse(line);
  if (event === null) return null;
  const iso = text(event.time);
  const common = {
    id: text(event.id),
    mark: markOf(line),
    kind: '' as EventRow['kind'],
    ending: false,
    iso,
    time: secondWords(iso),
  };
  if (event.phase === 'change') return { ...common, ...change(event) };
  if (event.phase === 'sign-in') return { ...common, ...signIn(event) };
  if (event.phase === 'outcome') return { ...common, ...outcome(event) };
  return { ...common, ...decision(event) };
}

/** Rows of a page, newest first, with each ending filled into its beginning. */
export function eventRows(lines: readonly string[]): readonly EventRow[] {
  const rows = lines.map(eventRow).filter((row) => row !== null);
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

function decision(event: Shown): Words {
  const permitted = event.decision === 'permit';
  const claimed =
    event.claimedAccountId === undefined
      ? 'nobody known'
      : `claims to be ${event.claimedAccountId}`;
  const who = event.account?.name ?? claimed;
  const verdict = permitted ? 'Let in' : 'Refused';
  const tone: Tone = permitted ? 'good' : 'bad';
  if (event.count !== undefined) {
    const detail = sentence([
      reasonWords(event.reason),
      `from ${event.clientAddress ?? 'many addresses'}`,
    ]);
    return {
      tone,
      verdict,
      who,
      what: `${plural(event.count, 'call')} in a short time`,
      detail,
      result: '',
    };
  }
  const why = permitted ? [] : [reasonWords(event.reason)];
  const detail = sentence([
    ...why,
    ...(event.exposed === true ? ['the token came over plain HTTP and is exposed'] : []),
    ...(event.permission === undefined ? [] : [`needs ${event.permission}`]),
    ...(event.role === undefined
      ? []
      : [`role ${event.role}${event.application === undefined ? '' : ` on ${event.application}`}`]),
    ...(event.applications === undefined ? [] : [`about ${event.applications.join(', ')}`]),
    ...(event.clientAddress === undefined ? [] : [`from ${event.clientAddress}`]),
    ...(event.userAgent === undefined ? [] : [event.userAgent]),
  ]);
  const result = event.status === undefined ? '' : String(event.status);
  return {
    tone,
    verdict,
    who,
    what: `${event.method ?? '-'} ${event.path ?? '-'}`,
    detail,
    result,
    kind: 'call',
  };
}

function outcome(event: Shown): Words {
  const isWell = event.reason === 'permitted' || event.reason === undefined;
  const took = event.durationMs === undefined ? '' : ` in ${msWords(event.durationMs)}`;
  const result = `${event.status ?? 'no answer'}${took}${isWell ? '' : `, ${reasonWords(event.reason)}`}`;
  const who = event.account?.name ?? '-';
  // Said only where the beginning is not shown.
  return {
    tone: isWell ? '' : 'warn',
    verdict: 'Ended',
    who,
    what: event.route ?? 'a call',
    detail: '',
    result,
    ending: true,
  };
}

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
};

function change(event: Shown): Words {
  const target = event.target?.name ?? '';
  const phrase = CHANGES[event.type ?? ''] ?? `${(event.type ?? 'change').replaceAll('-', ' ')}:`;
  const via = event.actor?.via ?? 'unknown';
  return {
    tone: 'info',
    verdict: 'Changed',
    who: event.actor?.name ?? '-',
    what: `${phrase} ${target}`,
    detail: sentence([
      ...differences(event),
      `by the ${via.replace('-', ' ').replace('admin api', 'admin API')}`,
    ]),
    result: '',
  };
}

const COMPARED = [
  'status',
  'role',
  'description',
  'expiresAt',
  'teams',
  'grants',
  'permissions',
  'applications',
  'registry',
] as const;

/** What is different afterwards; nothing for what was created or deleted as a whole. */
function differences({ before, after }: Shown): readonly string[] {
  if (typeof before !== 'object' || typeof after !== 'object' || before === null || after === null)
    return [];
  return COMPARED.filter(
    (name) => JSON.stringify(before[name]) !== JSON.stringify(after[name]),
  ).map((name) => `${name}: ${valueWords(before[name])} → ${valueWords(after[name])}`);
}

function valueWords(value: unknown): string {
  if (value === null || value === undefined || value === '') return 'none';
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

function signIn(event: Shown): Words {
  const isIn = event.decision === 'permit';
  const from = [
    ...(event.clientAddress === undefined ? [] : [`from ${event.clientAddress}`]),
    ...((event.userAgent ?? '') ? [event.userAgent ?? ''] : []),
  ];
  return {
    tone: isIn ? 'info' : 'bad',
    verdict: isIn ? 'Sign-in' : 'Refused',
    who:
      event.account?.name ??
      (event.claimedAccountId === undefined
        ? 'nobody known'
        : `claims to be ${event.claimedAccountId}`),
    what: SIGN_INS[event.reason ?? ''] ?? 'At the console',
    detail: sentence(from),
    result: '',
  };
}

/** `permission-denied` as its title in the table of refusals. */
export function reasonWords(reason: string | undefined): string {
  const words: Readonly<Record<string, string>> = {
    'token-malformed': 'the token is malformed',
    'token-unknown': 'the token is unknown',
    'token-revoked': 'the token was revoked',
    'token-expired': 'the account has expired',
    'account-inactive': 'the account is inactive',
    'client-aborted': 'the client went away',
    'outcome-unknown': 'how it ended is not known',
  };
  if (reason === undefined) return 'for a reason that is not known';
  const title = Object.hasOwn(REFUSALS, reason) ? REFUSALS[reason as RefusalReason].title : reason;
  return words[reason] ?? `${title.slice(0, 1).toLowerCase()}${title.slice(1)}`;
}

function sentence(parts: readonly string[]): string {
  const joined = parts.join(' · ');
  return `${joined.slice(0, 1).toUpperCase()}${joined.slice(1)}`;
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function parse(line: string): Shown | null {
  try {
    const event = JSON.parse(line) as unknown;
    return typeof event === 'object' && event !== null ? (event as Shown) : null;
  } catch {
    return null;
  }
}

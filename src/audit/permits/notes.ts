import type { EventOf } from '../event/audit-event.ts';
import { EVENT_LIMITS } from '../event/limits.ts';
import { bounded, quoted } from '../event/text.ts';

/**
 * What an instance notes with each batch of its events, in the same step of the store: which
 * permits have no outcome as of the end of that batch. One line each:
 *
 *     =PART JSON                              what several permits have in common
 *     +ID PART,PART [TRACE] ["APPLICATION"]   a permit was given
 *     -ID                                     its outcome is on record
 *
 * Whoever closes permits reads these, and so needs no right to read the record.
 */
export interface PermitNotes {
  /** They take the place of all that was noted before. */
  readonly anew: boolean;
  readonly text: string;
}

export function partNoted(part: number, json: string): string {
  return `=${part} ${json}\n`;
}

/** @param parts numbers, with commas between them */
export function opened(
  id: string,
  parts: string,
  traceId: string | null,
  application: string | null,
): string {
  if (traceId === null && application === null) return `+${id} ${parts}\n`;
  const about = application === null ? '' : ` ${applicationJson(application)}`;
  return `+${id} ${parts} ${traceId ?? ''}${about}\n`;
}

/** Nearly every name; one with an underscore might hold a token. */
const PLAIN_NAME = /^[0-9A-Za-z.-]{1,64}$/;

function applicationJson(application: string): string {
  return PLAIN_NAME.test(application)
    ? `"${application}"`
    : quoted(bounded(application, EVENT_LIMITS.short));
}

export function ended(ids: readonly string[]): string {
  return ids.length === 0 ? '' : `-${ids.join('\n-')}\n`;
}

/** Fields of a decision that its outcome repeats. */
export type PermitFacts = Readonly<
  Pick<
    EventOf<'unknownOutcome'>,
    | 'type'
    | 'account'
    | 'actor'
    | 'route'
    | 'permission'
    | 'permissions'
    | 'upstream'
    | 'application'
    | 'applications'
    | 'method'
    | 'path'
  >
>;

/** One permit that an instance left open. */
export interface LeftPermit extends PermitFacts {
  readonly id: string;
  readonly traceId?: string;
}

export function permitText(facts: PermitFacts): string {
  return JSON.stringify(facts);
}

/** As far as the store has lost what describes it. */
const UNKNOWN: PermitFacts = { type: 'call', account: null };

/** What is open as of the last line, oldest first. A line that says nothing is passed over. */
export function openIn(notes: string): LeftPermit[] {
  const parts = new Map<string, Partial<PermitFacts>>();
  const open = new Map<string, LeftPermit>();
  for (const line of notes.split('\n')) {
    const [word = '', numbers = '', traceId = ''] = line.slice(1).split(' ', 3);
    if (line[0] === '=') parts.set(word, objectIn(line.slice(word.length + 2)));
    else if (line[0] === '-') open.delete(word);
    else if (line[0] === '+') {
      const facts = numbers.split(',').map((number) => parts.get(number));
      const application = textIn(line.slice(`+${word} ${numbers} ${traceId} `.length));
      open.set(word, {
        id: word,
        ...(Object.assign({}, UNKNOWN, ...facts) as PermitFacts),
        ...(application === null ? {} : { application }),
        ...(traceId === '' ? {} : { traceId }),
      });
    }
  }
  return [...open.values()];
}

function objectIn(json: string): Partial<PermitFacts> {
  const value = valueIn(json);
  return typeof value === 'object' && value !== null ? value : {};
}

function textIn(json: string): string | null {
  const value = valueIn(json);
  return typeof value === 'string' ? value : null;
}

/** Null: what was noted cannot be read. */
function valueIn(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return null;
  }
}

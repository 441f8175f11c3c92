import * as z from 'zod';
import { readEvent, timeOf } from '../audit/event/read.ts';
import { addressMatcher } from './event-address.ts';
import { parsed } from './input.ts';
import { FILTER } from './schemas/questions.ts';

/** What narrows a log down. All that are given must hold. */
export interface ActivityFilter {
  /** The stable word, such as `permitted` or `token-revoked`. */
  readonly reason?: string;
  readonly phase?: string;
  readonly type?: string;
  readonly route?: string;
  readonly application?: string;
  readonly method?: string;
  /** `permit` or `refusal`. */
  readonly decision?: string;
  /** What the caller was told: `404`, or all of a kind: `4xx`. */
  readonly status?: string;
  /** Of the client: an address, or a network such as `10.0.0.0/8`. */
  readonly address?: string;
  /** Who administered: name or id. */
  readonly actor?: string;
  /** One request: its decision, its outcome and the changes that it made. */
  readonly requestId?: string;
  /** ISO 8601 with zone: not older, and older than. */
  readonly since?: string;
  readonly until?: string;
}

/** Fields that an event has by the same name. */
const COMPARED = ['reason', 'phase', 'type', 'route', 'application', 'method', 'decision'] as const;

const FILTERS = z.strictObject(FILTER);

type Said = Partial<Record<string, unknown>>;
type Question = (said: Said) => boolean;

/** What instances write every few seconds, for the proof alone: shown to who asks for it. */
const ROUTINE = '"type":"chain-head"';

/**
 * The question that a filter asks of an event. Throws `invalid` for what is no filter.
 *
 * @param everything also what is written for the proof alone
 */
export function readFilter(given: ActivityFilter, everything = false): (event: string) => boolean {
  const filter = parsed(FILTERS, given);
  const { since = null, until = null } = filter;
  const questions = questionsOf(filter);
  const showsAll = everything || filter.phase !== undefined || filter.type !== undefined;
  return (event) => {
    if (!showsAll && event.includes(ROUTINE)) return false;
    if (since !== null || until !== null) {
      const time = timeOf(event);
      if ((since !== null && time < since) || (until !== null && time >= until)) return false;
    }
    if (questions.length === 0) return true;
    const said: Said = { ...readEvent(event) };
    return questions.every((holds) => holds(said));
  };
}

function questionsOf(filter: z.output<typeof FILTERS>): readonly Question[] {
  const { status, address, actor, requestId } = filter;
  const questions = COMPARED.flatMap((name) => {
    const value = filter[name];
    return value === undefined ? [] : [compared(name, value)];
  });
  if (status !== undefined) questions.push(ofStatus(status));
  if (address !== undefined) {
    const matches = addressMatcher(address);
    questions.push(({ clientAddress }) => matches(clientAddress));
  }
  if (actor !== undefined) questions.push(ofActor(actor));
  if (requestId !== undefined)
    questions.push((said) => said.requestId === requestId || said.id === requestId);
  return questions;
}

function compared(name: (typeof COMPARED)[number], value: string): Question {
  return (said) => said[name] === value || (name === 'application' && isAbout(said, value));
}

/** One of several. */
function isAbout({ applications }: Said, name: string): boolean {
  return Array.isArray(applications) && applications.includes(name);
}

function ofStatus(text: string): Question {
  const hundred = text.endsWith('xx') ? Number(text[0]) : null;
  return ({ status }) =>
    typeof status === 'number' &&
    (hundred === null ? status === Number(text) : Math.floor(status / 100) === hundred);
}

function ofActor(wanted: string): Question {
  return ({ actor }) => {
    const { id, name } = Object(actor) as Said;
    return id === wanted || name === wanted;
  };
}

/** Whether an event belongs to an account: what it did, and what was done to it. */
export function concerns(line: string, accountId: string): boolean {
  const event: Said = { ...readEvent(line) };
  const ids = [event.account, event.actor, event.target].map((one) => (Object(one) as Said).id);
  return ids.includes(accountId) || event.claimedAccountId === accountId;
}

import { BlockList, isIP } from 'node:net';
import { readEvent, timeOf } from '../audit/event/read.ts';
import { plainAddress } from '../http/ip-address.ts';
import type { Fields } from './fields.ts';

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

export const FILTER_FIELDS = [
  ...COMPARED,
  'status',
  'address',
  'actor',
  'requestId',
  'since',
  'until',
] as const;

type Said = Partial<Record<string, unknown>>;
type Question = (said: Said) => boolean;

/** What instances write every few seconds, for the proof alone: shown to who asks for it. */
const ROUTINE = '"type":"chain-head"';

/**
 * Reads the filter's fields and answers the question that they ask of an event.
 *
 * @param everything also what is written for the proof alone
 */
export function readFilter(fields: Fields, everything = false): (event: string) => boolean {
  const questions = [
    ...COMPARED.filter((name) => fields.has(name)).map((name) => compared(fields, name)),
    ...(fields.has('status') ? [ofStatus(fields)] : []),
    ...(fields.has('address') ? [ofAddress(fields)] : []),
    ...(fields.has('actor') ? [ofActor(fields)] : []),
    ...(fields.has('requestId') ? [ofRequest(fields)] : []),
  ];
  const since = fields.has('since') ? fields.moment('since') : null;
  const until = fields.has('until') ? fields.moment('until') : null;
  const showsAll = everything || fields.has('phase') || fields.has('type');
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

function compared(fields: Fields, name: (typeof COMPARED)[number]): Question {
  const value = fields.text(name, 128);
  return (said) => said[name] === value || (name === 'application' && isAbout(said, value));
}

/** One of several. */
function isAbout({ applications }: Said, name: string): boolean {
  return Array.isArray(applications) && applications.includes(name);
}

function ofStatus(fields: Fields): Question {
  const text = fields.text('status', 3);
  if (!/^[1-5](?:\d\d|xx)$/.test(text)) fields.fault('status', 'must be like 404 or 4xx');
  const hundred = text.endsWith('xx') ? Number(text[0]) : null;
  return ({ status }) =>
    typeof status === 'number' &&
    (hundred === null ? status === Number(text) : Math.floor(status / 100) === hundred);
}

/**
 * However an address is written. What is kept instead of an address (its hash, a network) is
 * compared as text.
 */
function ofAddress(fields: Fields): Question {
  const asked = fields.text('address', 128);
  const [address = '', bits, ...more] = asked.split('/');
  const family = isIP(address);
  const most = family === 4 ? 32 : 128;
  const length = bits === undefined ? most : Number(bits);
  const isNetwork = family !== 0 && more.length === 0 && /^\d{1,3}$/.test(bits ?? '0');
  const list = new BlockList();
  if (isNetwork && length <= most) list.addSubnet(address, length, familyName(family));
  else if (asked.includes('/') || asked.includes('.') || asked.includes(':'))
    fields.fault('address', 'must be an IP address, or a network such as 10.0.0.0/8');
  return ({ clientAddress }) => {
    if (typeof clientAddress !== 'string') return false;
    const plain = plainAddress(clientAddress);
    const said = isIP(plain);
    return clientAddress === asked || (said !== 0 && list.check(plain, familyName(said)));
  };
}

function familyName(family: number): 'ipv4' | 'ipv6' {
  return family === 4 ? 'ipv4' : 'ipv6';
}

function ofActor(fields: Fields): Question {
  const wanted = fields.text('actor', 128);
  return ({ actor }) => {
    const { id, name } = Object(actor) as Said;
    return id === wanted || name === wanted;
  };
}

function ofRequest(fields: Fields): Question {
  const wanted = fields.text('requestId', 128);
  return (said) => said.requestId === wanted || said.id === wanted;
}

/** Whether an event belongs to an account: what it did, and what was done to it. */
export function concerns(line: string, accountId: string): boolean {
  const event: Said = { ...readEvent(line) };
  const ids = [event.account, event.actor, event.target].map((one) => (Object(one) as Said).id);
  return ids.includes(accountId) || event.claimedAccountId === accountId;
}

import { isUtf8 } from 'node:buffer';
import { readJsonValues } from '../../decision/json-values.ts';
import { isZonelessAddress, plainAddress } from '../../http/ip-address.ts';
import type { Peer, RequestHead } from '../../http/request-head.ts';
import { type Asked, type AskFault, type Asking, askedAbout } from './asked.ts';

/** A token, a target of the longest that is allowed, and everything around them. */
export const VERIFY_BYTES = 32 * 1024;

const KEYS = ['token', 'method', 'host', 'target', 'clientAddress'] as const;
const CONTENT_TYPE = /^application\/json[ \t]*(?:;[ \t]*charset=(?:utf-8|"utf-8")[ \t]*)?$/i;
/**
 * What an Authorization field can hold of one. Whether it is a token is for the decision to say.
 */
const TOKEN = /^[\x21-\x7e]{0,512}$/;

const malformed = (detail: string): AskFault => ({ fault: 'request-malformed', detail });

/** What of a head shows that no question follows; null: nothing does. */
export function verifyFormFault({ method, names, values, framing }: RequestHead): AskFault | null {
  if (method !== 'POST')
    return { fault: 'method-refused', detail: 'only POST /verify is there', allow: ['POST'] };
  const types = names.flatMap(({ lower }, index) =>
    lower === 'content-type' ? [values[index]!] : [],
  );
  const isCoded = names.some(({ lower }) => lower === 'content-encoding');
  if (types.length !== 1 || !CONTENT_TYPE.test(types[0]!) || isCoded || framing.kind === 'none')
    return malformed('POST /verify takes a body of application/json in UTF-8');
  return null;
}

/** The request that a program asks about. */
export function readVerify(
  outer: RequestHead,
  body: Buffer,
  front: Peer,
  asking: Asking,
): Asked | AskFault {
  const said = questionIn(body);
  if ('fault' in said) return said;
  const { token, method, host, target, clientAddress } = said;
  if (token !== undefined && !TOKEN.test(token))
    return malformed('token is not a string of at most 512 visible ASCII characters');
  const client = clientAddress === undefined ? null : plainAddress(clientAddress);
  if (client !== null && !isZonelessAddress(client))
    return malformed('clientAddress is no IP address');
  // None of the program's own fields: they are not those of whom it asks about.
  const about: RequestHead = {
    ...outer,
    names: [],
    values: [],
    userAgent: null,
    authorization: token ? `Bearer ${token}` : null,
  };
  const asked = askedAbout(
    about,
    { method, host, target, secure: true, client: null },
    asking,
    front,
  );
  if ('fault' in asked || client === null) return asked;
  return { head: asked.head, peer: { ...asked.peer, address: client } };
}

type Question = { readonly [Key in (typeof KEYS)[number]]?: string };

function questionIn(body: Buffer): Question | AskFault {
  const text = isUtf8(body) ? body.toString('utf8') : '';
  // Nothing is looked for: what cannot be read in one way only is refused.
  if (readJsonValues(text, []).fault !== null)
    return malformed('the body is not valid JSON in UTF-8 in which each key stands once');
  const question: unknown = JSON.parse(text);
  if (typeof question !== 'object' || question === null || Array.isArray(question))
    return malformed('the body is not an object');
  const known: readonly string[] = KEYS;
  for (const [key, value] of Object.entries(question)) {
    if (!known.includes(key)) return malformed(`the body may hold ${KEYS.join(', ')}`);
    if (typeof value !== 'string') return malformed('a value in the body is not a string');
  }
  return question;
}

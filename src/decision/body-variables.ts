import { isUtf8 } from 'node:buffer';
import { isPermissionValue } from '../account/permission-template.ts';
import type { RequestHead } from '../http/request-head.ts';
import type { RefusalReason } from '../refusal.ts';
import { readJsonValues } from './json-values.ts';
import type { Route } from './route.ts';
import type { Variable } from './route-table.ts';

/** Why a body, or what it says, is not taken. `detail`: a fixed phrase, without a byte of it. */
export interface BodyFault {
  readonly reason: Extract<RefusalReason, 'body-refused' | 'body-too-large' | 'permission-denied'>;
  readonly detail: string | null;
}

/** Different values of one variable in one body. Each is judged, and stands in the record. */
const VALUES_MAX = 100;

const DETAILS = {
  none: 'the call needs a body of JSON',
  form: 'the body must be application/json in UTF-8, without content coding',
  json: 'the body is not valid JSON in UTF-8',
  depth: 'the JSON of the body is nested too deeply',
  duplicate: 'a key stands twice in one object of the body, or one that is taken for the same',
  escaped: 'what the body says the call is about is written with escapes',
} as const;
const ELSEWHERE = 'a body decides, which the decision endpoint is not given';
const MISSING = 'the body does not say what the call is about';
const NOT_A_NAME = 'what the call is about is no possible name';
const TOO_MANY = 'the call is about too many things at once';

const CONTENT_TYPE = /^application\/json[ \t]*(?:;[ \t]*charset=(?:utf-8|"utf-8")[ \t]*)?$/i;

/**
 * What of a head shows that its body cannot be read as the service would read it; null: nothing
 * does. Whatever else a server may go by (another coding, another charset, a second type) is
 * refused.
 */
export function bodyFormFault(head: RequestHead, { bodyVariableBytes }: Route): BodyFault | null {
  const { framing, names, values, nominated } = head;
  if (framing.kind === 'none') return { reason: 'body-refused', detail: DETAILS.none };
  if (framing.kind === 'elsewhere') return { reason: 'permission-denied', detail: ELSEWHERE };
  let types = 0;
  for (const [index, { lower }] of names.entries()) {
    const isType = lower === 'content-type';
    if (isType) types += 1;
    if (lower === 'content-encoding' || (isType && !CONTENT_TYPE.test(values[index]!)))
      return { reason: 'body-refused', detail: DETAILS.form };
  }
  // A field that `Connection` names does not reach the service.
  if (types !== 1 || nominated.includes('content-type'))
    return { reason: 'body-refused', detail: DETAILS.form };
  if (framing.kind === 'length' && framing.bytes > bodyVariableBytes)
    return { reason: 'body-too-large', detail: null };
  return null;
}

/** The values of a route's variables in a whole body, each value once; or why there are none. */
export function readBodyVariables(
  { bodyVariables, bodyVariableBytes }: Route,
  body: Buffer,
): readonly Variable[] | BodyFault {
  if (body.length > bodyVariableBytes) return { reason: 'body-too-large', detail: null };
  if (!isUtf8(body)) return { reason: 'body-refused', detail: DETAILS.json };
  const pointers = bodyVariables.map(({ json }) => json);
  const read = readJsonValues(body.toString('utf8'), pointers);
  if (read.fault === 'missing') return { reason: 'permission-denied', detail: MISSING };
  if (read.fault !== null) return { reason: 'body-refused', detail: DETAILS[read.fault] };
  const variables: Variable[] = [];
  for (const [index, { name }] of bodyVariables.entries()) {
    const values = new Set(read.values[index]);
    if (values.has('')) return { reason: 'permission-denied', detail: MISSING };
    if (values.size > VALUES_MAX) return { reason: 'permission-denied', detail: TOO_MANY };
    for (const value of values) {
      if (!isPermissionValue(value)) return { reason: 'permission-denied', detail: NOT_A_NAME };
      variables.push({ name, value });
    }
  }
  return variables;
}

import * as z from 'zod';
import { EVENT_LIMITS } from './limits.ts';

/** What each field of an event is, in the order in which they stand there (audit-event.ts). */

/** Of the form that these files describe. A field that changes its meaning makes it a new one. */
export const SCHEMA_VERSION = 1;

const short = () => z.string().max(EVENT_LIMITS.short);
const count = () => z.int().min(0);
const moment = () =>
  z.string().regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/, 'is no time in UTC');
const accountKind = () => z.enum(['service', 'user']);

const ACTOR_KINDS = ['service', 'user', 'operator', 'system'] as const;
export const ACTOR_DOORS = [
  'command-line',
  'admin-api',
  'console',
  'configuration',
  'dev',
  'proxy',
] as const;

const account = z.object({ id: short(), name: short(), kind: accountKind() });
const actor = z.object({
  id: short().nullable().describe('Null: whoever acts with the store itself.'),
  name: short().describe('Of the account, or the user’s name in the operating system.'),
  kind: z.enum(ACTOR_KINDS),
  via: z.enum(ACTOR_DOORS).describe('Through which door.'),
});
const target = z.object({
  kind: z.enum(['account', 'role', 'team', 'registry']),
  id: short(),
  name: short(),
});
const record = z.record(z.string(), z.unknown()).nullable();
/** SHA-256 as base64url. */
const hash = () => z.string().regex(/^[\w-]{43}$/, 'is no SHA-256 as base64url');
const keyId = () => z.string().regex(/^[0-9a-f]{16}$/, 'names no key');
const place = z.object({ instance: z.string(), seq: count(), chain: hash() });

export const FIELDS = {
  schema: z.literal(SCHEMA_VERSION).describe('Version of this form. Left out: 1.'),
  id: short().describe('A decision and its outcome have the same: the request id.'),
  time: moment().describe('When it happened: UTC, to the millisecond.'),
  type: short().describe('What it is about.'),
  phase: z.enum(['decision', 'outcome', 'sign-in', 'change', 'notice', 'chain']),
  instance: z.string().describe('Who wrote it: name and random incarnation.'),
  seq: count().describe('Numbers the events of an instance, without gaps.'),
  account: account.nullable().describe('Who has proved to be it; null: nobody known.'),
  actor: actor.describe('Who asked for it.'),
  target: target.describe('What was changed, or what a notice is about.'),
  claimedAccountId: short().describe('The account that was named without being proved.'),
  exposed: z.literal(true).describe('The token came over plain HTTP: whoever listened has it.'),
  tokenId: short().describe('The first 16 hex digits of the token’s digest.'),
  scheme: short().describe('How the token was presented, where not with Bearer.'),
  decision: z.enum(['permit', 'refusal']),
  reason: short().describe('Why: `permitted`, or one word of a closed list.'),
  detail: short().describe('One fixed phrase that says more than the reason.'),
  route: short().describe('The route that matched.'),
  permission: short().describe('The permission that was asked for.'),
  permissions: z.array(short()).describe('Where several were asked for.'),
  upstream: short().describe('Where the route leads.'),
  application: short().describe('What the call was about.'),
  applications: z.array(short()).describe('Where it was about several.'),
  role: short().describe('The effective role that decided.'),
  assertionId: short().describe(
    'Claim `jti` of the assertion by which the upstream is told who calls.',
  ),
  door: z
    .enum(['http1', 'http2', 'tunnel', 'decision', 'admin'])
    .describe('Through which it came. `decision`: a proxy asked, and there is no outcome.'),
  method: short().describe('Of the request; of a sign-in, how: `oidc`.'),
  preflight: short().describe('The method that a browser’s preflight asked about.'),
  path: z.string().max(EVENT_LIMITS.path).describe('Without the query.'),
  expiresAt: moment().describe('When what the notice is about expires.'),
  before: record.describe('The record before the change; null: there was none.'),
  after: record.describe('The record after the change; null: there is none any more.'),
  approval: z
    .object({
      id: short()
        .nullable()
        .describe('Of the change that waits, or waited; null: it was made without.'),
      proposedBy: actor.nullable(),
      roles: z.array(short()).describe('Which protected roles it concerns.'),
    })
    .describe('Of a change that needs a second administrator (`console.approvals`).'),
  status: z.int().describe('What the caller was told.'),
  upstreamStatus: z.int().describe('What the upstream said.'),
  durationMs: z
    .number()
    .describe('From the first byte of the request to the last of the response.'),
  gateMs: z
    .number()
    .describe(
      'The gate’s part of it: until the request was given to the upstream, without the client’s body, and while the response waited for the record.',
    ),
  upstreamMs: z.number().describe('The upstream’s part of it, until the head of its response.'),
  requestBytes: count().describe('Bytes of content, without framing.'),
  responseBytes: count().describe('Bytes of content, without framing.'),
  clientAddress: short().describe(
    'An IP address; `unix`: it came by a socket file, and nobody has said for whom. Of what was counted, maybe a network. By `audit.clientAddress` its /24 or /48, or `hmac:` and 32 hex digits of an HMAC-SHA-256.',
  ),
  userAgent: z.string().max(EVENT_LIMITS.userAgent),
  headers: z
    .record(short(), z.string().max(EVENT_LIMITS.header))
    .describe('Request fields that `audit.headers` names, by lower-cased name.'),
  requestId: short().describe('Told to the caller and to the upstream.'),
  traceId: short().describe('Of the W3C trace: 32 hex digits.'),
  count: z.int().min(1).describe('It stands for so many decisions.'),
  firstTime: moment().describe('Of the first of them.'),
  lastTime: moment().describe('Of the last of them.'),
  reasons: z.record(z.string(), z.int().min(1)).describe('How many for each reason.'),
  truncated: z.array(z.enum(['path', 'userAgent'])).describe('Values that were cut.'),
  decidedBy: z.string().describe('The instance that gave the permit and ended without a word.'),
  ofInstance: short().describe('Whose events are meant, where they are not those of `instance`.'),
  previous: place.nullable().describe('Where the instance before it in this folder had come to.'),
  version: short().describe('Of Sallyport.'),
  firstSeq: count().describe('Number of the first event that is meant.'),
  lastSeq: count().describe('Number of the last event that is meant.'),
  digest: hash().describe('SHA-256 of the lines that are meant, each with its line feed.'),
  stream: z.enum(['0', '1', '2', '3', 'all']).describe('Of the record: which, or all of it.'),
  trimmedBefore: moment().describe(
    'Only events that the store accepted before were cut, by its clock.',
  ),
  lastHead: z
    .object({ number: count(), time: moment() })
    .describe('The head before it, or the first event of the instance where there is none.'),
  key: keyId().describe('Names the key of `signature`.'),
  publicKey: z.string().max(128).describe('That key: Ed25519, SPKI in DER, as base64url.'),
  signature: z.string().length(86).describe('Ed25519 as base64url (audit/chain/signed.ts).'),
  chain: hash().describe('SHA-256 of the lines of its instance from the last event that has one.'),
} as const;

export type Fields = typeof FIELDS;
export type FieldName = keyof Fields;

export const FIELD_NAMES = Object.keys(FIELDS) as readonly FieldName[];

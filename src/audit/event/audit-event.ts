import * as z from 'zod';
import { EVENT_LIMITS } from './limits.ts';

/**
 * Every event of the audit log: which kinds there are, and what each of their fields is. The
 * TypeScript types, the reader (read.ts) and the JSON Schema (config/audit-event.schema.json) are
 * made from these tables; that the writers keep to them is tested.
 *
 * Fields stand in events in the order of `FIELDS`. A field without a value is left out, except
 * where it may be null. A reader passes over fields that it does not know: more may come.
 */

/** Of the form that this file describes. A field that changes its meaning makes it a new one. */
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

/** What was done by an administrative change. The word is the event's `type`. */
export const CHANGE_TYPES = [
  'account-created',
  'account-changed',
  'account-activated',
  'account-deactivated',
  'account-deleted',
  'account-revived',
  'token-issued',
  'token-rotated',
  'token-renewed',
  'token-reported',
  'overlap-closed',
  'password-set',
  'sessions-ended',
  'role-created',
  'role-changed',
  'role-deleted',
  'role-revived',
  'team-created',
  'team-changed',
  'team-deleted',
  'team-revived',
  'registry-imported',
  'registry-made',
  'registry-adopted',
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

const FIELDS = {
  schema: z.literal(SCHEMA_VERSION).describe('Version of this form. Left out: 1.'),
  id: short().describe('A decision and its outcome have the same: the request id.'),
  time: moment().describe('When it happened: UTC, to the millisecond.'),
  type: short().describe('What it is about.'),
  phase: z.enum(['decision', 'outcome', 'sign-in', 'change', 'chain']),
  instance: z.string().describe('Who wrote it: name and random incarnation.'),
  seq: count().describe('Numbers the events of an instance, without gaps.'),
  account: account.nullable().describe('Who has proved to be it; null: nobody known.'),
  actor: actor.describe('Who asked for it.'),
  target: target.describe('What was changed.'),
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
  before: record.describe('The record before the change; null: there was none.'),
  after: record.describe('The record after the change; null: there is none any more.'),
  status: z.int().describe('What the caller was told.'),
  upstreamStatus: z.int().describe('What the upstream said.'),
  durationMs: z.number().describe('From the first byte of the request to the last of the answer.'),
  requestBytes: count().describe('Bytes of content, without framing.'),
  responseBytes: count().describe('Bytes of content, without framing.'),
  clientAddress: short().describe(
    'An IP address; of what was counted, maybe a network. By `audit.clientAddress` its /24 or /48, or `hmac:` and 32 hex digits of an HMAC-SHA-256.',
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

type Fields = typeof FIELDS;
type FieldName = keyof Fields;

export const FIELD_NAMES = Object.keys(FIELDS) as readonly FieldName[];

/** Any event may have these. */
const ANYWHERE = ['schema', 'chain'] as const;
type Anywhere = (typeof ANYWHERE)[number];

type Shape<Required extends FieldName, Optional extends FieldName> = {
  [Name in Required]: Fields[Name];
} & { [Name in Exclude<Optional | Anywhere, Required>]: z.ZodOptional<Fields[Name]> };

/** Fields of one kind, in the order of the table. */
function fields<const Required extends FieldName, const Optional extends FieldName>(
  required: readonly Required[],
  optional: readonly Optional[],
): Shape<Required, Optional> {
  const names: readonly string[] = required;
  const more: readonly string[] = [...optional, ...ANYWHERE];
  return Object.fromEntries(
    FIELD_NAMES.filter((name) => names.includes(name) || more.includes(name)).map((name) => [
      name,
      names.includes(name) ? FIELDS[name] : FIELDS[name].optional(),
    ]),
  ) as Shape<Required, Optional>;
}

const NUMBERED = ['id', 'time', 'instance', 'seq', 'account'] as const;
/** Of what an instance says of its own series of events. */
const CHAIN_NUMBERED = ['id', 'time', 'instance', 'seq'] as const;
const SIGNED = ['key', 'signature', 'chain'] as const;
const AIM = [
  'route',
  'permission',
  'permissions',
  'upstream',
  'application',
  'applications',
] as const;
const CLIENT = ['clientAddress', 'userAgent'] as const;

function head<Type extends string, Phase extends string>(type: Type, phase: Phase) {
  return { type: z.literal(type), phase: z.literal(phase) };
}

/** Why events are lost. */
export const LOSS_REASONS = ['failover', 'no-room', 'spool-damaged'] as const;

const KINDS = {
  callDecision: z
    .object({
      ...fields(
        [...NUMBERED, 'decision', 'reason', 'requestId'],
        [
          'claimedAccountId',
          'exposed',
          'tokenId',
          'scheme',
          'detail',
          ...AIM,
          'role',
          'assertionId',
          'door',
          'method',
          'preflight',
          'path',
          'status',
          ...CLIENT,
          'headers',
          'traceId',
          'truncated',
        ],
      ),
      ...head('call', 'decision'),
    })
    .describe('One request to the proxied APIs and its verdict.'),
  callOutcome: z
    .object({
      ...fields(
        [...NUMBERED, 'reason', 'requestId'],
        [
          ...AIM,
          'assertionId',
          'door',
          'status',
          'upstreamStatus',
          'durationMs',
          'requestBytes',
          'responseBytes',
          'traceId',
        ],
      ),
      ...head('call', 'outcome'),
    })
    .describe('How a call ended.'),
  foldedDecision: z
    .object({
      ...fields(
        [...NUMBERED, 'decision', 'reason', 'count', 'firstTime', 'lastTime', 'reasons'],
        ['clientAddress'],
      ),
      type: z.enum(['call', 'admin-call']),
      phase: z.literal('decision'),
    })
    .describe('Verdicts of a flood, counted instead of written one by one.'),
  adminDecision: z
    .object({
      ...fields(
        [...NUMBERED, 'decision', 'reason', 'requestId'],
        ['actor', 'claimedAccountId', 'tokenId', 'method', 'path', 'status', ...CLIENT],
      ),
      ...head('admin-call', 'decision'),
    })
    .describe('One request to the administration and its verdict.'),
  adminOutcome: z
    .object({
      ...fields(
        [...NUMBERED, 'reason', 'requestId'],
        [
          'actor',
          'claimedAccountId',
          'tokenId',
          'method',
          'path',
          'status',
          'durationMs',
          ...CLIENT,
        ],
      ),
      ...head('admin-call', 'outcome'),
    })
    .describe('How a request to the administration ended.'),
  unknownOutcome: z
    .object({
      ...fields(
        ['id', 'time', 'instance', 'account', 'reason', 'requestId', 'decidedBy'],
        ['actor', ...AIM, 'method', 'path', 'traceId'],
      ),
      type: z.enum(['call', 'admin-call']),
      phase: z.literal('outcome'),
    })
    .describe('Of a permit whose instance ended without a word. It has no number.'),
  signIn: z
    .object({
      ...fields([...NUMBERED, 'decision', 'reason'], ['claimedAccountId', 'method', ...CLIENT]),
      ...head('sign-in', 'sign-in'),
    })
    .describe('Somebody at the door of the console.'),
  signInOutcome: z
    .object({
      ...fields([...NUMBERED, 'reason', 'status'], ['claimedAccountId', 'method', ...CLIENT]),
      ...head('sign-in', 'outcome'),
    })
    .describe('Whoever was to be let in was told this instead.'),
  instanceBegun: z
    .object({
      ...fields([...CHAIN_NUMBERED, 'previous', 'version', 'key', 'publicKey', 'chain'], []),
      ...head('instance-begun', 'chain'),
    })
    .describe('The first event of an instance.'),
  instanceEnded: z
    .object({
      ...fields([...CHAIN_NUMBERED, ...SIGNED], ['lastHead']),
      ...head('instance-ended', 'chain'),
    })
    .describe('The last event of an instance that ended well.'),
  chainHead: z
    .object({
      ...fields([...CHAIN_NUMBERED, ...SIGNED], ['lastHead']),
      ...head('chain-head', 'chain'),
    })
    .describe('Where the chain of an instance has come to, signed.'),
  eventsLost: z
    .object({
      ...fields([...CHAIN_NUMBERED, 'firstSeq', 'lastSeq', 'count'], ['ofInstance']),
      ...head('events-lost', 'chain'),
      reason: z.enum(LOSS_REASONS),
    })
    .describe('Numbers that no log will ever hold: its own, or those of one that is gone.'),
  permitsClosed: z
    .object({
      ...fields([...CHAIN_NUMBERED, 'decidedBy', 'count', 'digest'], ['ofInstance']),
      ...head('permits-closed', 'chain'),
    })
    .describe('Vouches for events without a number: outcomes of an instance that is gone.'),
  logTrimmed: z
    .object({
      ...fields([...CHAIN_NUMBERED, 'count', 'stream', 'trimmedBefore', 'key', 'signature'], []),
      ...head('log-trimmed', 'chain'),
    })
    .describe('So many of the oldest events were cut, for their age or for room.'),
  change: z
    .object({
      ...fields(
        ['id', 'time', 'actor', 'target', 'before', 'after'],
        ['instance', 'clientAddress', 'requestId'],
      ),
      type: z.enum(CHANGE_TYPES),
      phase: z.literal('change'),
    })
    .describe('One administrative change.'),
} as const;

export type EventKind = keyof typeof KINDS;

/** One event of a kind. */
export type EventOf<Kind extends EventKind> = z.infer<(typeof KINDS)[Kind]>;

/** Any event. `phase` tells what it can hold. */
export type AuditEvent = { [Kind in EventKind]: EventOf<Kind> }[EventKind];

export type ChangeType = (typeof CHANGE_TYPES)[number];

export function schemaOf<Kind extends EventKind>(kind: Kind): (typeof KINDS)[Kind] {
  return KINDS[kind];
}

/** All kinds, for the JSON Schema. */
export const auditEvent = z.union(Object.values(KINDS));

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
    case 'change':
      return (CHANGE_TYPES as readonly unknown[]).includes(type) ? 'change' : null;
    default:
      return null;
  }
}

import * as z from 'zod';
import { FIELD_NAMES, FIELDS, type FieldName, type Fields } from './fields.ts';

/**
 * Every event of the audit log: which kinds there are, and which fields each has (fields.ts). The
 * TypeScript types, the reader (read.ts) and the JSON Schema (config/audit-event.schema.json) are
 * made from these tables; that the writers keep to them is tested.
 *
 * Fields stand in events in the order of `FIELDS`. A field without a value is left out, except
 * where it may be null. A reader passes over fields that it does not know: more may come.
 */

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
  'change-proposed',
  'change-approved',
  'change-withdrawn',
  'change-expired',
] as const;

/** What somebody should know of. The word is the event's `type`. */
export const NOTICE_TYPES = [
  'honey-token-presented',
  'account-expiring',
  'certificate-expiring',
  'gaps-found',
] as const;

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
          'gateMs',
          'upstreamMs',
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
  notice: z
    .object({
      ...fields(
        [...NUMBERED],
        [
          'target',
          'tokenId',
          'detail',
          'door',
          'method',
          'path',
          'expiresAt',
          ...CLIENT,
          'requestId',
          'count',
          'firstTime',
          'lastTime',
        ],
      ),
      type: z.enum(NOTICE_TYPES),
      phase: z.literal('notice'),
    })
    .describe('Something that somebody should know of.'),
  change: z
    .object({
      ...fields(
        ['id', 'time', 'actor', 'target', 'before', 'after'],
        ['instance', 'approval', 'clientAddress', 'requestId'],
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

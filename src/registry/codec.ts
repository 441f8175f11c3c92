import * as z from 'zod';
import { type Account, isName, type Role, type Team } from '../account/model.ts';
import type { RecordChange, RecordKind } from './commit.ts';
import { type FeedEvent, RegistryUnavailable } from './port.ts';

/**
 * Records as text. The store splices the version into the text (it alone knows the sequence
 * number), so `"version":0` is what every written text begins with. `schema` follows: a reader that
 * does not know it refuses the record, because a field that it would overlook may be one that
 * restricts.
 */
export const RECORD_SCHEMA = 1;
/** The highest that a record which is read here may have. */
export const NEWEST_RECORD_SCHEMA = 3;

/**
 * Which schema a record has that has one of these fields. 1 is for a field that earlier versions
 * may overlook, and lose when they change the record: both must let in less, and never more. A
 * field that restricts, or that must not be lost, raises the number, and earlier versions refuse
 * the record, for calls and for changes.
 */
const SCHEMA_OF_FIELD: Readonly<Record<LaterField, number>> = {
  // Without it the former token of an overlap is refused before its time.
  previous: 1,
  // Sessions that remember another number are over.
  signOuts: 1,
  // Whoever signs in at the provider is nobody known.
  subject: 1,
  // What is remembered against the account goes on counting.
  revived: 1,
  allowedNetworks: 2,
  boundTo: 2,
  // Without it a rotation would issue a token that is let in.
  honey: 3,
};

/** What may be absent, and is stored: so that nobody adds a field without a word here. */
type LaterField = Exclude<
  OptionalField<Account> | OptionalField<Role> | OptionalField<Team>,
  'inDoubt'
>;
type OptionalField<T> = {
  [Key in keyof T]-?: Record<never, never> extends Pick<T, Key> ? Key : never;
}[keyof T];

/**
 * No record that administration writes comes near. Longer ones are not even looked into: whoever
 * put them there must not keep the event loop busy.
 */
const RECORD_CHARS_MAX = 4 * 1024 * 1024;

/** What every written record begins with. */
const UNVERSIONED = '{"version":0';

const name = z.string().refine(isName);
const moment = z
  .string()
  .max(40)
  .refine((text) => !Number.isNaN(Date.parse(text)));
const digest = z.string().regex(/^[0-9a-f]{64}$/);
const version = z.int().min(1);
const common = {
  version,
  schema: z.literal(RECORD_SCHEMA),
  description: z.string(),
  createdAt: moment,
  updatedAt: moment,
};

/** An issuer of 512 characters, and a subject of 255 (OpenID Connect Core §2). */
const SUBJECT_CHARACTERS_MAX = 768;

const accountShape = z.object({
  ...common,
  schema: z.int().min(RECORD_SCHEMA).max(NEWEST_RECORD_SCHEMA),
  id: z.string().regex(/^[0-9A-Za-z]{12}$/),
  kind: z.enum(['service', 'user']),
  name,
  status: z.enum(['active', 'inactive']),
  role: name,
  teams: z.array(z.object({ team: name, role: name })),
  grants: z.array(z.object({ application: name, role: name })),
  expiresAt: moment.nullable(),
  token: z.object({ digest, createdAt: moment }).nullable(),
  // Absent from records written before there was an overlap. A reader that does not know it lets in
  // less, so it needs no schema of its own.
  previous: z.object({ digest, createdAt: moment, validUntil: moment }).nullable().exactOptional(),
  retired: z.array(digest),
  password: z.string().nullable(),
  // Absent from records written before there was a console.
  signOuts: z.int().min(0).exactOptional(),
  // Absent from users that no identity provider vouched for.
  subject: z.string().min(1).max(SUBJECT_CHARACTERS_MAX).exactOptional(),
  // Absent unless the account is let in from some networks alone, or bound to a certificate.
  allowedNetworks: z.array(z.string().max(64)).min(1).exactOptional(),
  boundTo: z
    .union([
      z.strictObject({ thumbprint: z.string().min(1).max(64) }),
      z.strictObject({ subject: z.string().min(1).max(4096) }),
    ])
    .exactOptional(),
  // Absent unless the account is a bait.
  honey: z.literal(true).exactOptional(),
  // Absent unless an import revived it. A reader that does not know it goes on refusing.
  revived: z.int().min(0).exactOptional(),
});

/** As in accounts. */
const revived = z.int().min(0).exactOptional();
const roleShape = z.object({ ...common, name, permissions: z.array(z.string()), revived });
const teamShape = z.object({ ...common, name, applications: z.array(name), revived });

/** Which readers can read a record: those that know this schema. */
export function schemaOf(record: Account | Role | Team): number {
  const present = Object.entries(SCHEMA_OF_FIELD).filter(
    ([field]) => record[field as keyof typeof record] !== undefined,
  );
  return Math.max(RECORD_SCHEMA, ...present.map(([, needed]) => needed));
}

/** The text to be stored. The record's own version is not in it, nor what is in doubt. */
export function encodeRecord(record: Account | Role | Team): string {
  const { version: _, inDoubt: __, ...rest } = record as Role;
  return `${UNVERSIONED},"schema":${schemaOf(record)},${JSON.stringify(rest).slice(1)}`;
}

/** The same text with its version, as the Redis script makes it. */
export function withVersion(text: string, seq: number): string {
  return `{"version":${seq}${text.slice(UNVERSIONED.length)}`;
}

/**
 * Each throws `RegistryUnavailable('damaged')` when the text is not the record that its key
 * promises. Null: whichever it is.
 */
export function decodeAccount(id: string | null, text: string): Account {
  return decode(accountShape, 'account', id, text, (record) => record.id);
}

export function decodeRole(key: string | null, text: string): Role {
  return decode(roleShape, 'role', key, text, (record) => record.name);
}

export function decodeTeam(key: string | null, text: string): Team {
  return decode(teamShape, 'team', key, text, (record) => record.name);
}

function decode<T extends { schema: number }>(
  shape: z.ZodType<T>,
  kind: RecordKind,
  key: string | null,
  text: string,
  keyOf: (record: T) => string,
) {
  const value = parseJson(text);
  const parsed = shape.safeParse(value);
  if (!parsed.success) throw unreadable(`${kind} ${key ?? ''}`, value);
  if (key !== null && keyOf(parsed.data) !== key) throw damaged(`${kind} ${key}`);
  const { schema: _, ...record } = parsed.data;
  return record;
}

/** A page of accounts: the unreadable ones by id, those that `read` finds gone left out. */
export function decodePage<Row>(
  rows: Iterable<readonly [id: string, row: Row]>,
  read: (id: string, row: Row) => Account | null,
): { items: Account[]; damaged: string[] } {
  const page = { items: [] as Account[], damaged: [] as string[] };
  for (const [id, row] of rows) {
    try {
      const account = read(id, row);
      if (account !== null) page.items.push(account);
    } catch (fault) {
      if (!(fault instanceof RegistryUnavailable)) throw fault;
      page.damaged.push(id);
    }
  }
  return page;
}

/**
 * Changes as a feed carries them: label (`account:ID`) and text, the empty text for what was
 * deleted. Accounts that cannot be read are named: one of them must not keep who follows the feed
 * from all others. Throws `RegistryUnavailable` (`damaged`) for a role or a team.
 */
export function decodeEvent(
  seq: number,
  changes: readonly (readonly [label: string, text: string])[],
): FeedEvent {
  const read: RecordChange[] = [];
  const unreadable: string[] = [];
  for (const [label, text] of changes) {
    try {
      read.push(decodeChange(label, text === '' ? null : text));
    } catch (fault) {
      const isAccount = label.startsWith(ACCOUNT) && fault instanceof RegistryUnavailable;
      if (!isAccount) throw fault;
      unreadable.push(label.slice(ACCOUNT.length));
    }
  }
  return { seq, changes: read, ...(unreadable.length === 0 ? {} : { unreadable }) };
}

/** What labels of accounts begin with. */
const ACCOUNT = 'account:';

function decodeChange(label: string, text: string | null): RecordChange {
  const colon = label.indexOf(':');
  const key = label.slice(colon + 1);
  switch (label.slice(0, colon)) {
    case 'account':
      return { kind: 'account', key, record: text === null ? null : decodeAccount(key, text) };
    case 'role':
      return { kind: 'role', key, record: text === null ? null : decodeRole(key, text) };
    case 'team':
      return { kind: 'team', key, record: text === null ? null : decodeTeam(key, text) };
    default:
      throw damaged('an entry of the feed');
  }
}

/** `what` names the record, never its content. */
export function damaged(what: string): RegistryUnavailable {
  return new RegistryUnavailable('damaged', `${what} cannot be read`);
}

/** Who reads the log must know whether to mend a record or to look for a newer version. */
function unreadable(what: string, value: unknown): RegistryUnavailable {
  const schema = Object(value).schema as unknown;
  if (!Number.isSafeInteger(schema) || (schema as number) <= NEWEST_RECORD_SCHEMA)
    return damaged(what);
  const why = `${what} is written in schema ${schema}, which this version does not know`;
  return new RegistryUnavailable('damaged', why);
}

function parseJson(text: string): unknown {
  if (text.length > RECORD_CHARS_MAX) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

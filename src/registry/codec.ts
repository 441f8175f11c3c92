import * as z from 'zod';
import { type Account, isName, isRestricted, type Role, type Team } from '../account/model.ts';
import type { RecordChange, RecordKind } from './commit.ts';
import { type FeedEvent, RegistryUnavailable } from './port.ts';

/**
 * Records as text. The store splices the version into the text (it alone knows the sequence
 * number), so `"version":0` is what every written text begins with. `schema` follows: a reader that
 * does not know it refuses the record, because a field that it would overlook may be one that
 * restricts.
 */
export const RECORD_SCHEMA = 1;
/**
 * Of an account with fields that restrict where it is let in: who knows the first schema alone
 * would let it in from anywhere, and refuses the record instead.
 */
const RESTRICTED_SCHEMA = 2;

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
  schema: z.union([z.literal(RECORD_SCHEMA), z.literal(RESTRICTED_SCHEMA)]),
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
  // Absent unless an import revived it. A reader that does not know it goes on refusing.
  revived: z.int().min(0).exactOptional(),
});

/** As in accounts. */
const revived = z.int().min(0).exactOptional();
const roleShape = z.object({ ...common, name, permissions: z.array(z.string()), revived });
const teamShape = z.object({ ...common, name, applications: z.array(name), revived });

/** The text to be stored. The record's own version is not in it, nor what is in doubt. */
export function encodeRecord(record: Account | Role | Team): string {
  const { version: _, inDoubt: __, ...rest } = record as Role;
  const schema = isRestricted(record as Account) ? RESTRICTED_SCHEMA : RECORD_SCHEMA;
  return `${UNVERSIONED},"schema":${schema},${JSON.stringify(rest).slice(1)}`;
}

/** The same text with its version, as the Redis script makes it. */
export function withVersion(text: string, seq: number): string {
  return `{"version":${seq}${text.slice(UNVERSIONED.length)}`;
}

/**
 * Each throws `RegistryUnavailable('damaged')` when the text is not the record that its key
 * promises.
 */
export function decodeAccount(id: string, text: string): Account {
  return decode(accountShape, 'account', id, text, (record) => record.id);
}

export function decodeRole(key: string, text: string): Role {
  return decode(roleShape, 'role', key, text, (record) => record.name);
}

export function decodeTeam(key: string, text: string): Team {
  return decode(teamShape, 'team', key, text, (record) => record.name);
}

function decode<T extends { schema: number }>(
  shape: z.ZodType<T>,
  kind: RecordKind,
  key: string,
  text: string,
  keyOf: (record: T) => string,
) {
  const parsed = shape.safeParse(parseJson(text));
  if (!parsed.success || keyOf(parsed.data) !== key) throw damaged(`${kind} ${key}`);
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
 * deleted.
 */
export function decodeEvent(
  seq: number,
  changes: readonly (readonly [label: string, text: string])[],
): FeedEvent {
  return {
    seq,
    changes: changes.map(([label, text]) => decodeChange(label, text === '' ? null : text)),
  };
}

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

function parseJson(text: string): unknown {
  if (text.length > RECORD_CHARS_MAX) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

import * as z from 'zod';
import { readName } from '../../account/distinguished-name.ts';
import { permissionFault } from '../../account/permission.ts';
import { withoutTokens } from '../../audit/event/text.ts';
import { readNetwork } from '../../http/network.ts';
import { shown, UNPRINTABLE } from '../faults.ts';
import { FIELD_LIMITS } from '../limits.ts';

/**
 * What the schemas of requests and responses are made of. Each word says what is wrong with a value
 * that it does not take. Nothing here changes a value but to its one spelling, so that what has
 * been read once reads the same again.
 */

/** Named in the OpenAPI document. */
export const components = z.registry<{ readonly id: string; readonly description?: string }>();

const byId = new Map<string, z.ZodType>();

export function component<T extends z.ZodType>(id: string, schema: T, description?: string): T {
  components.add(schema, { id, ...(description === undefined ? {} : { description }) });
  byId.set(id, schema);
  return schema;
}

/** The component of that name; the fields become one where there is none yet. */
export function objectComponent(id: string, shape: z.core.$ZodShape, about?: string): z.ZodObject {
  const known = byId.get(id);
  return known === undefined ? component(id, z.strictObject(shape), about) : (known as z.ZodObject);
}

/**
 * What a field means besides its form: the name of a role or team that there must be, or a moment
 * that has not passed. Only the registry and the clock know (`meaningFaults`).
 */
export const meanings = z.registry<{ readonly means: 'role' | 'team' | 'future' }>();

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

function nameFault({ input }: { readonly input?: unknown }): string {
  return input === '' || input === undefined || input === null
    ? 'is missing'
    : `${shown(input)} is not a name; names are 1 to 64 of A-Z a-z 0-9 . _ - and begin with a letter or a digit`;
}

function named() {
  return z.string({ error: nameFault }).regex(NAME, { error: nameFault });
}

/** A name as accounts, roles, teams and applications have it. */
export const name = named();
export const roleName = named().register(meanings, { means: 'role' });
export const teamName = named().register(meanings, { means: 'team' });
export const accountId = z
  .string()
  .regex(/^[0-9A-Za-z]{12}$/, 'must be the 12 letters and digits of an account');

/** A description as it is kept: what has been written once compares equal from then on. */
export function inOneSpelling(text: string): string {
  return text.normalize('NFC').trim();
}

export const description = z
  .string()
  .max(4 * FIELD_LIMITS.descriptionCharacters)
  .overwrite(inOneSpelling)
  .check(({ value, issues }) => {
    const fault = descriptionFault(value);
    if (fault !== null) issues.push({ code: 'custom', message: fault, input: '' });
  })
  .describe('One line of text, at most 500 characters.');

/** The first that is wrong. The text itself is not shown: it may hold a token. */
function descriptionFault(text: string): string | null {
  const { length } = [...text];
  if (length > FIELD_LIMITS.descriptionCharacters)
    return `is ${length} characters long; ${FIELD_LIMITS.descriptionCharacters} are allowed`;
  if (UNPRINTABLE.test(text))
    return 'holds a control character; it must be one line of printable text';
  if (withoutTokens(text) !== text)
    return 'holds a token; tokens are secrets and do not belong into descriptions';
  return text.isWellFormed() ? null : 'is not valid Unicode text';
}

/** RFC 3339 date-time; the zone may not be left out, because "midnight" is not a moment. */
const ISO_MOMENT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2})$/;

function isMoment(text: string): boolean {
  return ISO_MOMENT.test(text) && !Number.isNaN(Date.parse(text));
}

function momentFault({ input }: { readonly input?: unknown }): string {
  return `${shown(input)} is not a moment; write it like 2030-01-31T12:00:00Z`;
}

/** ISO 8601 with a time zone; answered in UTC. */
function asMoment() {
  return z
    .string({ error: momentFault })
    .max(64)
    .refine(isMoment, { error: momentFault })
    .overwrite((text) => (isMoment(text) ? new Date(text).toISOString() : text));
}

export const pastOrFuture = asMoment();
/**
 * Null: never. A declaration may outlive the moment: one that has passed is a state like others.
 */
export const declaredExpiry = asMoment().nullable();
export const expiry = asMoment()
  .register(meanings, { means: 'future' })
  .nullable()
  .describe('When the account stops being let in, such as 2030-01-31T12:00:00Z; null: never.');
export const moment = z.string().describe('ISO 8601, UTC.');

/** The first of each; what stands twice is one. */
function distinct<T extends z.ZodString>(item: T, most: number) {
  return z
    .array(item)
    .max(most)
    .overwrite((items) => [...new Set(items)] as z.output<T>[]);
}

const permission = z
  .string()
  .max(128)
  .check(({ value, issues }) => {
    const fault = permissionFault(value);
    if (fault !== null)
      issues.push({ code: 'custom', message: `${shown(value)} ${fault}`, input: value });
  });

export const permissions = distinct(permission, FIELD_LIMITS.permissionsPerRole);
export const applications = distinct(name, FIELD_LIMITS.applicationsPerTeam);
export const status = z.enum(['active', 'inactive']);
export const kind = z.enum(['service', 'user']);

/** Each team or application once. */
function once<T extends z.ZodObject>(item: T, key: string, most: number) {
  return z
    .array(item)
    .max(most)
    .check(({ value, issues }) => {
      const names = value.map((one) => (one as Record<string, unknown>)[key]);
      const twice = names.find((one, index) => names.indexOf(one) !== index);
      if (twice === undefined) return;
      const message = `names the ${key} ${shown(twice)} more than once`;
      issues.push({ code: 'custom', message, input: value });
    });
}

export const memberships = once(
  z.strictObject({ team: teamName, role: roleName }),
  'team',
  FIELD_LIMITS.teamsPerAccount,
);
export const grants = once(
  z.strictObject({ application: name, role: roleName }),
  'application',
  FIELD_LIMITS.grantsPerAccount,
);

/** A whole number within bounds. */
export function whole(least: number, most: number) {
  const error = `must be a whole number from ${least} to ${most}`;
  return z.int({ error }).min(least, { error }).max(most, { error });
}

/** Text that only has to be text: cursors, tokens, words to search for. Never shown back. */
export function text(most: number) {
  const error = `must be text of 1 to ${most} characters`;
  return z.string({ error }).min(1, { error }).max(most, { error });
}

const HEX = /^[0-9A-Fa-f]{2}(?::?[0-9A-Fa-f]{2}){31}$/;
const THUMBPRINT_BYTES = 32;

/** In base64url; null: it is none. */
function thumbprintIn(text: string): string | null {
  if (HEX.test(text)) return Buffer.from(text.replaceAll(':', ''), 'hex').toString('base64url');
  const bytes = Buffer.from(text, 'base64url');
  // One text for one digest: bits behind the last byte are none of it.
  const isExact = bytes.length === THUMBPRINT_BYTES && bytes.toString('base64url') === text;
  return isExact ? text : null;
}

/** Text in its one spelling; `read` answers null for what it does not take. */
function spelled(most: number, read: (text: string) => string | null, error: string) {
  return text(most)
    .refine((value) => read(value) !== null, { error })
    .overwrite((value) => read(value) ?? value);
}

export const binding = component(
  'CertificateBinding',
  z.union(
    [
      z.strictObject({
        thumbprint: spelled(
          128,
          thumbprintIn,
          'must be the SHA-256 of a certificate: 43 characters of base64url, or 64 hex digits',
        ).describe(
          'SHA-256 of the certificate (RFC 8705), in base64url; taken in hex as well, with or without colons.',
        ),
      }),
      z.strictObject({
        subject: spelled(
          1024,
          readName,
          'must be a distinguished name such as CN=ci-pipeline,O=Example (RFC 4514)',
        ).describe('Its subject (RFC 4514), where a CA for clients vouches for the certificate.'),
      }),
    ],
    { error: bindingFault },
  ),
  'A client certificate: the one with this thumbprint, or any with this subject.',
);

/** Of a union only one fault is told: that of the member which was meant. */
function bindingFault({ input }: { readonly input?: unknown }): string {
  const keys = Object.keys(Object(input));
  if (keys.length !== 1 || !['thumbprint', 'subject'].includes(keys[0]!))
    return 'must have a thumbprint or a subject, one of them';
  return keys[0] === 'thumbprint'
    ? 'the thumbprint must be the SHA-256 of a certificate: 43 characters of base64url, or 64 hex digits'
    : 'the subject must be a distinguished name such as CN=ci-pipeline,O=Example (RFC 4514)';
}

function networkIn(text: string): string | null {
  const read = readNetwork(text);
  return 'network' in read ? read.network : null;
}

const network = text(64)
  .check(({ value, issues }) => {
    const read = readNetwork(value);
    if ('fault' in read)
      issues.push({ code: 'custom', message: `${shown(value)} ${read.fault}`, input: value });
  })
  .overwrite((value) => networkIn(value) ?? value);

export const restriction = {
  allowedNetworks: z
    .array(network)
    .max(FIELD_LIMITS.networksPerAccount)
    .overwrite((networks) => [...new Set(networks)].sort())
    .nullable()
    .optional()
    .describe('Addresses and ranges in CIDR form; empty or null: from anywhere.'),
  boundTo: binding.nullable().optional(),
};

import * as z from 'zod';
import { FIELD_LIMITS } from '../../fields.ts';
import { ALLOWED_NETWORKS_MAX } from '../../restriction.ts';

/** What the schemas of requests and responses are made of. */

/** Named in the OpenAPI document. */
export const components = z.registry<{ readonly id: string; readonly description?: string }>();

export function component<T extends z.ZodType>(id: string, schema: T, description?: string): T {
  components.add(schema, { id, ...(description === undefined ? {} : { description }) });
  return schema;
}

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

export const name = z
  .string()
  .regex(NAME, 'must be 1 to 64 of A-Z a-z 0-9 . _ - and begin with a letter or a digit');
export const accountId = z
  .string()
  .regex(/^[0-9A-Za-z]{12}$/, 'must be the 12 letters and digits of an account');
export const description = z
  .string()
  .max(4 * FIELD_LIMITS.descriptionCharacters)
  .describe('One line of text, at most 500 characters.');
export const expiry = z
  .string()
  .max(64)
  .nullable()
  .describe('When the account stops being let in, such as 2030-01-31T12:00:00Z; null: never.');
export const moment = z.string().describe('ISO 8601, UTC.');
export const permissions = z.array(z.string().max(128)).max(FIELD_LIMITS.permissionsPerRole);
export const applications = z.array(name).max(FIELD_LIMITS.applicationsPerTeam);
export const status = z.enum(['active', 'inactive']);

export const binding = component(
  'CertificateBinding',
  z.union([
    z.strictObject({
      thumbprint: z
        .string()
        .min(1)
        .max(128)
        .describe(
          'SHA-256 of the certificate (RFC 8705), in base64url; taken in hex as well, with or without colons.',
        ),
    }),
    z.strictObject({
      subject: z
        .string()
        .min(1)
        .max(1024)
        .describe('Its subject (RFC 4514), where a CA for clients vouches for the certificate.'),
    }),
  ]),
  'A client certificate: the one with this thumbprint, or any with this subject.',
);

export const restriction = {
  allowedNetworks: z
    .array(z.string().min(1).max(64))
    .max(ALLOWED_NETWORKS_MAX)
    .nullable()
    .optional()
    .describe('Addresses and ranges in CIDR form; empty or null: from anywhere.'),
  boundTo: binding.nullable().optional(),
};

import * as z from 'zod';
import { readNetwork } from '../../http/network.ts';
import { name } from '../values.ts';

/** RFC 3339 date-time with a zone. */
const ISO_MOMENT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2})$/;

const description = z
  .string()
  .max(500, 'at most 500 characters')
  .default('')
  .describe('In plain words.');

const role = z.strictObject({
  name: name.describe('Unique.'),
  description,
  permissions: z
    .array(z.string().min(1).max(128))
    .max(200, 'at most 200 permissions')
    .describe('`deployments:read`, `deployments:*`, `*`.'),
});

const team = z.strictObject({
  name: name.describe('Unique.'),
  description,
  applications: z
    .array(name)
    .max(500, 'at most 500 applications')
    .default([])
    .describe('Applications that the team owns.'),
});

const clientNetwork = z
  .string()
  .max(64)
  .superRefine((text, context) => {
    const read = readNetwork(text);
    if ('fault' in read) context.addIssue({ code: 'custom', message: read.fault });
  });

const serviceAccount = z.strictObject({
  name: name.describe('Unique.'),
  description,
  role: name.describe('The default role; `none` for accounts that live by teams and grants.'),
  teams: z
    .array(
      z.strictObject({
        team: name.describe('Of which team.'),
        role: name.describe('The role in it.'),
      }),
    )
    .max(50, 'at most 50 teams')
    .default([])
    .describe('Memberships, each with its role.'),
  grants: z
    .array(
      z.strictObject({
        application: name.describe('On which application.'),
        role: name.describe('The role there.'),
      }),
    )
    .max(200, 'at most 200 grants')
    .default([])
    .describe('Roles on single applications.'),
  status: z.enum(['active', 'inactive']).default('active').describe('Whether it is let in.'),
  expiresAt: z
    .string()
    .regex(ISO_MOMENT, 'expected a moment with its time zone, such as 2031-01-31T12:00:00Z')
    .nullable()
    .default(null)
    .describe('When it expires, with time zone; null = never.'),
  allowedNetworks: z
    .array(clientNetwork)
    .max(64, 'at most 64 networks')
    .default([])
    .describe('Addresses and ranges of clients from which it is let in. Empty: from anywhere.'),
  boundTo: z
    .union([
      z.strictObject({
        thumbprint: z
          .string()
          .min(1)
          .max(128)
          .describe('SHA-256 of the certificate, in base64url or hex.'),
      }),
      z.strictObject({
        subject: z
          .string()
          .min(1)
          .max(1024)
          .describe('Its subject (RFC 4514); a CA of `clientCaFile` must vouch for it.'),
      }),
    ])
    .nullable()
    .default(null)
    .describe(
      'The client certificate without which its token counts for nothing. Null: it needs none.',
    ),
});

export const accountsSection = z
  .strictObject({
    roles: z
      .array(role)
      .max(500, 'at most 500 roles')
      .default([])
      .describe('Named sets of permissions.'),
    teams: z
      .array(team)
      .max(2000, 'at most 2000 teams')
      .default([])
      .describe('Teams and what they own.'),
    serviceAccounts: z
      .array(serviceAccount)
      .max(10_000, 'at most 10000 accounts')
      .default([])
      .describe('The machines that are let in.'),
  })
  .prefault({})
  .describe(
    'Roles, teams and service accounts as they are to be. `sallyport apply` makes them so; what is not named is left alone, and no token stands here.',
  );

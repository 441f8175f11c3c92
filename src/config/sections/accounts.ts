import * as z from 'zod';
import { name } from '../values.ts';

const description = z.string().max(500, 'at most 500 characters').default('').describe('In plain words.');

const role = z.strictObject({
  name,
  description,
  permissions: z
    .array(z.string().min(1).max(128))
    .max(200, 'at most 200 permissions')
    .describe('`deployments:read`, `deployments:*`, `*`.'),
});

const team = z.strictObject({
  name,
  description,
  applications: z.array(name).max(500, 'at most 500 applications').default([]).describe('Applications that the team owns.'),
});

const serviceAccount = z.strictObject({
  name,
  description,
  role: name.describe('The default role; `none` for accounts that live by teams and grants.'),
  teams: z
    .array(z.strictObject({ team: name, role: name }))
    .max(50, 'at most 50 teams')
    .default([])
    .describe('Memberships, each with its role.'),
  grants: z
    .array(z.strictObject({ application: name, role: name }))
    .max(200, 'at most 200 grants')
    .default([])
    .describe('Roles on single applications.'),
  status: z.enum(['active', 'inactive']).default('active').describe('Whether it is let in.'),
  expiresAt: z.iso.datetime({ offset: true }).nullable().default(null).describe('When it expires, with time zone; null = never.'),
});

export const accountsSection = z
  .strictObject({
    roles: z.array(role).max(500, 'at most 500 roles').default([]),
    teams: z.array(team).max(2000, 'at most 2000 teams').default([]),
    serviceAccounts: z.array(serviceAccount).max(10_000, 'at most 10000 accounts').default([]),
  })
  .prefault({})
  .describe(
    'Roles, teams and service accounts as they are to be. `sallyport apply` makes them so; what is not named is left alone, and no token stands here.',
  );

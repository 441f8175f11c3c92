import * as z from 'zod';
import { FIELD_LIMITS } from '../../fields.ts';
import { OVERLAP_MOST_MS } from '../../service-accounts.ts';
import {
  applications,
  component,
  description,
  expiry,
  name,
  permissions,
  restriction,
  status,
} from './words.ts';

/**
 * What goes in. A schema says the form of it; whether a role exists, or a permission has a meaning,
 * only administration knows, and says so in the same words to everybody.
 */

export const newServiceAccount = component(
  'NewServiceAccount',
  z.strictObject({
    name,
    role: name.describe('Default role; `none` for accounts that live by teams and grants.'),
    description: description.optional(),
    expiresAt: expiry.optional(),
    ...restriction,
    teams: z
      .array(z.strictObject({ team: name, role: name }))
      .max(FIELD_LIMITS.teamsPerAccount)
      .optional(),
  }),
);
export const accountEdit = component(
  'AccountEdit',
  z.strictObject({
    description: description.optional(),
    role: name.optional(),
    status: status.optional(),
    expiresAt: expiry.optional(),
    ...restriction,
  }),
  'What is named is changed, the rest stays.',
);
const password = z.string().min(1).max(1024);
export const newUser = component(
  'NewUser',
  z.strictObject({
    name,
    role: name,
    password,
    description: description.optional(),
    expiresAt: expiry.optional(),
  }),
);
export const newPassword = component('NewPassword', z.strictObject({ password }));
export const newRole = component(
  'NewRole',
  z.strictObject({ name, permissions, description: description.optional() }),
);
export const roleEdit = component(
  'RoleEdit',
  z.strictObject({ permissions: permissions.optional(), description: description.optional() }),
);
export const newTeam = component(
  'NewTeam',
  z.strictObject({
    name,
    description: description.optional(),
    applications: applications.optional(),
  }),
);
export const declaration = component(
  'Declaration',
  z.strictObject({
    roles: z.array(newRole).max(FIELD_LIMITS.roles).optional(),
    teams: z.array(newTeam).max(FIELD_LIMITS.teams).optional(),
  }),
);
export const checkedDeclaration = component(
  'CheckedDeclaration',
  z.object({
    changes: z.array(z.string()).describe('What would be done, in this order.'),
  }),
);
export const teamEdit = component(
  'TeamEdit',
  z.strictObject({
    description: description.optional(),
    applications: applications.optional().describe('The whole new list.'),
    addApplications: applications.optional(),
    removeApplications: applications.optional(),
  }),
);
export const roleChoice = component('RoleChoice', z.strictObject({ role: name }));
export const rotation = component(
  'Rotation',
  z.strictObject({
    overlapMs: z
      .int()
      .min(0)
      .max(OVERLAP_MOST_MS)
      .optional()
      .describe(
        'How long the present token is let in beside the new one; default 0: it is refused at once.',
      ),
  }),
);
export const foundToken = component(
  'FoundToken',
  z.strictObject({ token: z.string().min(1).max(256) }),
);

import * as z from 'zod';
import { passwordFault } from '../../account/password.ts';
import { LIST_SORTS } from '../../registry/listing/query.ts';
import { REGISTRY_ID } from '../../registry/served.ts';
import { RECEIPT_WAIT } from '../context.ts';
import { FIELD_LIMITS, OVERLAP_MOST_MS } from '../limits.ts';
import * as words from './words.ts';

/**
 * What each operation takes, field by field: read by this alone, whoever brings it. Routes, their
 * parameters and bodies, and what is documented of them are parts of these.
 */

/** Field by which whoever owns the store says that nobody is to remain who administers. */
export const LEAVE_NONE = 'leaveNoAdministrator';

/**
 * Field by which whoever owns the store makes a change without the approval that it needs. Any
 * operation takes it, from who owns the store alone, and it is no part of what the operation reads.
 */
export const WITHOUT_APPROVAL = 'withoutApproval';

/** How a change goes about. */
const HOW = {
  waitMs: words
    .whole(0, RECEIPT_WAIT.mostMs)
    .optional()
    .describe(
      'How long to wait until a change that takes something away is in force everywhere (default 5000).',
    ),
  version: words.whole(0, Number.MAX_SAFE_INTEGER).optional(),
  [LEAVE_NONE]: z.boolean().optional(),
} as const;

/** Which account: by name or by id. */
export const REF = {
  name: words.name.optional(),
  id: words.name.optional(),
  kind: words.kind.optional(),
  ...HOW,
} as const;

/** Which role or team. */
export const NAMED = { name: words.name, ...HOW } as const;

const about = words.description.optional();

export const NEW_SERVICE_ACCOUNT = {
  name: words.name,
  role: words.roleName.describe('Default role; `none` for accounts that live by teams and grants.'),
  description: about,
  expiresAt: words.expiry.optional(),
  ...words.restriction,
  teams: words.memberships.optional(),
  honey: z
    .boolean()
    .optional()
    .describe(
      'A bait: its token is let in nowhere, and using it raises an alarm (an event, a metric, webhooks).',
    ),
} as const;

export const ACCOUNT_EDIT = {
  description: about,
  role: words.roleName.optional(),
  status: words.status.optional(),
  expiresAt: words.expiry.optional(),
  ...words.restriction,
} as const;

export const DECLARED_ACCOUNT = {
  name: words.name,
  role: words.roleName,
  description: about,
  teams: words.memberships.optional(),
  grants: words.grants.optional(),
  status: words.status.optional(),
  expiresAt: words.declaredExpiry.optional(),
  ...words.restriction,
} as const;

const overlapMs = words
  .whole(0, OVERLAP_MOST_MS)
  .optional()
  .describe(
    'How long the present token is let in beside the new one; default 0: it is refused at once.',
  );
export const ROTATION = { ...REF, overlapMs } as const;
export const RENEWAL = { token: words.text(256), overlapMs, waitMs: HOW.waitMs } as const;
export const FOUND_TOKEN = { token: words.text(256), waitMs: HOW.waitMs } as const;

const password = words.text(1024).check(({ value, issues }) => {
  const fault = /\p{Cc}/u.test(value) ? 'holds a control character' : passwordFault(value);
  if (fault !== null) issues.push({ code: 'custom', message: fault, input: '' });
});

export const NEW_USER = {
  name: words.name,
  role: words.roleName,
  password,
  description: about,
  expiresAt: words.expiry.optional(),
} as const;
export const NEW_PASSWORD = { ...REF, password } as const;
export const OWN_PASSWORD = { current: words.text(1024), password } as const;
export const VOUCHED_PERSON = {
  name: words.name,
  subject: words.text(768),
  role: words.roleName,
} as const;

export const MEMBERSHIP = { ...REF, team: words.teamName, role: words.roleName } as const;
/** Taken away by whatever name it goes: it need not be there any more. */
export const LEFT_TEAM = { ...REF, team: words.name } as const;
export const GRANT = { ...REF, application: words.name, role: words.roleName } as const;
export const LOST_GRANT = { ...REF, application: words.name } as const;

export const NEW_ROLE = {
  name: words.name,
  permissions: words.permissions,
  description: about,
} as const;
export const ROLE_EDIT = {
  ...NAMED,
  permissions: words.permissions.optional(),
  description: about,
} as const;

export const NEW_TEAM = {
  name: words.name,
  description: about,
  applications: words.applications.optional(),
} as const;
export const TEAM_EDIT = {
  ...NAMED,
  description: about,
  applications: words.applications.optional().describe('The whole new list.'),
  addApplications: words.applications.optional(),
  removeApplications: words.applications.optional(),
} as const;

export const DECLARATION = {
  roles: z
    .array(words.component('NewRole', z.strictObject(NEW_ROLE)))
    .max(FIELD_LIMITS.roles)
    .optional(),
  teams: z
    .array(words.component('NewTeam', z.strictObject(NEW_TEAM)))
    .max(FIELD_LIMITS.teams)
    .optional(),
  /** There may be 50,000: each is read when it is its turn. */
  serviceAccounts: z.array(z.unknown()).optional(),
} as const;

export const APPLIED_DECLARATION = {
  ...DECLARATION,
  plan: words
    .text(64)
    .optional()
    .describe('`plan` of the check: where it is another one by now, nothing is changed (412).'),
  waitMs: HOW.waitMs,
} as const;

export const LIST_ORDERS = ['ascending', 'descending'] as const;
/** Days that a filter may look back or ahead. */
const days = () => words.whole(1, 3650).optional();

const limit = words.whole(1, 500).optional();
export const PAGE = {
  cursor: words.text(512).nullable().optional().describe('`next` of the page before.'),
  limit: limit.describe('At most so many (1 to 500, default 100). Only `next: null` is the end.'),
} as const;

export const ACCOUNT_LIST = {
  ...PAGE,
  kind: words.kind.optional(),
  cursor: PAGE.cursor.describe(
    '`next` or `previous` of another page of the same list in the same order.',
  ),
  sort: z
    .enum(LIST_SORTS)
    .optional()
    .describe('Default `name`. What has no such value comes last, but what was never used first.'),
  order: z.enum(LIST_ORDERS).optional().describe('Default `ascending`.'),
  namePrefix: words.text(64).optional().describe('How the name begins, whatever the letter case.'),
  name: words.name.optional().describe('Exactly this name.'),
  search: words
    .text(200)
    .refine((value) => value.trim() !== '', { error: 'must not be blank' })
    .optional()
    .describe('Part of the name or the description, whatever the letter case, or the whole id.'),
  status: z.enum(['active', 'inactive', 'expired']).optional(),
  role: words.name
    .optional()
    .describe('Has the role anywhere: by default, in a team or by a grant.'),
  team: words.name.optional(),
  expiringWithinDays: days(),
  neverUsed: z.boolean().optional(),
  unusedForDays: days().describe('Not let in for so many days, with a token older than that.'),
  tokenOlderThanDays: days().describe(
    'With a live token that was issued so many days ago or earlier.',
  ),
  honey: z.boolean().optional().describe('Only baits.'),
  lastUsed: z.boolean().optional().describe('Also say when each token was last let in.'),
} as const;

/** Accounts of one request: what one step of the store changes. */
export const BULK_MOST = 256;

export const BULK_CHANGE = {
  status: words.status.optional(),
  expiresAt: words.expiry.optional(),
  role: words.roleName.optional().describe('The default role.'),
  join: z
    .strictObject({ team: words.teamName, role: words.roleName })
    .optional()
    .describe('A team, and the role in it.'),
  leave: words.teamName.optional().describe('A team; whoever is not in it stays as it is.'),
} as const;

export const BULK = {
  kind: words.kind,
  ids: z
    .array(words.name)
    .min(1)
    .max(BULK_MOST)
    .overwrite((ids) => [...new Set(ids)]),
  ...BULK_CHANGE,
  preview: z.boolean().optional().describe('Only say what would become of each.'),
  waitMs: HOW.waitMs,
} as const;

export const WEBHOOK = { name: words.name } as const;

const registryId = 'must be the id of a registry, a UUID';
export const REGISTRY = {
  id: z.string({ error: registryId }).regex(REGISTRY_ID, { error: registryId }),
} as const;

/** What would be done, of the operations that can be looked at first. */
export const previewOf = <Name extends string>(previewed: readonly Name[]) =>
  ({
    operation: z.enum(previewed).describe('What would be done, by its name in this list.'),
    input: z
      .record(z.string(), z.unknown())
      .describe('As that operation takes it: the fields of its path and its body together.'),
  }) as const;

const approval = words.text(64).describe('Id of the change that waits.');
export const WAITING_REF = { approval } as const;
export const APPROVE = { approval, waitMs: HOW.waitMs } as const;

export const TEAM_MEMBERS = { team: words.name, ...PAGE } as const;

const records = z.array(z.unknown());
const revive = z.boolean().optional();
export const EXPORT = { cursor: words.text(512).nullable().optional() } as const;
export const FIND_REVIVED = { records } as const;
export const IMPORT_MANY = { records, reviveRevoked: revive } as const;
export const IMPORT_ONE = {
  kind: z.enum(['account', 'role', 'team']),
  text: words.text(4 * 1024 * 1024),
  reviveRevoked: revive,
} as const;

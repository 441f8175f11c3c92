import * as z from 'zod';
import { LIST_SORTS } from '../../registry/listing/query.ts';
import { RECEIPT_WAIT } from '../context.ts';
import { FIELD_LIMITS } from '../fields.ts';
import { LIST_ORDERS } from '../list-accounts.ts';
import { ALLOWED_NETWORKS_MAX } from '../restriction.ts';
import { OVERLAP_MOST_MS } from '../service-accounts.ts';

/**
 * What goes in and out, as schemas: requests are checked by them, and the OpenAPI document is made
 * of them. What they say about input is its form; whether a role exists, or a permission has a
 * meaning, only administration knows, and says so in the same words to everybody.
 */

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
const description = z
  .string()
  .max(4 * FIELD_LIMITS.descriptionCharacters)
  .describe('One line of text, at most 500 characters.');
const expiry = z
  .string()
  .max(64)
  .nullable()
  .describe('When the account stops being let in, such as 2030-01-31T12:00:00Z; null: never.');
export const moment = z.string().describe('ISO 8601, UTC.');
const token = z.string().describe('The token. Shown this once; only its digest is kept.');
const permissions = z.array(z.string().max(128)).max(FIELD_LIMITS.permissionsPerRole);
const applications = z.array(name).max(FIELD_LIMITS.applicationsPerTeam);
const status = z.enum(['active', 'inactive']);

// What comes out.

const tokenView = z.object({
  id: z.string().describe('Public handle, as in audit events.'),
  createdAt: moment,
  lastUsed: z
    .object({ at: moment, address: z.string() })
    .nullable()
    .describe('When and from where it was last let in; null: never, or not looked up.'),
});

const binding = component(
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

const restriction = {
  allowedNetworks: z
    .array(z.string().min(1).max(64))
    .max(ALLOWED_NETWORKS_MAX)
    .nullable()
    .optional()
    .describe('Addresses and ranges in CIDR form; empty or null: from anywhere.'),
  boundTo: binding.nullable().optional(),
};

const account = component(
  'Account',
  z.object({
    id: z.string(),
    version: z.int().describe('Number of the change that made the record what it is; the ETag.'),
    kind: z.enum(['service', 'user']),
    name: z.string(),
    description: z.string(),
    status,
    expired: z
      .boolean()
      .describe('The expiry has passed: the account is let in nowhere, whatever its status.'),
    role: z.string().describe('Decides wherever neither a grant nor a team says otherwise.'),
    teams: z.array(z.object({ team: z.string(), role: z.string() })),
    grants: z.array(z.object({ application: z.string(), role: z.string() })),
    createdAt: moment,
    updatedAt: moment,
    expiresAt: moment.nullable(),
    allowedNetworks: z
      .array(z.string())
      .describe('From where it is let in, in CIDR form; empty: from anywhere.'),
    boundTo: binding
      .nullable()
      .describe('The client certificate without which its token counts for nothing; null: none.'),
    token: tokenView
      .nullable()
      .describe('The live token of a service account; null when it has none.'),
    previousToken: tokenView
      .extend({ validUntil: moment })
      .nullable()
      .describe('The token before it, while a rotation with overlap lets it in too.'),
    subject: z
      .string()
      .nullable()
      .describe(
        'Who a user is at the identity provider, by which alone they sign in: `issuer#sub`. Null: a user with a password, or a service account.',
      ),
    retiredTokens: z.array(z.string()).describe('Handles of retired tokens, newest first.'),
  }),
  'A service account (a machine) or a user (a person).',
);

const revocation = component(
  'Revocation',
  z.object({
    effective: z
      .boolean()
      .describe('Every instance that could have let the old state pass has applied the change.'),
    assurance: z.enum(['proven', 'topology-dependent']),
    instances: z.int(),
    acknowledged: z.int(),
    lapsed: z.int(),
    slowestMs: z.number().nullable(),
    lost: z
      .boolean()
      .describe('A failover of the store has taken the change away again: look, and make it anew.'),
    certainAt: moment
      .nullable()
      .describe('When it is certain without anybody’s word; null when it is effective.'),
  }),
  'Where a change that took something away is in force.',
);

const receipt = { revocation: revocation.optional() };

export const changedAccount = component(
  'ChangedAccount',
  z.object({ account, changed: z.boolean(), ...receipt }),
);
export const issuedToken = component('IssuedToken', z.object({ account, token, ...receipt }));
export const createdServiceAccount = component(
  'CreatedServiceAccount',
  z.object({
    account,
    token: token
      .nullable()
      .describe('Null when the request was a repetition: a token is told once.'),
  }),
);
export const oneAccount = component('OneAccount', z.object({ account }));
export const accountPage = component(
  'AccountPage',
  z.object({
    items: z.array(account),
    total: z.int().describe('How many accounts there are on all pages.'),
    next: z.string().nullable().describe('Cursor of the next page; null: that was all.'),
    previous: z.string().nullable().describe('Cursor of the page before; null: this is the first.'),
    damaged: z.array(z.string()).describe('Ids of accounts whose record cannot be read.'),
  }),
);

const inDoubt = z.array(z.string()).optional();

const role = component(
  'Role',
  z.object({
    name: z.string(),
    version: z.int(),
    description: z.string(),
    permissions: z.array(z.string()),
    createdAt: moment,
    updatedAt: moment,
    builtIn: z.boolean().describe('Can be assigned and not changed.'),
    inDoubt: inDoubt.describe(
      'Permissions of the record that do not count, because a change that took them away was lost ' +
        'by the store: until the role is changed.',
    ),
  }),
);
const uses = z.int().nullable();

export const shownRole = component(
  'ShownRole',
  z.object({
    role,
    usedBy: z.array(z.string()).describe('Names of accounts, at most 100.'),
    uses: uses.describe('How many accounts have the role; null: not counted, it is built in.'),
  }),
);
export const changedRole = component(
  'ChangedRole',
  z.object({ role, changed: z.boolean(), ...receipt }),
);
export const rolePage = component(
  'RolePage',
  z.object({
    items: z.array(
      role.extend({
        uses: uses.describe('How many accounts have the role; null: not counted, it is built in.'),
      }),
    ),
    next: z.string().nullable(),
  }),
);

const teamFields = {
  name: z.string(),
  version: z.int(),
  description: z.string(),
  applications: z.array(z.string()),
  createdAt: moment,
  updatedAt: moment,
  inDoubt: inDoubt.describe(
    'Applications in which members have no role but by a grant, because the store has lost a change ' +
      'of who owns them: until the team is changed.',
  ),
};
const team = component('Team', z.object(teamFields));
const member = component(
  'TeamMember',
  z.object({
    id: z.string(),
    account: z.string(),
    kind: z.enum(['service', 'user']),
    role: z.string(),
  }),
);
const memberCount = z.int().describe('How many accounts are in the team.');

export const shownTeam = component(
  'ShownTeam',
  z.object({
    team: z.object({
      ...teamFields,
      memberCount,
      members: z.array(member).describe('At most 1000, by name.'),
    }),
  }),
);
export const memberPage = component(
  'TeamMemberPage',
  z.object({ items: z.array(member), next: z.string().nullable() }),
);
export const changedTeam = component(
  'ChangedTeam',
  z.object({ team, changed: z.boolean(), ...receipt }),
);
export const teamPage = component(
  'TeamPage',
  z.object({ items: z.array(team.extend({ memberCount })), next: z.string().nullable() }),
);

const event = component(
  'Event',
  z.looseObject({ id: z.string(), time: z.string(), type: z.string(), phase: z.string() }),
  'One record of a call, a change or a sign-in; config/audit-event.schema.json describes its fields. Of type `unreadable`: `line` stands in the log, and this version cannot read it (`reason`).',
);
export const eventPage = component(
  'EventPage',
  z.object({ items: z.array(event), next: z.string().nullable() }),
);

export const linePage = component(
  'LinePage',
  z.object({
    items: z.array(z.string()).describe('Each the text of one event, as the record has it.'),
    next: z.string().nullable(),
  }),
);

export const instances = component(
  'Instances',
  z.object({
    seq: z.int().describe('The number of the registry’s last change.'),
    items: z.array(
      z.object({
        instance: z.string(),
        version: z.string(),
        leaseMs: z.number(),
        leaseRemainingMs: z.number(),
        appliedSeq: z.int().nullable(),
        lag: z.int().nullable(),
        auditKey: z
          .string()
          .nullable()
          .describe('Id of the key that signs its record; null: it has signed nothing yet.'),
      }),
    ),
  }),
);

export const explanation = component(
  'Explanation',
  z.object({
    allowed: z.boolean(),
    reason: z.string(),
    route: z.string().nullable(),
    permission: z.string().nullable(),
    application: z.string().nullable(),
    applications: z.array(z.string()).describe('Where the call is about several; each was judged.'),
    role: z.string().nullable(),
    rule: z.enum(['grant', 'team', 'default', 'in-doubt']).nullable(),
    because: z.array(z.string()),
  }),
);

export const whoCanPage = component(
  'WhoCanPage',
  z.object({
    items: z.array(
      z.object({
        account: z.string(),
        permission: z.string().nullable(),
        application: z.string().nullable(),
        applications: z.array(z.string()),
        role: z.string().nullable(),
        rule: z.enum(['grant', 'team', 'default', 'in-doubt']).nullable(),
        allowedNetworks: z.array(z.string()).describe('From where alone; empty: from anywhere.'),
        boundTo: binding.nullable().describe('Beside which client certificate alone.'),
      }),
    ),
    examined: z.int().describe('How many accounts were asked about for this page.'),
    damaged: z.array(z.string()).describe('Ids of accounts whose record cannot be read.'),
    next: z.string().nullable().describe('Of the next page; null: that was all.'),
  }),
  'A page may be empty and have a next one.',
);

export const received = component('Received', z.object({ received: z.literal(true) }));

export const problem = component(
  'Problem',
  z.object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    reason: z.string().describe('Stable; branch on this.'),
    requestId: z.string(),
    detail: z.string().optional(),
    faults: z.array(z.object({ field: z.string(), message: z.string() })).optional(),
    users: z.array(z.string()).optional(),
  }),
  'RFC 9457 problem details.',
);

// What goes in.

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

// Parameters. They arrive as text.

const number = (least: number, most: number) =>
  z.codec(
    z.string().regex(/^\d{1,9}$/, `must be a whole number from ${least} to ${most}`),
    z.int().min(least).max(most),
    {
      decode: Number,
      encode: String,
    },
  );
const yes = z.enum(['true', 'false']);

export const pageQuery = {
  cursor: z.string().min(1).max(512).optional().describe('`next` of the page before.'),
  limit: number(1, 500)
    .optional()
    .describe('At most so many (1 to 500, default 100). Only `next: null` is the end.'),
};
export const waitQuery = {
  waitMs: number(0, RECEIPT_WAIT.mostMs)
    .optional()
    .describe(
      'How long to wait until a change that takes something away is in force everywhere (default 5000).',
    ),
};
export const accountQuery = {
  ...pageQuery,
  cursor: z
    .string()
    .min(1)
    .max(512)
    .optional()
    .describe('`next` or `previous` of another page of the same list in the same order.'),
  sort: z
    .enum(LIST_SORTS)
    .optional()
    .describe('Default `name`. What has no such value comes last, but what was never used first.'),
  order: z.enum(LIST_ORDERS).optional().describe('Default `ascending`.'),
  namePrefix: z
    .string()
    .min(1)
    .max(64)
    .optional()
    .describe('How the name begins, whatever the letter case.'),
  name: name.optional().describe('Exactly this name.'),
  search: z
    .string()
    .min(1)
    .max(200)
    .optional()
    .describe('Part of the name or the description, whatever the letter case, or the whole id.'),
  status: z.enum(['active', 'inactive', 'expired']).optional(),
  role: name.optional().describe('Has the role anywhere: by default, in a team or by a grant.'),
  team: name.optional(),
  expiringWithinDays: number(1, 3650).optional(),
};
export const serviceAccountQuery = {
  ...accountQuery,
  neverUsed: yes.optional(),
  unusedForDays: number(1, 3650)
    .optional()
    .describe('Not let in for so many days, with a token older than that.'),
  tokenOlderThanDays: number(1, 3650)
    .optional()
    .describe('With a live token that was issued so many days ago or earlier.'),
  lastUsed: yes.optional().describe('Also say when each token was last let in.'),
};
export const activityFilter = {
  reason: z.string().min(1).max(128).optional(),
  phase: z.enum(['decision', 'outcome', 'change', 'sign-in', 'chain']).optional(),
  type: z.string().min(1).max(128).optional(),
  route: name.optional(),
  application: name.optional(),
  method: z.string().min(1).max(32).optional(),
  decision: z.enum(['permit', 'refusal']).optional(),
  status: z
    .string()
    .regex(/^[1-5](?:\d\d|xx)$/)
    .optional()
    .describe('What the caller was told: `404`, or all of a kind: `4xx`.'),
  address: z
    .string()
    .min(1)
    .max(128)
    .optional()
    .describe('Of the client: an IP address, or a network such as `10.0.0.0/8`.'),
  actor: z.string().min(1).max(128).optional().describe('Who administered: name or id.'),
  requestId: z
    .string()
    .min(1)
    .max(128)
    .optional()
    .describe(
      'One request: its decision, its outcome and the changes it made. The record is searched from its newest end, 200,000 events a page: `since` bounds it, `next` goes on.',
    ),
  since: z.string().max(64).optional().describe('ISO 8601 with zone.'),
  until: z.string().max(64).optional().describe('ISO 8601 with zone.'),
};
/** A call, whoever makes it. */
export const callQuery = {
  method: z.string().min(1).max(64),
  path: z.string().min(1).max(8192).describe('Without query.'),
  host: z.string().min(1).max(255).optional(),
  variables: z
    .string()
    .min(1)
    .max(8192)
    .optional()
    .describe('What stands in the body, where a route is decided by it: `app=CRM,app=HR`.'),
  from: z.string().min(1).max(64).optional().describe('The address of the client.'),
};
export const explainQuery = { account: name, ...callQuery };
export const whoCanQuery = {
  ...callQuery,
  cursor: z.string().min(1).max(64).optional().describe('`next` of the page before.'),
};

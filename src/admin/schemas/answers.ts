import * as z from 'zod';
import { binding, component, moment, status } from './words.ts';

/** What comes out: accounts, roles and teams, and where a change is in force. */

const token = z.string().describe('The token. Shown this once; only its digest is kept.');

const tokenView = z.object({
  id: z.string().describe('Public handle, as in audit events.'),
  createdAt: moment,
  lastUsed: z
    .object({ at: moment, address: z.string() })
    .nullable()
    .describe('When and from where it was last let in; null: never, or not looked up.'),
});

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
    honey: z
      .boolean()
      .describe(
        'A bait: its token is let in nowhere, and using it raises an alarm (an event, a metric, webhooks).',
      ),
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

export const receipt = { revocation: revocation.optional() };

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
export const bulkChange = component(
  'BulkChange',
  z.object({
    items: z.array(
      z.object({
        id: z.string(),
        name: z.string().nullable().describe('Null: there is no such account.'),
        outcome: z.enum(['changed', 'unchanged', 'refused']),
        why: z.string().nullable().describe('Why it is refused.'),
        loses: z.array(z.string()).describe('What it may do no more, in words.'),
      }),
    ),
    ...receipt,
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

export const checkedDeclaration = component(
  'CheckedDeclaration',
  z.object({
    changes: z.array(z.string()).describe('What would be done, in this order.'),
    plan: z.string().describe('Names the plan, for whoever has it made.'),
  }),
);
const declaredChange = component(
  'DeclaredChange',
  z.object({
    what: z.enum(['create', 'change']),
    target: z.string().describe('Such as `role deployer`.'),
    differences: z.array(z.string()).describe('One line each; empty for what is new.'),
  }),
);
export const appliedDeclaration = component(
  'AppliedDeclaration',
  z.object({
    applied: z.array(declaredChange),
    notApplied: z
      .array(declaredChange)
      .describe(
        'Not known to be applied: where `fault` is `unavailable`, the answer of the store may be lost and the change made. The next run goes on with them.',
      ),
    fault: z.object({ code: z.string(), message: z.string() }).nullable(),
    ...receipt,
  }),
);

const webhook = component(
  'Webhook',
  z.object({
    name: z.string(),
    url: z.string(),
    events: z.array(z.string()).describe('Types of the events that it is told of.'),
    networks: z
      .array(z.string())
      .nullable()
      .describe('Where the receiver may be; null: at any public address.'),
    secrets: z.int().describe('How many sign; 2 while one takes the place of another.'),
  }),
  'A receiver of events, as the configuration has it.',
);

export const webhooks = component('Webhooks', z.object({ items: z.array(webhook) }));
export const webhookTested = component(
  'WebhookTested',
  z.object({
    delivered: z.boolean().describe('It has answered with 2xx.'),
    why: z.string().nullable().describe('Why not; null: it was delivered.'),
  }),
);

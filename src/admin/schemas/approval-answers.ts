import * as z from 'zod';
import { receipt } from './answers.ts';
import { component, moment } from './words.ts';

/** What comes out: changes that wait for a second administrator. */

const record = z
  .record(z.string(), z.unknown())
  .nullable()
  .describe('As events show it: without secrets. Null: there is none.');

const changes = z.array(
  z.object({
    kind: z.enum(['account', 'role', 'team']),
    id: z.string().nullable().describe('Null: of a new account.'),
    name: z.string(),
    before: record,
    after: record,
  }),
);

const waiting = component(
  'WaitingChange',
  z.object({
    id: z.string(),
    operation: z.string().describe('What was asked for, by its name in this API.'),
    proposedBy: z.object({
      id: z.string().nullable().describe('Null: whoever acts with the store itself.'),
      name: z.string(),
      kind: z.enum(['service', 'user', 'operator', 'system']),
      via: z.string().describe('Through which door.'),
    }),
    proposedAt: moment,
    expiresAt: moment.describe('From then on nobody can approve it.'),
    roles: z.array(z.string()).describe('Protected roles that it concerns.'),
    changes,
  }),
  'A change that waits for a second administrator.',
);

export const waitingChanges = component(
  'WaitingChanges',
  z.object({ approvals: z.array(waiting) }),
);
export const waitingChange = component('OneWaitingChange', z.object({ approval: waiting }));
export const approvedChange = component(
  'ApprovedChange',
  z.object({ approval: waiting, ...receipt }),
);

export const changePreview = component(
  'ChangePreview',
  z.object({
    changes,
    approval: z
      .array(z.string())
      .describe('Protected roles that it concerns; with any, it waits for a second administrator.'),
    losers: z
      .array(
        z.object({
          id: z.string(),
          name: z.string(),
          kind: z.enum(['service', 'user']),
          loses: z.array(z.string()).describe('What it may do no more, in words.'),
          lastUsedAt: moment.nullable().describe('When a token of it was last let in.'),
          calls: z
            .object({ count: z.int(), isMore: z.boolean() })
            .nullable()
            .describe('Of the last 24 hours, at most 500 are counted; null: not looked up.'),
          underWay: z
            .int()
            .nullable()
            .describe(
              'Calls that the process which answers is serving now, streams and tunnels among them; other gates, and other workers of this one (`instance.workers`), are not asked. Null: not looked up.',
            ),
        }),
      )
      .describe('Those of the accounts looked at who lose by it, at most 50, most calls first.'),
    losing: z.int().describe('How many lose by it, with those beyond the 50.'),
    accounts: z.int().describe('How many accounts it concerns.'),
    examined: z.int().describe('How many of them were looked at: at most 500.'),
    abandoned: z
      .array(z.string())
      .describe('Applications of teams that have nobody left who is let in.'),
  }),
  'What a change would do.',
);

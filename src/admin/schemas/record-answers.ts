import * as z from 'zod';
import { SUBJECTS } from '../../stats/usage/table.ts';
import { USAGE_ORDERS } from '../usage-orders.ts';
import { binding, component } from './words.ts';

/** What comes out: the record, instances, decisions and problems. */

const event = component(
  'Event',
  z.looseObject({ id: z.string(), time: z.string(), type: z.string(), phase: z.string() }),
  'One record of a call, a change or a sign-in; config/audit-event.schema.json describes its fields. Of type `unreadable`: `line` stands in the log, and this version cannot read it (`reason`).',
);
const begins = z
  .string()
  .optional()
  .describe(
    'Where `since` is older: calls are on record from then on. What was before is no longer kept, or was never recorded.',
  );

export const eventPage = component(
  'EventPage',
  z.object({ items: z.array(event), next: z.string().nullable(), begins }),
);

const ms = z.number().nullable();
const events = z.array(event);

export const requestStory = component(
  'RequestStory',
  z.object({
    requestId: z.string(),
    items: events.describe('All that was recorded of it, newest first.'),
    next: z
      .string()
      .nullable()
      .describe('`cursor` with which the search goes on; null: that was all.'),
    timing: z
      .object({
        totalMs: z.number(),
        gateMs: ms.describe('The gate’s part.'),
        upstreamMs: ms.describe('The upstream’s part, until the head of its response.'),
        restMs: ms.describe('Transfer of the bodies, at the pace of both ends.'),
      })
      .nullable()
      .describe('In milliseconds; null: it has not ended, or was not measured.'),
    neighbours: z
      .object({
        of: z.enum(['account', 'address']),
        name: z.string(),
        before: events,
        after: events,
        reached: z.boolean().describe('False: too much has been recorded since to look for them.'),
      })
      .nullable()
      .describe('What else the same account did, or came from the same address: newest first.'),
  }),
  'A page may be empty and have a next one: the request may lie far back.',
);

export const linePage = component(
  'LinePage',
  z.object({
    items: z.array(z.string()).describe('Each the text of one event, as the record has it.'),
    next: z.string().nullable(),
    begins,
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

const rule = z.enum(['grant', 'team', 'default', 'in-doubt']);

const routesFrom = component(
  'RoutesFrom',
  z.object({
    instance: z.string().nullable().describe('Null: whoever answers has routes of its own.'),
    since: z.string().nullable().describe('Since when they are in force there, ISO 8601.'),
    toldAt: z.string().nullable().describe('When the instance said so last.'),
    differing: z.int().describe('How many instances have published other ones.'),
  }),
  'By whose routes the question was answered.',
);

export const routeTables = component(
  'RouteTables',
  z.object({
    own: z.boolean().describe('Whoever answers has routes of its own.'),
    items: z.array(
      z.object({
        instance: z.string(),
        routes: z.int(),
        table: z
          .string()
          .nullable()
          .describe(
            'Instances with the same routes have the same one; null: too many to be published.',
          ),
        since: z.string().describe('Since when they are in force there, ISO 8601.'),
        toldAt: z.string().describe('When the instance said so last.'),
      }),
    ),
  }),
);

export const matrixPage = component(
  'MatrixPage',
  z.object({
    permission: z.string(),
    applications: z.array(z.string()).describe('In the order of the cells.'),
    applicationsTotal: z.int(),
    nextAfter: z.string().nullable().describe('`after` of the applications that follow.'),
    items: z.array(
      z.object({
        account: z.string(),
        standing: z
          .enum(['account-inactive', 'token-expired', 'honey'])
          .nullable()
          .describe('Why it is let in nowhere; `honey`: it is a bait; null: it counts.'),
        cells: z.array(
          z.object({
            application: z.string(),
            allowed: z.boolean(),
            role: z.string().describe('The effective role there.'),
            rule,
            team: z.string().nullable(),
          }),
        ),
      }),
    ),
    total: z.int().describe('How many accounts there are on all pages.'),
    damaged: z.array(z.string()).describe('Ids of accounts whose record cannot be read.'),
    previous: z.string().nullable(),
    next: z.string().nullable(),
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
    rule: rule.nullable(),
    team: z.string().nullable().describe('By which it has the role.'),
    because: z.array(z.string()),
    routes: routesFrom,
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
        rule: rule.nullable(),
        team: z.string().nullable(),
        allowedNetworks: z.array(z.string()).describe('From where alone; empty: from anywhere.'),
        boundTo: binding.nullable().describe('Beside which client certificate alone.'),
      }),
    ),
    examined: z.int().describe('How many accounts were asked about for this page.'),
    damaged: z.array(z.string()).describe('Ids of accounts whose record cannot be read.'),
    next: z.string().nullable().describe('Of the next page; null: that was all.'),
    routes: routesFrom,
  }),
  'A page may be empty and have a next one.',
);

const figures = {
  calls: z.number(),
  refused: z.number().describe('Also what ended badly after it was let in.'),
  requestBytes: z.number().describe('Content of requests.'),
  responseBytes: z.number().describe('Content of responses.'),
  p50Ms: z.number().nullable().describe('What half of the calls took at most; null: no calls.'),
  p99Ms: z.number().nullable().describe('What 99 of 100 calls took at most.'),
};
const missed = z.number().describe('It may have had so many calls more.');
const range = {
  since: z.string(),
  until: z.string(),
  step: z.enum(['minute', 'hour']),
};

export const usageTop = component(
  'UsageTop',
  z.object({
    ...range,
    of: z.enum(SUBJECTS),
    by: z.enum(USAGE_ORDERS),
    items: z.array(
      z.object({
        id: z.string(),
        name: z.string(),
        missed,
        ...figures,
        trend: z
          .array(z.number())
          .describe(
            'Its calls in up to 60 equal parts of the range; of more than six hours by minutes, in the hours of the clock.',
          ),
      }),
    ),
    total: z.object(figures).describe('Of all, those without a name included.'),
  }),
);

export const usageSeries = component(
  'UsageSeries',
  z.object({
    ...range,
    of: z.enum(SUBJECTS),
    name: z.string(),
    itemMinutes: z.int().describe('How many minutes an item covers.'),
    items: z.array(z.object({ from: z.string(), ...figures, missed })),
    total: z.object(figures),
  }),
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
    approval: z
      .string()
      .optional()
      .describe('With `awaits-approval`: the id of the change that waits.'),
  }),
  'RFC 9457 problem details.',
);

import * as z from 'zod';
import { REFUSALS } from '../../refusal.ts';
import { REPLAYED } from '../trail/replay-change.ts';
import { DAYS_MOST } from '../trail/trails.ts';
import { component, moment, text, whole } from './words.ts';

/** What is asked of the record of calls about rights, and what comes out. */

/** How far back, and where an answer goes on. */
const TRAIL = {
  days: whole(1, DAYS_MOST).optional().describe('So many days back (1 to 90, default 7).'),
  cursor: text(64)
    .nullable()
    .optional()
    .describe('`next` of the answer before, of the same gate: goes on there, and answers for all.'),
} as const;

export const REPLAY = {
  operation: z
    .enum(REPLAYED)
    .describe('The change, as the command line and the owner’s socket name it.'),
  input: z
    .record(z.string(), z.unknown())
    .describe('What it takes: `{ "name": "deployer", "permissions": ["deployments:read"] }`.'),
  ...TRAIL,
} as const;

const count = z.int().min(0);
const names = z.array(z.string());

const trailWindow = component(
  'TrailWindow',
  z.object({
    since: moment.describe('From when on was asked.'),
    from: moment.describe('From when on the record was looked at.'),
    until: moment.describe('When that was begun.'),
    cutShort: z
      .enum(['unread', 'too-many-kinds', 'not-held'])
      .nullable()
      .describe(
        'Why `from` is later than `since`: more is to be read (`next`), there are more kinds of calls than are kept, or the record begins there. Null: all was looked at.',
      ),
    examined: count.describe('Events looked at, of every kind.'),
    calls: count.describe('Calls whose decisions were among them.'),
  }),
);

const rejudged = z.object({
  reason: z.enum(['permitted', ...(Object.keys(REFUSALS) as (keyof typeof REFUSALS)[])]),
  role: z.string().nullable().describe('That decides; null: none, or several.'),
});

const item = component(
  'ReplayedCalls',
  z.object({
    account: z.string(),
    accountId: z.string(),
    permissions: names,
    applications: names.nullable().describe('Null: the calls name none.'),
    route: z.string().nullable(),
    calls: count,
    first: moment,
    last: moment,
    samples: names.describe('Request ids of some of the newest of them.'),
    before: rejudged.describe('What they would be told today.'),
    after: rejudged.describe('What they would be told with the change.'),
  }),
);
const part = z.object({
  calls: count,
  accounts: count,
  items: z.array(item).describe('At most 100, those with the most calls.'),
});

export const replay = component(
  'Replay',
  z.object({
    window: trailWindow,
    refuses: part.describe('Let in today, and refused with the change.'),
    letsIn: part.describe('Refused today, and let in with the change.'),
    judged: count.describe('Calls that were judged.'),
    otherwise: count.describe(
      'Of them, those that are decided otherwise today than they were: records have changed since.',
    ),
    movedRoutes: count.describe(
      'Of them, those whose route is gone or asks for another permission: judged by what they asked.',
    ),
    notJudged: count.describe(
      'Refused for something else than what roles say, only counted, or of an account that is to be let in from elsewhere.',
    ),
    gone: count.describe('Calls of accounts that are deleted.'),
    routesKnown: z
      .boolean()
      .describe('False: no routes are known here, and each record counts as it reads.'),
    next: z.string().nullable().describe('Goes on where this ended; null: that was all.'),
  }),
  'What a change would have done to recorded calls.',
);

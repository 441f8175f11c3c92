import * as z from 'zod';
import { REFUSALS } from '../../refusal.ts';
import { FINDING_KINDS } from '../advice/finding.ts';
import { TRAIL_DAYS_MOST } from '../limits.ts';
import { component, moment, text, whole } from './words.ts';

/** What is asked of the record of calls about rights, and what comes out. */

/** How far back, and where an answer goes on. */
const TRAIL = {
  days: whole(1, TRAIL_DAYS_MOST).optional().describe('So many days back (1 to 90, default 7).'),
  cursor: text(64)
    .nullable()
    .optional()
    .describe('`next` of the answer before, of the same gate: goes on there, and answers for all.'),
} as const;

/** The change and how far back, of the operations that can be held against the record. */
export const replayOf = <Name extends string>(replayed: readonly Name[]) =>
  ({
    operation: z
      .enum(replayed)
      .describe('The change, as the command line and the owner’s socket name it.'),
    input: z
      .record(z.string(), z.unknown())
      .describe('What it takes: `{ "name": "deployer", "permissions": ["deployments:read"] }`.'),
    ...TRAIL,
  }) as const;

export const ADVISE = {
  days: whole(1, TRAIL_DAYS_MOST)
    .optional()
    .describe('What was not used for so many days (1 to 90, default 30).'),
  tokenOlderThanDays: whole(1, 3650)
    .optional()
    .describe('A token is old from so many days on (default 180).'),
  expiringWithinDays: whole(1, 3650).optional().describe('Default 30.'),
  cursor: TRAIL.cursor,
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
    unreadable: count.describe(
      'Recorded decisions that this version cannot read: nothing is known of them.',
    ),
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
    refused: z
      .array(z.object({ id: z.string(), name: z.string().nullable(), why: z.string() }))
      .describe('Accounts that a change of many would leave as they are, and why.'),
    next: z.string().nullable().describe('Goes on where this ended; null: that was all.'),
  }),
  'What a change would have done to recorded calls.',
);

const finding = component(
  'AdviceFinding',
  z.object({
    kind: z.enum(FINDING_KINDS),
    target: z.object({ kind: z.enum(['account', 'role', 'team']), name: z.string() }),
    words: z.string().describe('One sentence for people.'),
    evidence: z.object({
      calls: count.describe('Calls that speak for it; none where it is that there were none.'),
      first: moment.nullable(),
      last: moment.nullable(),
      samples: names.describe('Request ids of some of them.'),
      details: names.describe('One sentence each.'),
    }),
    change: z
      .object({
        command: z.string().describe('As a command line.'),
        operation: z
          .string()
          .nullable()
          .describe('The operation, as `/replay` takes it; null: it takes none such.'),
        input: z.record(z.string(), z.unknown()).nullable(),
        declaration: z
          .string()
          .nullable()
          .describe('YAML for a file that `apply` takes; null: it cannot be declared.'),
      })
      .nullable()
      .describe('For review: nothing of it is made. Null: nothing can be proposed.'),
  }),
  'Something that is granted and not used, or that will soon not do.',
);

export const advice = component(
  'Advice',
  z.object({
    window: trailWindow,
    next: z
      .string()
      .nullable()
      .describe('Goes on where this ended; findings come with the last answer. Null: this is it.'),
    accounts: count.describe('Accounts that were held against the record.'),
    accountsCut: z
      .boolean()
      .describe('There are more than are looked at (20,000): of roles and teams nothing is said.'),
    damaged: count.describe(
      'Accounts whose record cannot be read: where there are any, of roles and teams nothing is said.',
    ),
    tooShort: z
      .boolean()
      .describe('Less than a day was looked at: nothing is said of what was not used.'),
    changed: z
      .object({ accounts: count, roles: count, teams: count })
      .describe(
        'Whose rights were changed in that time (made, imported, activated, another role, grant, team, permission or application, or let in from where it was shut out): nothing is said of what it did not use, nor of roles that only such accounts have. Where more than 50,000 changes were made, some cannot be read, or none of its own is found, any edit counts as a change of rights.',
      ),
    counts: z
      .object(Object.fromEntries(FINDING_KINDS.map((kind) => [kind, count])))
      .describe('How many there are of each kind, named or not.'),
    items: z.array(finding).describe('At most 50 of each kind.'),
  }),
);

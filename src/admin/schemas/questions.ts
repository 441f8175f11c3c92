import * as z from 'zod';
import { isOwn, isPermission, PERMISSION_LENGTH_MAX } from '../../account/permission.ts';
import { isZonelessAddress } from '../../http/ip-address.ts';
import { SUBJECTS } from '../../stats/usage/table.ts';
import { isNetworkOrAddress } from '../event-address.ts';
import { USAGE_ORDERS } from '../usage-orders.ts';
import { PAGE } from './inputs.ts';
import * as words from './words.ts';

/** What is asked of the record and of the rules. */

const word = words.text(128).optional();

/** What narrows a log down. All that are given must hold. */
export const FILTER = {
  reason: word,
  phase: z.enum(['decision', 'outcome', 'change', 'sign-in', 'notice', 'chain']).optional(),
  type: word,
  route: words.text(128).optional(),
  application: words.text(128).optional(),
  method: words.text(32).optional(),
  decision: z.enum(['permit', 'refusal']).optional(),
  status: z
    .string()
    .regex(/^[1-5](?:\d\d|xx)$/, 'must be like 404 or 4xx')
    .optional()
    .describe('What the caller was told: `404`, or all of a kind: `4xx`.'),
  address: words
    .text(128)
    .refine(isNetworkOrAddress, 'must be an IP address, or a network such as 10.0.0.0/8')
    .optional()
    .describe('Of the client: an IP address, or a network such as `10.0.0.0/8`.'),
  actor: word.describe('Who administered: name or id.'),
  requestId: word.describe(
    'One request: its decision, its outcome and the changes it made. The record is searched from its newest end, 200,000 events a page: `since` bounds it, `next` goes on.',
  ),
  since: words.pastOrFuture.optional().describe('ISO 8601 with zone.'),
  until: words.pastOrFuture.optional().describe('ISO 8601 with zone.'),
} as const;

/** Whose log: null, everybody's. Read by whoever looks the account up. */
const account = z.unknown();

export const ACTIVITY = {
  account,
  limit: words.whole(1, 1000).optional(),
  after: words
    .text(512)
    // Nothing was recorded before the epoch, and what lies before the first moment that there can
    // be is no date.
    .refine((mark) => Date.parse(mark.split('~', 1)[0] ?? '') >= 0, 'is not the mark of an event')
    .optional(),
} as const;

export const ACTIVITY_PAGE = {
  account,
  ...PAGE,
  everything: z.boolean().optional(),
  ...FILTER,
} as const;

const listed = { ...PAGE, ...FILTER } as const;
const named = words.name.optional().describe('Name of an account.');

/** As the log is asked for over HTTP: of everybody or of one by name, of one by id, as stored. */
export const ACTIVITY_OF_ALL = { account: named, ...listed } as const;
export const ACTIVITY_OF_ONE = { id: words.accountId, ...listed } as const;
export const ACTIVITY_LINES = {
  account: named,
  accountId: z.string().min(1).max(64).optional().describe('Of one that may be deleted.'),
  ...listed,
} as const;

const instance = words
  .text(128)
  .regex(/^[A-Za-z0-9._-]+$/, 'must be the name of an instance')
  .optional();
/** One request, or one event that belongs to none. */
export const STORY = {
  requestId: z
    .string()
    // One or two dots are no segment of a path.
    .regex(
      /^(?!\.{1,2}$)[!-~]{1,128}$/,
      'must be 1 to 128 characters without spaces, as X-Request-Id has them',
    )
    .describe(
      'As `X-Request-Id` of the response and `requestId` of a refusal say it. Also the id of an event that belongs to no request.',
    ),
  since: FILTER.since.describe(
    'It is not older, so nothing older is searched: ISO 8601 with zone.',
  ),
  cursor: PAGE.cursor,
} as const;

/** A call, whoever makes it. */
const CALL = {
  method: words.text(64).overwrite((method) => method.toUpperCase()),
  path: words
    .text(8192)
    .regex(
      /^\/[!-"$->@-~]*$/,
      'must begin with / and be without query, spaces and letters outside ASCII',
    )
    .describe('Without query.'),
  host: words
    .text(255)
    .overwrite((host) => host.toLowerCase())
    .optional(),
  variables: words
    .text(8192)
    .regex(/^[^=,]+=[^,]*(?:,[^=,]+=[^,]*)*$/, 'must be name=value, with commas in between')
    .optional()
    .describe('What stands in the body, where a route is decided by it: `app=CRM,app=HR`.'),
  from: words
    .text(64)
    .refine(isZonelessAddress, 'must be an IP address')
    .optional()
    .describe('The address of the client.'),
  instance: instance.describe(
    'By the routes that this instance has published. Without it, by those of who answers, or by those that came into force last.',
  ),
} as const;

export const EXPLAIN = { account: words.name, ...CALL } as const;
export const WHO_CAN = {
  ...CALL,
  cursor: words
    .text(64)
    .regex(/^[0-9A-Za-z]{1,64}$/, 'must be where a page ended')
    .optional()
    .describe('`next` of the page before.'),
} as const;

/** Who has one permission on which applications. */
export const MATRIX = {
  permission: words
    .text(PERMISSION_LENGTH_MAX)
    .refine(
      (text) => isPermission(text) && !isOwn(text),
      'must be one permission of a route, such as deployments:write, without *',
    )
    .describe('One permission as routes require it, without variables and `*`.'),
  search: words
    .text(200)
    .refine((value) => value.trim() !== '', { error: 'must not be blank' })
    .optional()
    .describe('Of accounts: part of the name or the description, or the whole id.'),
  application: words.name.optional().describe('Part of the name, whatever the letter case.'),
  columns: words.whole(1, 50).optional().describe('Applications of one answer; default 12.'),
  after: words.name.optional().describe('`nextAfter` of the answer with those before.'),
  limit: words.whole(1, 200).optional().describe('Accounts of one answer; default 50.'),
  cursor: words
    .text(512)
    .optional()
    .describe('`next` or `previous` of another page of the same accounts.'),
  instance: instance.describe('By whose published routes applications are found besides.'),
} as const;

const RANGE = {
  since: words.pastOrFuture
    .optional()
    .describe(
      'ISO 8601 with zone; default: an hour before `until`. What is kept goes back 90 days.',
    ),
  until: words.pastOrFuture.optional().describe('ISO 8601 with zone; default: now.'),
  step: z
    .enum(['minute', 'hour'])
    .optional()
    .describe('Default: minutes, where the range is six hours at most and of the last 24.'),
} as const;

const of = z.enum(SUBJECTS).describe('What calls are told apart by.');

export const USAGE = {
  of,
  name: words.text(128).describe('Of an account: its name or its id.'),
  parts: words
    .whole(1, 2160)
    .optional()
    .describe('Steps are put together so that there are so many items at most.'),
  ...RANGE,
} as const;

export const USAGE_TOP = {
  of,
  by: z.enum(USAGE_ORDERS).optional().describe('Default `calls`.'),
  limit: words.whole(1, 256).optional().describe('At most so many (1 to 256, default 20).'),
  ...RANGE,
} as const;

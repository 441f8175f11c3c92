import * as z from 'zod';
import { LIST_SORTS } from '../../../registry/listing/query.ts';
import { RECEIPT_WAIT } from '../../context.ts';
import { LIST_ORDERS } from '../../list-accounts.ts';
import { name } from './words.ts';

/** What goes in beside the body: it arrives as text. */

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

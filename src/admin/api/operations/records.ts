import * as z from 'zod';
import type { AccountRef } from '../../accounts.ts';
import { PAGE } from '../../schemas/inputs.ts';
import { queryOf } from '../../schemas/parameters.ts';
import * as questions from '../../schemas/questions.ts';
import * as recorded from '../../schemas/record-answers.ts';
import * as words from '../../schemas/words.ts';
import { eventIn } from '../../story.ts';
import {
  type Caller,
  defined,
  type Operation,
  type OperationResult,
  type OperationServices,
  operation,
} from '../operation.ts';

/** What was recorded, what runs, and what would happen. */

const activityQuery = { ...PAGE, ...questions.FILTER };
const ID = z.strictObject({ id: words.accountId });

type ActivityInput = z.output<z.ZodObject<typeof activityQuery>>;

async function page(
  { control }: OperationServices,
  caller: Caller,
  account: AccountRef | null,
  query: ActivityInput,
): Promise<OperationResult> {
  const { items, ...told } = await control.activityPage(caller.actor, {
    account,
    ...defined(query),
  });
  return {
    status: 200,
    body: { items: items.map(eventIn), ...told },
  };
}

const all = operation({
  id: 'listActivity',
  method: 'get',
  path: '/activity',
  tag: 'Activity',
  summary: 'Calls and changes, newest first',
  description:
    'Of everybody, or of one account by name. `/activity/stream` (server-sent events) goes on from there.',
  needs: 'sallyport:activity:read',
  params: null,
  query: queryOf({
    account: words.name.optional().describe('Name of an account.'),
    ...activityQuery,
  }),
  body: null,
  answers: { 200: { description: 'One page.', schema: recorded.eventPage } },
  csv: 'activity',
  handle: (services, { caller, query: { account, ...query } }) =>
    page(services, caller, account === undefined ? null : { name: account }, query),
});

const lines = operation({
  id: 'listActivityLines',
  method: 'get',
  path: '/activity/lines',
  tag: 'Activity',
  summary: 'The record as it is stored, newest first',
  description:
    'For exports and proofs: each item is the text of one event, byte for byte, also of those that this version cannot read and those that `/activity` leaves out (`chain-head`). Of an account it is all that the record has of it.',
  needs: 'sallyport:activity:read',
  params: null,
  query: queryOf({
    account: words.name.optional().describe('Name of an account.'),
    accountId: z.string().min(1).max(64).optional().describe('Of one that may be deleted.'),
    ...activityQuery,
  }),
  body: null,
  answers: { 200: { description: 'One page.', schema: recorded.linePage } },
  csv: 'activity',
  handle: async ({ control }, { caller, query: { account, accountId, ...query } }) => {
    const name = account === undefined ? null : { name: account };
    const of = accountId === undefined ? name : { id: accountId };
    const asked = { account: of, ...defined(query), everything: true };
    return { status: 200, body: await control.activityPage(caller.actor, asked) };
  },
});

const ofAccount = operation({
  id: 'listServiceAccountActivity',
  method: 'get',
  path: '/service-accounts/{id}/activity',
  tag: 'Service Accounts',
  summary: 'What an account did, and what was done to it, newest first',
  description: 'Also of an account that was deleted.',
  needs: 'sallyport:activity:read',
  params: ID,
  query: queryOf(activityQuery),
  body: null,
  answers: { 200: { description: 'One page.', schema: recorded.eventPage } },
  csv: 'activity',
  handle: (services, { caller, params, query }) => page(services, caller, { id: params.id }, query),
});

export const RECORDS: readonly Operation[] = [all, lines, ofAccount];

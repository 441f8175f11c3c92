import * as z from 'zod';
import { type Operation, operation } from '../operation.ts';
import { runState } from '../run-state.ts';
import { component } from '../schemas.ts';

/** Activity logs of accounts, made anew from the record by the gate that is asked. */

const count = z.int().min(0);
const result = z.object({
  needed: z.boolean().describe('False: the store reads the record itself, and has no such logs.'),
  accounts: count.describe('Whose log was made anew.'),
  events: count.describe('Events of theirs that the record holds.'),
});

const state = runState('ReindexState', result);

const account = z.union([
  z.strictObject({ name: z.string() }),
  z.strictObject({ id: z.string().describe('Also of an account that was deleted.') }),
]);

const PATH = '/audit/reindex';

const show = operation({
  id: 'showAuditReindex',
  method: 'get',
  path: PATH,
  tag: 'Activity',
  summary: 'How far making activity logs anew has come, and what the last time came to',
  needs: 'sallyport:registry:write',
  params: null,
  query: null,
  body: null,
  answers: { 200: { description: 'What this process knows.', schema: state } },
  handle: async ({ control }, { caller }) => ({
    status: 200,
    body: await control.reindexing.state(caller.actor),
  }),
});

const begin = operation({
  id: 'reindexAudit',
  method: 'post',
  path: PATH,
  tag: 'Activity',
  summary: 'Make activity logs anew from the record of calls',
  description:
    'In the background, while gates go on recording: each log is made beside the one in use and takes its place in one step. One at a time: 409 `conflict` while another one is under way. `GET` says when it has ended.',
  needs: 'sallyport:registry:write',
  params: null,
  query: null,
  body: component('ReindexAudit', z.strictObject({ account: account.optional() })),
  bodyOptional: true,
  answers: { 202: { description: 'It has begun.', schema: state } },
  handle: async ({ control }, { caller, body }) => ({
    status: 202,
    body: await control.reindexing.start(caller.actor, { account: body.account ?? null }),
  }),
});

export const REINDEXING: readonly Operation[] = [show, begin];

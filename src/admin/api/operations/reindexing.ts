import * as z from 'zod';
import type { Operation } from '../operation.ts';
import { background } from './background.ts';

/** Activity logs of accounts, made anew from the record by the gate that is asked. */

const count = z.int().min(0);
const result = z.object({
  needed: z.boolean().describe('False: the store reads the record itself, and has no such logs.'),
  accounts: count.describe('Whose log was rebuilt.'),
  events: count.describe('Events of theirs that the record holds.'),
});

const account = z.union([
  z.strictObject({ name: z.string() }),
  z.strictObject({ id: z.string().describe('Also of an account that was deleted.') }),
]);

export const REINDEXING: readonly Operation[] = background({
  path: '/audit/reindex',
  needs: 'sallyport:registry:write',
  state: ['ReindexState', result],
  show: {
    id: 'showAuditReindex',
    summary: 'How far the rebuild of activity logs has come, and what the last one did',
  },
  begin: {
    id: 'reindexAudit',
    summary: 'Rebuild activity logs from the record of calls',
    description:
      'In the background, while gates go on recording: each log is built beside the one in use and takes its place in one step. One at a time: 409 `conflict` while another one is under way. `GET` says when it has ended.',
    bodyName: 'ReindexAudit',
    body: { account: account.optional() },
    inputOf: (body) => ({ account: body.account ?? null }),
  },
  run: ({ reindexing }) => reindexing,
});

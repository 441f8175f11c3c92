import {
  approveChange,
  listApprovals,
  showApproval,
  withdrawChange,
} from '../approvals/approvals.ts';
import * as answers from '../schemas/approval-answers.ts';
import * as inputs from '../schemas/inputs.ts';
import { row } from './row.ts';

/** Changes to protected roles, which wait for a second administrator. */

const read = 'sallyport:registry:read';
const write = 'sallyport:registry:write';
const tag = 'Approvals';

export const APPROVALS = {
  listApprovals: row({
    needs: read,
    input: {},
    run: listApprovals,
    routes: [
      {
        id: 'listApprovals',
        method: 'get',
        path: '/approvals',
        tag,
        summary: 'List the changes that wait for a second administrator',
        description: 'Oldest first, 100 at most: no more can wait.',
        answers: { 200: { description: 'All of them.', schema: answers.waitingChanges } },
      },
    ],
  }),
  showApproval: row({
    needs: read,
    input: inputs.WAITING_REF,
    run: showApproval,
    routes: [
      {
        id: 'getApproval',
        method: 'get',
        path: '/approvals/{approval}',
        tag,
        summary: 'Show a change that waits, with each record before and after it',
        answers: { 200: { description: 'The change.', schema: answers.waitingChange } },
      },
    ],
  }),
  approveChange: row({
    needs: write,
    input: inputs.APPROVE,
    run: approveChange,
    records: ['change-approved'],
    routes: [
      {
        id: 'approveChange',
        method: 'post',
        path: '/approvals/{approval}/approve',
        tag,
        summary: 'Approve a change that somebody else has proposed',
        description:
          'It is made as it was shown, or not at all: where anything has changed on which it was judged, 409. Needs all that the change itself needs, of who approves and still of who proposed.',
        answers: {
          200: {
            description: 'Done, and in force everywhere.',
            schema: answers.approvedChange,
          },
          202: {
            description: 'Done; not every instance has confirmed it yet.',
            schema: answers.approvedChange,
          },
        },
      },
    ],
  }),
  withdrawChange: row({
    needs: write,
    input: inputs.WAITING_REF,
    run: withdrawChange,
    records: ['change-withdrawn'],
    routes: [
      {
        id: 'withdrawChange',
        method: 'delete',
        path: '/approvals/{approval}',
        tag,
        summary: 'Withdraw a change that waits, or decline it',
        description: 'Nothing is changed. For who proposed it, and for who could approve it.',
        answers: { 200: { description: 'It waits no more.', schema: answers.waitingChange } },
      },
    ],
  }),
} as const;

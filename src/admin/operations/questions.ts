import { accessMatrix } from '../access-matrix.ts';
import { explainCall } from '../explain-call.ts';
import { listRouteTables } from '../known-routes.ts';
import * as questions from '../schemas/questions.ts';
import * as recorded from '../schemas/record-answers.ts';
import { whoCan } from '../who-can.ts';
import { row } from './row.ts';

/** What people ask of the rules. Nothing of it changes anything. */

const needs = 'sallyport:registry:read';
const tag = 'Explain';

export const QUESTIONS = {
  explain: row({
    needs,
    input: questions.EXPLAIN,
    run: explainCall,
    routes: [
      {
        id: 'explain',
        method: 'get',
        path: '/explain',
        tag,
        summary: 'Would this account be let in, and by which rule?',
        description:
          'Assumes that the account shows its live token. Taken from the functions that decide. `routes` says by whose routes.',
        answers: {
          200: { description: 'The decision, step by step.', schema: recorded.explanation },
        },
      },
    ],
  }),
  whoCan: row({
    needs,
    input: questions.WHO_CAN,
    run: whoCan,
    routes: [
      {
        id: 'whoCan',
        method: 'get',
        path: '/who-can',
        tag,
        summary: 'Which accounts would this call be let in of?',
        description:
          'As if each showed its live token. A page is of 200 accounts that were asked about, whether or not one of them would be let in. A call that would be refused whoever makes it is 422 `invalid`.',
        answers: { 200: { description: 'One page.', schema: recorded.whoCanPage } },
        csv: 'whoCan',
      },
    ],
  }),
  accessMatrix: row({
    needs,
    input: questions.MATRIX,
    run: accessMatrix,
    routes: [
      {
        id: 'accessMatrix',
        method: 'get',
        path: '/who-can/matrix',
        tag,
        summary: 'Which service accounts have one permission on which applications?',
        description:
          'Applications are those of the teams and those that routes name. A cell is judged as a call about that application would be. A table (`text/csv`) has a line for each cell.',
        answers: { 200: { description: 'One page.', schema: recorded.matrixPage } },
        csv: 'matrix',
      },
    ],
  }),
  listRouteTables: row({
    needs,
    input: {},
    run: listRouteTables,
    routes: [
      {
        id: 'listRouteTables',
        method: 'get',
        path: '/route-tables',
        tag,
        summary: 'Which instances have published their routes, and since when?',
        description:
          'Gates publish what a call is matched and judged by, so that whoever stands apart from them can explain it. Nothing is decided by it.',
        answers: { 200: { description: 'All of them.', schema: recorded.routeTables } },
      },
    ],
  }),
} as const;

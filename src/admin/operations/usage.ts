import { USAGE, USAGE_TOP } from '../schemas/questions.ts';
import * as recorded from '../schemas/record-answers.ts';
import { topUsage, usageOf } from '../usage.ts';
import { row } from './row.ts';

/** Who calls: figures that gates have counted, minute by minute. */

const needs = 'sallyport:activity:read';
const tag = 'Usage';

export const USAGE_ROWS = {
  topUsage: row({
    needs,
    input: USAGE_TOP,
    run: topUsage,
    routes: [
      {
        id: 'topUsage',
        method: 'get',
        path: '/usage/{of}',
        tag,
        summary: 'Say who calls most',
        description:
          'Of accounts, applications or routes: by calls, refusals, bytes or the time that 99 of 100 calls took at most. Of an instance’s minute the 256 busiest accounts, 128 applications and 128 routes are known by name; a figure is never too high, and `missed` says how many calls it may lack. Calls of nobody known, on public routes and refused before a token was proven, are one account with the name `no account` and the id `none`. Minutes are kept for 24 hours, hours for 90 days.',
        answers: { 200: { description: 'The busiest first.', schema: recorded.usageTop } },
        csv: 'usageTop',
      },
    ],
  }),
  usageOf: row({
    needs,
    input: USAGE,
    run: usageOf,
    routes: [
      {
        id: 'usageOf',
        method: 'get',
        path: '/usage/{of}/{name}',
        tag,
        summary: 'Say how one calls over time',
        description:
          'Of an account (by name or id, also one that was deleted), an application or a route: minute by minute or hour by hour. Where it was not among the busiest, its calls of that time are unknown, and `missed` says how many there were at most.',
        answers: {
          200: {
            description: 'One item for each part of the range.',
            schema: recorded.usageSeries,
          },
        },
        csv: 'usage',
      },
    ],
  }),
} as const;

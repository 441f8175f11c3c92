import { listInstances } from '../instances.ts';
import * as questions from '../schemas/questions.ts';
import * as recorded from '../schemas/record-answers.ts';
import { storyFrom, storyOf, tellStory } from '../story.ts';
import { row } from './row.ts';

/** What was recorded, and who records. */
export const RECORD = {
  showRequest: row({
    needs: 'sallyport:activity:read',
    input: questions.STORY,
    run: tellStory,
    routes: [
      {
        id: 'showRequest',
        method: 'get',
        path: '/activity/requests/{request}',
        params: { request: 'requestId' },
        tag: 'Activity',
        summary: 'What happened with one request, how long it took, and what happened around it',
        description:
          'By the id in `X-Request-Id` of its response. The record is searched from its newest end, 200,000 events a page: `since` bounds it, `next` goes on.',
        answers: { 200: { description: 'Its story.', schema: recorded.requestStory } },
        tell: storyOf,
        told: storyFrom,
      },
    ],
  }),
  listInstances: row({
    needs: 'sallyport:instances:read',
    input: {},
    run: listInstances,
    routes: [
      {
        id: 'listInstances',
        method: 'get',
        path: '/instances',
        tag: 'Instances',
        summary: 'The running gates: their leases, and how far each has come',
        answers: { 200: { description: 'All of them.', schema: recorded.instances } },
        csv: 'instances',
      },
    ],
  }),
} as const;

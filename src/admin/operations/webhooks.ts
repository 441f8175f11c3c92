import * as answers from '../schemas/answers.ts';
import * as inputs from '../schemas/inputs.ts';
import { listWebhooks, testWebhook } from '../webhooks.ts';
import { row } from './row.ts';

/** Those who are told of events. */

const tag = 'Webhooks';

export const WEBHOOKS = {
  listWebhooks: row({
    needs: 'sallyport:registry:read',
    input: {},
    run: listWebhooks,
    routes: [
      {
        id: 'listWebhooks',
        method: 'get',
        path: '/webhooks',
        tag,
        summary: 'List the webhooks of this instance',
        answers: { 200: { description: 'All of them.', schema: answers.webhooks } },
      },
    ],
  }),
  testWebhook: row({
    needs: 'sallyport:registry:write',
    input: inputs.WEBHOOK,
    run: testWebhook,
    routes: [
      {
        id: 'testWebhook',
        method: 'post',
        path: '/webhooks/{name}/test',
        tag,
        summary: 'Send a test message',
        description:
          'One attempt, by this instance, of a message of the type `webhook-test` that holds nothing but the name.',
        answers: { 200: { description: 'What came of it.', schema: answers.webhookTested } },
      },
    ],
  }),
} as const;

import type { Command } from 'commander';
import { AdminError } from '../admin/error.ts';
import { CSV_LISTS } from '../admin/lists-csv.ts';
import { asList } from './lists.ts';
import { type CommonOptions, examples, group, leaf } from './options.ts';
import { withReach } from './reach.ts';
import { say, sayJson } from './terminal.ts';

export function addWebhookCommands(program: Command): void {
  const webhook = group(program, 'webhook', 'webhooks: other systems that are told of events');
  const summary = 'list the webhooks, as the configuration has them';
  const list = asList(
    leaf(webhook, 'list', summary),
    {
      key: 'items',
      columns: CSV_LISTS.webhooks,
      name: ({ name }) => name,
      headings: ['NAME', 'URL', 'SECRETS', 'NETWORKS', 'EVENTS'],
      row: ({ name, url, events, networks, secrets }) => [
        name,
        url,
        String(secrets),
        networks?.join(' ') ?? 'public',
        events.join(' '),
      ],
      none: 'there are no webhooks: the configuration names them, under webhooks',
    },
    ({ control, actor }) => control.administration.listWebhooks(actor, {}),
    'any',
  );
  examples(list, 'sallyport webhook list --config sallyport.yaml');
  const test = leaf(webhook, 'test <name>', 'send one a message that says nothing').action(
    async (name: string, options: CommonOptions) => {
      await withReach(options, 'any', async ({ control, actor }) => {
        const tested = await control.administration.testWebhook(actor, { name });
        if (options.json === true) sayJson(tested);
        if (!tested.delivered)
          throw new AdminError(
            'conflict',
            `the webhook ${name} did not take the message: ${tested.why}`,
          );
        if (options.json !== true) say(`${name} has taken the message.`);
      });
    },
  );
  examples(test, 'sallyport webhook test siem --config sallyport.yaml');
}

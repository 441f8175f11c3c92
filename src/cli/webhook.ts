import type { Command } from 'commander';
import { AdminError } from '../admin/error.ts';
import { type CommonOptions, examples, group, leaf } from './options.ts';
import { withReach } from './reach.ts';
import { note, say, sayJson, table } from './terminal.ts';

export function addWebhookCommands(program: Command): void {
  const webhook = group(program, 'webhook', 'webhooks: other systems that are told of events');
  const list = leaf(webhook, 'list', 'list them, as the configuration has them').action(
    async (options: CommonOptions) => {
      await withReach(options, 'any', async ({ control, actor }) => {
        const answer = await control.administration.listWebhooks(actor, {});
        if (options.json === true) return sayJson(answer);
        if (answer.items.length === 0) return note('there are no webhooks');
        table(
          ['NAME', 'URL', 'SECRETS', 'NETWORKS', 'EVENTS'],
          answer.items.map(({ name, url, events, networks, secrets }) => [
            name,
            url,
            String(secrets),
            networks?.join(' ') ?? 'public',
            events.join(' '),
          ]),
        );
      });
    },
  );
  examples(list, 'sallyport webhook list --config sallyport.yaml');
  const test = leaf(webhook, 'test <name>', 'send one a message that says nothing').action(
    async (name: string, options: CommonOptions) => {
      await withReach(options, 'any', async ({ control, actor }) => {
        const tested = await control.administration.testWebhook(actor, { name });
        if (options.json === true) sayJson(tested);
        if (!tested.delivered)
          throw new AdminError('conflict', `${name} did not take it: ${tested.why}`);
        if (options.json !== true) say(`${name} has taken the message.`);
      });
    },
  );
  examples(test, 'sallyport webhook test siem --config sallyport.yaml');
}

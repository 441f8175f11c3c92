import type { Command } from 'commander';
import { AdminError } from '../admin/error.ts';
import { watched, withWatch } from './looking.ts';
import {
  type CommonOptions,
  examples,
  group,
  leaf,
  limited,
  withLimit,
  withNames,
} from './options.ts';
import { withReach } from './reach.ts';
import { note, say, sayJson, table } from './terminal.ts';

export function addWebhookCommands(program: Command): void {
  const webhook = group(program, 'webhook', 'webhooks: other systems that are told of events');
  const summary = 'list the webhooks, as the configuration has them';
  const list = withWatch(withLimit(leaf(webhook, 'list', summary))).action(
    watched(async (options: CommonOptions) => {
      await withReach(options, 'any', async ({ control, actor }) => {
        const found = await control.administration.listWebhooks(actor, {});
        const answer = { ...found, items: limited(found.items, options.limit) };
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
    }),
  );
  withNames(list, ({ items }: { readonly items: readonly { readonly name: string }[] }) =>
    items.map(({ name }) => name),
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

import type { WebhookDesk, WebhookTested, WebhookView } from '../webhooks/desk.ts';
import type { AdminActor } from './actor.ts';
import type { AdminContext, Nothing } from './context.ts';
import { AdminError, notFound } from './error.ts';

/** Whom this instance tells of events, as its configuration says. */
export async function listWebhooks(
  context: AdminContext,
  _actor: AdminActor,
  _input: Nothing,
): Promise<{ readonly items: readonly WebhookView[] }> {
  return { items: deskOf(context).list() };
}

/** Sends a message that says nothing, once, from here. */
export async function testWebhook(
  context: AdminContext,
  _actor: AdminActor,
  { name }: { readonly name: string },
): Promise<WebhookTested> {
  const tested = await deskOf(context).test(name);
  if (tested === null) throw notFound('webhook', name);
  return tested;
}

function deskOf({ webhooks }: AdminContext): WebhookDesk {
  if (webhooks !== undefined) return webhooks;
  throw new AdminError(
    'not-found',
    'no webhooks are known here: name the gate’s configuration with --config',
  );
}

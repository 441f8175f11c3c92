import { randomUUID } from 'node:crypto';
import type { Clock } from '../clock.ts';
import { testMessage } from './message.ts';
import type { Hook } from './port.ts';
import type { Sender } from './sender.ts';

/** A hook as it may be shown: without its secret. */
export interface WebhookView {
  readonly name: string;
  readonly url: string;
  readonly events: readonly string[];
  /** Null: any public address. */
  readonly networks: readonly string[] | null;
  /** How many secrets sign: 2 while one takes the place of another. */
  readonly secrets: number;
}

export interface WebhookTested {
  readonly delivered: boolean;
  /** Why not; null: it was. */
  readonly why: string | null;
}

/** What administration asks about webhooks. */
export interface WebhookDesk {
  list(): readonly WebhookView[];
  /** Null: there is no such hook. */
  test(name: string): Promise<WebhookTested | null>;
}

export interface DeskOptions {
  /** As they are now. */
  readonly hooks: () => readonly Hook[];
  readonly senderOf: (hook: Hook) => Sender;
  readonly clock: Clock;
}

export function createDesk({ hooks, senderOf, clock }: DeskOptions): WebhookDesk {
  return {
    list: () =>
      hooks().map(({ name, url, events, networks, keys }) => ({
        name,
        url,
        events: [...events],
        networks,
        secrets: keys.length,
      })),
    async test(name) {
      const hook = hooks().find((one) => one.name === name);
      if (hook === undefined) return null;
      const sender = senderOf(hook);
      try {
        const nowMs = clock.wallMs();
        const message = testMessage(`test-${randomUUID()}`, nowMs, name);
        const attempt = await sender.send(message, nowMs, new AbortController().signal);
        return attempt.result === 'delivered'
          ? { delivered: true, why: null }
          : { delivered: false, why: attempt.why };
      } finally {
        await sender.close();
      }
    },
  };
}

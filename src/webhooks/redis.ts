import { webhookKeys } from '../store/keys.ts';
import type { RedisConnection } from '../store/redis-port.ts';
import { loadScript } from '../store/script.ts';
import type { WebhookStore } from './port.ts';

const LEAD = loadScript('webhooks-lead');

/**
 * @param connection its owner closes it; its user must be the one that administers (`manager`)
 * @param prefix `store.keyPrefix`
 */
export function redisWebhooks(connection: RedisConnection, prefix: string): WebhookStore {
  const { lease, words } = webhookKeys(prefix);
  return {
    lead: async (instance, forMs) =>
      Number(await connection.run(LEAD, [lease], [instance, forMs])) === 1,
    async yield(instance) {
      await connection.run(LEAD, [lease], [instance, 0]);
    },
    async word(name) {
      const [text] = (await connection.call('HMGET', words, name)) as (string | null)[];
      return text ?? null;
    },
    async keep(name, word) {
      await connection.call('HSET', words, name, word);
    },
    close: async () => {},
  };
}

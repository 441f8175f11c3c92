import * as z from 'zod';
import { registryKeys } from '../store/keys.ts';
import type { RedisConnection } from '../store/redis-port.ts';
import { INSTANCES_MAX, KEPT_MS, type PublishedBy, type PublishedStore } from './port.ts';

/**
 * In Redis: a short string for each instance, and one text for all that have the same routes. All
 * have a time to live, so that what nobody repeats is gone, and share the registry's slot.
 */
export class RedisPublished implements PublishedStore {
  readonly #connection: RedisConnection;
  readonly #keys: ReturnType<typeof registryKeys>;

  /** @param connection the owner closes it */
  constructor(connection: RedisConnection, keyPrefix: string) {
    this.#connection = connection;
    this.#keys = registryKeys(keyPrefix);
  }

  async publish({ instance, ...said }: PublishedBy, text: string | null): Promise<void> {
    if (said.table !== null && text !== null) await this.#keep(said.table, text);
    const words = JSON.stringify({ v: VERSION, ...said });
    await this.#connection.call('SET', this.#keys.routesOf(instance), words, 'PX', KEPT_MS);
  }

  /** Sent again only where it is not there any more. It outlives whoever names it. */
  async #keep(table: string, text: string): Promise<void> {
    const key = this.#keys.routeTable(table);
    const kept = await this.#connection.call('PEXPIRE', key, 2 * KEPT_MS);
    if (Number(kept) === 0) await this.#connection.call('SET', key, text, 'PX', 2 * KEPT_MS);
  }

  async withdraw(instance: string): Promise<void> {
    await this.#connection.call('DEL', this.#keys.routesOf(instance));
  }

  async list(): Promise<readonly PublishedBy[]> {
    const members = await this.#connection.call('HKEYS', this.#keys.members);
    const instances = (members as unknown[]).map(String).sort().slice(0, INSTANCES_MAX);
    if (instances.length === 0) return [];
    const keys = instances.map((instance) => this.#keys.routesOf(instance));
    const said = (await this.#connection.call('MGET', ...keys)) as readonly unknown[];
    return instances.flatMap((instance, index) => {
      const read = saidFrom(said[index] ?? null);
      return read === null ? [] : [{ instance, ...read }];
    });
  }

  async text(table: string): Promise<string | null> {
    const text = await this.#connection.call('GET', this.#keys.routeTable(table));
    return text === null ? null : String(text);
  }
}

/** Of what is said; another one means something else. */
const VERSION = 1;
const count = z.int().min(0);
const shape = z.object({
  v: z.literal(VERSION),
  routes: count,
  table: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .nullable(),
  sinceMs: count,
  toldMs: count,
});

/** Null: nothing was said, or nothing that this version can read. */
function saidFrom(text: unknown): Omit<PublishedBy, 'instance'> | null {
  try {
    const { data } = shape.safeParse(JSON.parse(String(text)));
    if (data === undefined) return null;
    const { v: _version, ...said } = data;
    return said;
  } catch {
    return null;
  }
}

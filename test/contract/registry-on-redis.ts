import { afterAll, beforeAll, describe, it } from 'vitest';
import type { RegistryStore } from '../../src/registry/port.ts';
import { RedisRegistryStore } from '../../src/registry/redis/registry.ts';
import { registryKeys } from '../../src/store/keys.ts';
import type { RedisConnection } from '../../src/store/redis.ts';
import { REDIS_PLACES, type RedisPlace } from '../support/redis-places.ts';
import { redisMissing } from '../support/redis-server.ts';
import { type RegistryUnderTest, registryContract, until } from './registry.ts';

/** A command may wait for a crowded machine, but not where it is looked at how long it may wait. */
const COMMAND_TIMEOUT_MS = { patient: 15_000, hasty: 300 } as const;
const PREFIX = 'contract';

const missing = redisMissing();

/** The registry's contract on Redis, kept in these places. */
export function registryContractOn(...places: readonly (keyof typeof REDIS_PLACES)[]): void {
  describe.each(places)('%s', (name) => {
    if (missing !== null) {
      it('keeps the contract', (context) => context.skip(missing));
      return;
    }
    let place: RedisPlace;
    beforeAll(async () => {
      place = await REDIS_PLACES[name]();
    });
    afterAll(async () => {
      await place?.stop();
    });
    registryContract({
      name: `Redis, ${name}`,
      open: async () => {
        const under = new OnRedis(place);
        await under.wipe();
        return under;
      },
      lacks: {},
    });
  });
}

class OnRedis implements RegistryUnderTest {
  readonly store: RegistryStore;
  readonly #place: RedisPlace;
  readonly #behind: RedisConnection;
  readonly #others: RegistryStore[] = [];
  readonly #keys = registryKeys(PREFIX);

  constructor(place: RedisPlace) {
    this.#place = place;
    this.store = this.#open('patient');
    this.#behind = place.connect('behind', COMMAND_TIMEOUT_MS.patient);
  }

  second(): Promise<RegistryStore> {
    return this.#another('patient');
  }

  hasty(): Promise<RegistryStore> {
    return this.#another('hasty');
  }

  async #another(manner: keyof typeof COMMAND_TIMEOUT_MS): Promise<RegistryStore> {
    const other = this.#open(manner);
    this.#others.push(other);
    return other;
  }

  freeze(): void {
    this.#place.holderOf(this.#keys.meta).pause();
  }

  thaw(): void {
    this.#place.holderOf(this.#keys.meta).resume();
  }

  async reopen(): Promise<void> {
    await this.#place.holderOf(this.#keys.meta).restart();
    await until(() => this.store.snapshot().then(Boolean, () => false));
  }

  wipe(): Promise<void> {
    return this.#place.wipe();
  }

  async trimFeed(keep: number): Promise<void> {
    await this.#behind.call('XTRIM', this.#keys.feed, 'MAXLEN', keep);
  }

  async overwrite(kind: string, key: string, text: string): Promise<void> {
    if (kind === 'account') await this.#behind.call('SET', this.#keys.account(key), text);
    else
      await this.#behind.call(
        'HSET',
        kind === 'role' ? this.#keys.roles : this.#keys.teams,
        key,
        text,
      );
  }

  async close(): Promise<void> {
    await Promise.all([this.store, ...this.#others].map((store) => store.close()));
    this.#behind.close();
  }

  #open(manner: keyof typeof COMMAND_TIMEOUT_MS): RegistryStore {
    return new RedisRegistryStore(this.#place.connect('store', COMMAND_TIMEOUT_MS[manner]), {
      keyPrefix: PREFIX,
      name: 'store',
    });
  }
}

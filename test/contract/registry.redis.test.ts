import { afterAll, beforeAll, describe, it } from 'vitest';
import type { RegistryStore } from '../../src/registry/port.ts';
import { RedisRegistryStore } from '../../src/registry/redis.ts';
import { registryKeys } from '../../src/store/keys.ts';
import { connectRedis, type RedisConnection } from '../../src/store/redis.ts';
import { type RedisServer, redisMissing, startRedis } from '../support/redis-server.ts';
import { type RegistryUnderTest, registryContract, until } from './registry.ts';

const COMMAND_TIMEOUT_MS = 300;
const PREFIX = 'contract';

const missing = redisMissing();

if (missing !== null) {
  describe('registry on Redis', () => {
    it('keeps the contract', (context) => context.skip(missing));
  });
} else {
  let server: RedisServer;
  beforeAll(async () => {
    server = await startRedis({ appendOnly: true });
  });
  afterAll(async () => {
    await server.stop();
  });
  registryContract({
    name: 'Redis',
    open: async () => {
      const under = new OnRedis(server);
      await under.wipe();
      return under;
    },
    lacks: {},
  });
}

class OnRedis implements RegistryUnderTest {
  // A first answer may wait for its connection and then for itself.
  readonly deadlineMs = COMMAND_TIMEOUT_MS * 4;
  readonly store: RegistryStore;
  readonly #server: RedisServer;
  readonly #behind: RedisConnection;
  readonly #others: RegistryStore[] = [];
  readonly #keys = registryKeys(PREFIX);

  constructor(server: RedisServer) {
    this.#server = server;
    this.store = open(server);
    this.#behind = connect(server, 'behind');
  }

  async second(): Promise<RegistryStore> {
    const other = open(this.#server);
    this.#others.push(other);
    return other;
  }

  freeze(): void {
    this.#server.pause();
  }

  thaw(): void {
    this.#server.resume();
  }

  async reopen(): Promise<void> {
    await this.#server.restart();
    await until(() => this.store.snapshot().then(Boolean, () => false));
  }

  async wipe(): Promise<void> {
    await this.#behind.call('FLUSHALL');
  }

  async trimFeed(keep: number): Promise<void> {
    await this.#behind.call('XTRIM', this.#keys.feed, 'MAXLEN', keep);
  }

  async overwrite(kind: string, key: string, text: string): Promise<void> {
    if (kind === 'account') await this.#behind.call('SET', this.#keys.account(key), text);
    else await this.#behind.call('HSET', kind === 'role' ? this.#keys.roles : this.#keys.teams, key, text);
  }

  async close(): Promise<void> {
    await Promise.all([this.store, ...this.#others].map((store) => store.close()));
    this.#behind.close();
  }
}

function connect(server: RedisServer, name: string): RedisConnection {
  return connectRedis({ url: server.url, username: null, password: null, tls: null, name, commandTimeoutMs: COMMAND_TIMEOUT_MS });
}

function open(server: RedisServer): RegistryStore {
  return new RedisRegistryStore(connect(server, 'store'), { keyPrefix: PREFIX, name: 'store' });
}

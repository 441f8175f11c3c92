import { sessionKeys } from '../store/keys.ts';
import type { RedisConnection } from '../store/redis-port.ts';
import { decodeSession, encodeSession } from './session-text.ts';
import type { SessionStore, StoredSession } from './sessions.ts';

/** Sessions in Redis: each a string with a time to live, so that what nobody ends is gone by itself. */
export class RedisSessions implements SessionStore {
  readonly #connection: RedisConnection;
  readonly #keys: ReturnType<typeof sessionKeys>;

  /** @param connection the owner closes it; its user must be the one that administers (`manager`) */
  constructor(connection: RedisConnection, keyPrefix: string) {
    this.#connection = connection;
    this.#keys = sessionKeys(keyPrefix);
  }

  async get(digest: string): Promise<StoredSession | null> {
    const text = await this.#connection.call('GET', this.#keys.session(digest));
    return typeof text === 'string' ? decodeSession(text) : null;
  }

  async put(digest: string, session: StoredSession, keepMs: number): Promise<void> {
    await this.#connection.call('SET', this.#keys.session(digest), encodeSession(session), 'PX', keepMs);
  }

  async touch(digest: string, session: StoredSession, keepMs: number): Promise<void> {
    await this.#connection.call('SET', this.#keys.session(digest), encodeSession(session), 'PX', keepMs, 'XX');
  }

  async end(digest: string): Promise<void> {
    await this.#connection.call('DEL', this.#keys.session(digest));
  }

  async spend(what: string, keepMs: number): Promise<boolean> {
    return (await this.#connection.call('SET', this.#keys.spent(what), '1', 'PX', keepMs, 'NX')) !== null;
  }

  async close(): Promise<void> {}
}

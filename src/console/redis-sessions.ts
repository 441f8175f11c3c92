import type { Clock } from '../clock.ts';
import { sessionKeys } from '../store/keys.ts';
import type { RedisConnection } from '../store/redis-port.ts';
import { KNOWN_BROWSERS } from './known-browser.ts';
import { decodeSession, encodeSession } from './session-text.ts';
import type { SessionStore, StoredSession } from './sessions.ts';

/**
 * Sessions in Redis: each a string with a time to live, so that what nobody ends is gone by itself.
 */
export class RedisSessions implements SessionStore {
  readonly #connection: RedisConnection;
  readonly #clock: Clock;
  readonly #keys: ReturnType<typeof sessionKeys>;

  /**
   * @param connection the owner closes it; its user must be the one that administers (`manager`)
   */
  constructor(connection: RedisConnection, keyPrefix: string, clock: Clock) {
    this.#connection = connection;
    this.#clock = clock;
    this.#keys = sessionKeys(keyPrefix);
  }

  async get(digest: string): Promise<StoredSession | null> {
    const text = await this.#connection.call('GET', this.#keys.session(digest));
    return typeof text === 'string' ? decodeSession(text) : null;
  }

  async put(digest: string, session: StoredSession, keepMs: number): Promise<void> {
    await this.#connection.call(
      'SET',
      this.#keys.session(digest),
      encodeSession(session),
      'PX',
      keepMs,
    );
  }

  async touch(digest: string, session: StoredSession, keepMs: number): Promise<void> {
    await this.#connection.call(
      'SET',
      this.#keys.session(digest),
      encodeSession(session),
      'PX',
      keepMs,
      'XX',
    );
  }

  async end(digest: string): Promise<void> {
    await this.#connection.call('DEL', this.#keys.session(digest));
  }

  async spend(what: string, keepMs: number): Promise<boolean> {
    return (
      (await this.#connection.call('SET', this.#keys.spent(what), '1', 'PX', keepMs, 'NX')) !== null
    );
  }

  async isBrowserOf(who: string, digest: string): Promise<boolean> {
    return (await this.#connection.call('ZSCORE', this.#keys.browsers(who), digest)) !== null;
  }

  async noteBrowser(who: string, digest: string, before: string | null): Promise<void> {
    const key = this.#keys.browsers(who);
    await this.#connection.pipeline([
      ['ZREM', key, before ?? ''],
      ['ZADD', key, this.#clock.wallMs(), digest],
      ['ZREMRANGEBYRANK', key, 0, -(KNOWN_BROWSERS.perName + 1)],
      ['PEXPIRE', key, KNOWN_BROWSERS.keepMs],
    ]);
  }

  async close(): Promise<void> {}
}

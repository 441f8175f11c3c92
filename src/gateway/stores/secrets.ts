import { redisSettings } from '../../admin/store-settings.ts';
import type { Clock } from '../../clock.ts';
import type { RedisStoreConfig } from '../../config/schema.ts';
import { changeAccess, openAccess, type StoreAccess } from '../../store/redis.ts';
import type { RedisAccess } from '../../store/redis-access.ts';
import type { Log } from '../../telemetry/log.ts';

/**
 * What the gate shows to Redis and its sentinels, for all its connections, and what of the newest
 * is not in use yet.
 */
export class StoreSecrets {
  readonly access: StoreAccess;
  readonly #clock: Clock;
  readonly #kinds: readonly SecretsOfKind[];

  /**
   * Throws `CertificateFault`.
   *
   * @param key of the configuration that names this Redis
   */
  constructor(
    store: RedisStoreConfig,
    clock: Clock,
    log: Log,
    key: 'store' | 'audit.store' = 'store',
  ) {
    this.#clock = clock;
    this.access = openAccess(redisSettings(store, 'secrets', clock));
    const { servers, sentinels } = this.access;
    this.#kinds = [
      new SecretsOfKind(servers, key, log),
      ...(sentinels === null ? [] : [new SecretsOfKind(sentinels, `${key}.sentinels`, log)]),
    ];
  }

  /** Reads the files. Throws `CertificateFault`. @returns takes them over; never throws */
  prepare(store: RedisStoreConfig): () => void {
    const settings = redisSettings(store, 'secrets', this.#clock);
    return () => changeAccess(this.access, settings);
  }

  /** For `/readyz`; null when all that the files say is in use. */
  get problem(): string | null {
    const all = this.#kinds.flatMap(({ problem }) => problem ?? []);
    return all.length === 0 ? null : all.join('; ');
  }
}

class SecretsOfKind {
  readonly #access: RedisAccess;
  readonly #key: string;
  readonly #log: Log;
  #keys: readonly string[] = [];
  #toldWhy: string | null = null;

  constructor(access: RedisAccess, key: string, log: Log) {
    this.#access = access;
    this.#key = key;
    this.#log = log;
    access.onNews = () => this.#tell();
  }

  get problem(): string | null {
    const keys = this.#unsettled();
    if (keys.length === 0) return null;
    const { why } = this.#access;
    const named = keys.join(', ');
    return why === null
      ? `${named}: what it says now is being tried`
      : `${named}: what it says now is not taken over (${why}); what connected before goes on`;
  }

  #unsettled(): readonly string[] {
    return this.#access.unsettled.map((key) => `${this.#key}.${key}`);
  }

  #tell(): void {
    const keys = this.#unsettled();
    if (keys.length === 0) {
      if (this.#keys.length > 0)
        this.#log.info('secrets of the store are taken over', { keys: this.#keys });
      this.#keys = [];
      this.#toldWhy = null;
      return;
    }
    this.#keys = keys;
    const { why } = this.#access;
    if (why === null || why === this.#toldWhy) return;
    this.#toldWhy = why;
    this.#log.warn(
      'secrets of the store are not taken over: they are tried again, and what connected before goes on',
      { keys, why },
    );
  }
}

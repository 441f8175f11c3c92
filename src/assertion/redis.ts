import { assertionKeysKey } from '../store/keys.ts';
import type { RedisConnection } from '../store/redis-port.ts';
import type { KeyStore } from './port.ts';

/** Throws `StoreUnavailable`. @param prefix `store.keyPrefix` */
export function redisKeyStore(connection: RedisConnection, prefix: string): KeyStore {
  const key = assertionKeysKey(prefix);
  return {
    async read() {
      const text = await connection.call('GET', key);
      return typeof text === 'string' ? text : null;
    },
    async create(sealed) {
      const before = await connection.call('SET', key, sealed, 'NX', 'GET');
      return typeof before === 'string' ? before : sealed;
    },
    async replace(sealed) {
      await connection.call('SET', key, sealed);
    },
  };
}

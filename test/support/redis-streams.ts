import { AUDIT_PARTITIONS } from '../../src/audit/log/redis/log.ts';
import { auditKeys } from '../../src/store/keys.ts';
import { connectRedis } from '../../src/store/redis.ts';

/** Takes the event of this number out of the record, as somebody with the store in hand could. */
export async function takeOut(url: string, seq: number): Promise<void> {
  const options = { username: null, password: null, tls: null, name: 'thief' };
  const connection = connectRedis({ ...options, url, commandTimeoutMs: 5000 });
  const keys = auditKeys('sallyport');
  try {
    for (let n = 0; n < AUDIT_PARTITIONS; n += 1) {
      const entries = (await connection.call('XRANGE', keys.stream(n), '-', '+')) as Entry[];
      const found = entries.find(([, [, event]]) => event.includes(`"seq":${seq},`));
      if (found !== undefined) await connection.call('XDEL', keys.stream(n), found[0]);
    }
  } finally {
    connection.close();
  }
}

type Entry = readonly [id: string, fields: readonly [name: string, event: string]];

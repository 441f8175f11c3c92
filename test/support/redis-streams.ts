import { AUDIT_PARTITIONS } from '../../src/audit/partitions.ts';
import { auditKeys, registryKeys } from '../../src/store/keys.ts';
import { connectRedis } from '../../src/store/redis.ts';

/** Takes the event of this number out of the record, as somebody with the store in hand could. */
export async function takeOut(url: string, seq: number): Promise<void> {
  const keys = auditKeys('sallyport');
  const streams = Array.from({ length: AUDIT_PARTITIONS }, (_, n) => keys.stream(n));
  await takeFrom(url, streams, ([, event]) => event.includes(`"seq":${seq},`));
}

/** Likewise, all that was recorded of the registry's change of this number. */
export async function takeOutChange(url: string, number: number): Promise<void> {
  const { changes } = registryKeys('sallyport');
  await takeFrom(url, [changes], ([, , , place]) => place?.startsWith(`${number} `) === true);
}

async function takeFrom(
  url: string,
  streams: readonly string[],
  wanted: (fields: Entry[1]) => boolean,
): Promise<void> {
  const options = { username: null, password: null, tls: null, name: 'thief' };
  const connection = connectRedis({ ...options, url, commandTimeoutMs: 5000 });
  try {
    for (const stream of streams) {
      const entries = (await connection.call('XRANGE', stream, '-', '+')) as Entry[];
      for (const [id, fields] of entries)
        if (wanted(fields)) await connection.call('XDEL', stream, id);
    }
  } finally {
    connection.close();
  }
}

type Entry = readonly [id: string, fields: readonly [name: string, event: string, ...string[]]];

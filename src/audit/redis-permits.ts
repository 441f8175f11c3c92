import { auditKeys } from '../store/keys.ts';
import type { RedisConnection } from '../store/redis.ts';
import { loadScript } from '../store/script.ts';
import { LeftOpen, type PermitLedger, READ_AT_ONCE } from './permit-ledger.ts';

/** Longer than whoever closes needs; then another one may. */
const CLAIM_MS = 60_000;

const CHECKPOINT = loadScript('audit-checkpoint');

/**
 * @param partitions how many streams the record is spread over, and `partitionOf` which of them is
 * an instance's
 * @param lifeMs how long what an instance left is remembered
 */
export function createRedisPermits(
  connection: RedisConnection,
  prefix: string,
  partitions: number,
  partitionOf: (instance: string) => number,
  lifeMs: number,
): PermitLedger {
  const keys = auditKeys(prefix);

  async function silentIn(partition: number): Promise<readonly string[]> {
    const names = (await connection.call('HKEYS', keys.instances(partition))) as string[];
    if (names.length === 0) return [];
    const beats = names.map((name) => keys.alive(partition, name));
    const alive = (await connection.call('MGET', ...beats)) as (string | null)[];
    return names.filter((_name, index) => alive[index] === null);
  }

  async function leftBy(instance: string): Promise<readonly string[] | null> {
    const partition = partitionOf(instance);
    const position = await connection.call('HGET', keys.instances(partition), instance);
    if (typeof position !== 'string') return null; // closed and forgotten meanwhile
    const told = (await connection.call('HVALS', keys.open(partition, instance))) as string[];
    const last = Number((await connection.call('GET', keys.last(partition, instance))) ?? 0);
    const [begin = '', toldSeq] = position.split(' ');
    const found = new LeftOpen(instance, told, last);
    if (Number(toldSeq) === last) return found.permits; // nothing came after it
    const stream = keys.stream(partition);
    for (let from = begin; ; ) {
      const entries = (await connection.call(
        'XRANGE',
        stream,
        `(${from}`,
        '+',
        'COUNT',
        READ_AT_ONCE,
      )) as readonly [string, readonly string[]][];
      if (!entries.every(([, fields]) => found.take(fields[1] ?? ''))) break;
      if (entries.length < READ_AT_ONCE) break;
      from = entries.at(-1)![0];
    }
    return found.permits;
  }

  return {
    async tell(instance, lastSeq, { anew, opened, ended }, complete) {
      const partition = partitionOf(instance);
      const answer = await connection.run(
        CHECKPOINT,
        [keys.last(partition, instance), keys.open(partition, instance), keys.instances(partition)],
        [
          instance,
          lastSeq,
          lifeMs,
          anew ? 1 : 0,
          complete ? 1 : 0,
          ended.length,
          ...ended,
          ...opened.flatMap(({ seq, text }) => [seq, text]),
        ],
      );
      return answer === 1;
    },
    async alive(instance, forMs) {
      await connection.call('SET', keys.alive(partitionOf(instance), instance), '1', 'PX', forMs);
    },
    async silent() {
      const all = await Promise.all(Array.from({ length: partitions }, (_, n) => silentIn(n)));
      return all.flat();
    },
    async left(instance, by) {
      const claim = keys.claim(partitionOf(instance), instance);
      if ((await connection.call('SET', claim, by, 'NX', 'PX', CLAIM_MS)) === null) return null;
      try {
        return await leftBy(instance);
      } catch (fault) {
        await connection.call('DEL', claim); // another one may have the right to read the record
        throw fault;
      }
    },
    async forget(instance) {
      const partition = partitionOf(instance);
      await connection.call('DEL', keys.open(partition, instance));
      await connection.call('HDEL', keys.instances(partition), instance);
      await connection.call('DEL', keys.alive(partition, instance));
    },
  };
}

import { auditKeys } from '../../../store/keys.ts';
import type { RedisConnection } from '../../../store/redis.ts';
import { loadScript } from '../../../store/script.ts';
import type { EventBatch } from '../../batch.ts';
import { CLOSED_AT_ONCE, type PermitLedger } from '../../permits/ledger.ts';
import { ended, openIn } from '../../permits/notes.ts';
import { inOrder, type Unvouched, unvouchedFrom, unvouchedJson } from '../../permits/unvouched.ts';

const CLOSE = loadScript('audit-close');

export interface RedisPermitsOptions {
  readonly connection: RedisConnection;
  readonly prefix: string;
  /** How many streams the record is spread over, and which of them is an instance's. */
  readonly partitions: number;
  readonly partitionOf: (instance: string) => number;
  /** How long what an instance left is remembered. */
  readonly lifeMs: number;
  /** How long the last number of one that is gone is. */
  readonly lastLifeMs: number;
  /** Outcomes are in the record, and belong in the activity logs too. */
  readonly recorded: (outcomes: EventBatch) => void;
}

export interface RedisPermits extends PermitLedger {
  /** Whether it was told that the instance lives: then somebody will close it. */
  isListed(instance: string): boolean;
}

/** This instance, and those whose spools it takes over. */
const LISTED_KNOWN = 16;

/** Needs no right to read the record. All keys of an instance are in the slot of its stream. */
export function createRedisPermits(options: RedisPermitsOptions): RedisPermits {
  const { connection, partitions, partitionOf, lifeMs, lastLifeMs } = options;
  const listed = new Set<string>();
  const keys = auditKeys(options.prefix);
  const keysOf = (instance: string) => {
    const partition = partitionOf(instance);
    return {
      stream: keys.stream(partition),
      last: keys.last(partition, instance),
      open: keys.open(partition, instance),
      instances: keys.instances(partition),
      alive: keys.alive(partition, instance),
      unvouched: keys.unvouched(partition),
    };
  };

  async function silentIn(partition: number): Promise<readonly string[]> {
    const names = (await connection.call('HKEYS', keys.instances(partition))) as string[];
    if (names.length === 0) return [];
    const beats = names.map((name) => keys.alive(partition, name));
    const alive = (await connection.call('MGET', ...beats)) as (string | null)[];
    return names.filter((_name, index) => alive[index] === null);
  }

  async function unvouchedIn(partition: number): Promise<readonly Unvouched[]> {
    const found = (await connection.call('HGETALL', keys.unvouched(partition))) as string[];
    return found.flatMap((json, at) => (at % 2 === 0 ? [] : (unvouchedFrom(json) ?? [])));
  }

  /** The one that was told of last goes last. */
  function noteListed(instance: string): void {
    listed.delete(instance);
    listed.add(instance);
    if (listed.size > LISTED_KNOWN) listed.delete(listed.values().next().value!);
  }

  return {
    async alive(instance, forMs) {
      const { alive, instances, open } = keysOf(instance);
      // In this order: who is listed lives.
      await connection.call('SET', alive, '1', 'PX', forMs);
      const added = await connection.call('HSET', instances, instance, '1');
      noteListed(instance);
      const kept = await connection.call('PEXPIRE', open, lifeMs);
      return added === 0 && kept === 1;
    },
    isListed: (instance) => listed.has(instance),
    async silent() {
      const all = await Promise.all(Array.from({ length: partitions }, (_, n) => silentIn(n)));
      return all.flat();
    },
    async left(instance) {
      const { last, open, instances } = keysOf(instance);
      if ((await connection.call('HGET', instances, instance)) === null) return null;
      // In this order: what is noted in between is seen at the latest by `close`.
      const lastSeq = (await connection.call('GET', last)) ?? '0';
      const notes = String((await connection.call('GET', open)) ?? '');
      const found = openIn(notes);
      const permits = found.slice(0, CLOSED_AT_ONCE);
      const all = permits.length === found.length;
      return { permits, all, asOf: `${lastSeq} ${Buffer.byteLength(notes)}` };
    },
    async close(instance, { permits, all, asOf }, outcomes, written) {
      const { stream, last, open, instances, unvouched } = keysOf(instance);
      const notes = all ? '' : ended(permits.map(({ id }) => id));
      const done = await connection.run(
        CLOSE,
        [stream, last, open, instances, unvouched],
        [
          instance,
          asOf,
          outcomes.lines,
          notes,
          lastLifeMs,
          written?.digest ?? '',
          written === null ? '' : unvouchedJson(written, written.by),
        ],
      );
      if (done === 1) options.recorded(outcomes);
      return done === 1;
    },
    async unvouched(voucher) {
      const found = await Promise.all(Array.from({ length: partitions }, (_, n) => unvouchedIn(n)));
      return inOrder(found.flat().filter((one) => one.voucher === voucher));
    },
    async takeOver(written, voucher) {
      const { unvouched } = keysOf(written.decidedBy);
      await connection.call('HSET', unvouched, written.digest, unvouchedJson(written, voucher));
    },
    async vouched({ decidedBy, digest }) {
      await connection.call('HDEL', keysOf(decidedBy).unvouched, digest);
    },
    async forget(instance) {
      const { last, open, instances, alive } = keysOf(instance);
      listed.delete(instance);
      await connection.call('PEXPIRE', last, lastLifeMs);
      await connection.call('DEL', open);
      await connection.call('HDEL', instances, instance);
      await connection.call('DEL', alive);
    },
  };
}

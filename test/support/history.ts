import { partitionOf } from '../../src/audit/partitions.ts';
import { auditKeys } from '../../src/store/keys.ts';
import type { RedisConnection } from '../../src/store/redis.ts';
import { type Head, LogInstance, type LogKey, makeLogKey } from './chained-log.ts';

/** An event, and when the store accepted it. */
export interface Accepted {
  readonly instance: string;
  readonly line: string;
  readonly ms: number;
}

/** What some instances have written for long, without the product's code. */
export interface History {
  /** In the order in which it was accepted. */
  readonly events: readonly Accepted[];
  readonly heads: readonly Head[];
  readonly key: LogKey;
}

export interface HistoryOptions {
  readonly fromMs: number;
  readonly toMs: number;
  /** Between two events of one instance. */
  readonly everyMs: number;
  /** From each event to the head that speaks of it. Default: five seconds. */
  readonly signedAfterMs?: number;
  /** Of bytes in each event, beside the others. */
  readonly padding?: number;
}

/** One that is there all the time, one that ends early, and one that is silent for long. */
export function makeHistory(options: HistoryOptions): History {
  const { fromMs, toMs, everyMs, padding = 0, signedAfterMs = 5_000 } = options;
  let ms = fromMs;
  const key = makeLogKey();
  const now = () => new Date(Math.floor(ms)).toISOString();
  const begin = (name: string) => new LogInstance(name, key, null, now);
  const [always, early, silent] = [begin('always'), begin('early'), begin('silent')];
  const third = (toMs - fromMs) / 3;
  const events: Accepted[] = [];
  const written = new Map([always, early, silent].map((one) => [one, 0]));
  const take = () => {
    for (const [one, count] of written) {
      const lines = one.lines.slice(count);
      events.push(...lines.map((line) => ({ instance: one.name, line, ms })));
      written.set(one, one.lines.length);
    }
  };
  const known = { type: 'call', phase: 'decision', decision: 'permit', requestId: 'r' };
  const write = (one: LogInstance, sign: boolean) =>
    sign ? one.sign() : one.other({ ...known, userAgent: 'x'.repeat(padding) });
  for (; ms < toMs; ms += everyMs) {
    const writers = [always];
    if (ms < fromMs + third) writers.push(early);
    if (ms < fromMs + third || ms > toMs - third) writers.push(silent);
    for (const sign of [false, true]) {
      for (const one of writers) write(one, sign);
      take();
      ms += sign ? -signedAfterMs : signedAfterMs;
    }
  }
  always.sign('instance-ended');
  take();
  return { events, heads: [always, early, silent].map(({ head }) => head!), key };
}

/** Lays it into the streams, each event under the time at which it was accepted. */
export async function layIntoRedis(
  connection: RedisConnection,
  prefix: string,
  { events, heads, key }: History,
): Promise<void> {
  const keys = auditKeys(prefix);
  for (let at = 0; at < events.length; at += 500)
    await Promise.all(
      events.slice(at, at + 500).map(({ instance, line, ms }, n) => {
        const stream = keys.stream(partitionOf(instance));
        return connection.call('XADD', stream, `${Math.floor(ms)}-${at + n + 1}`, 'e', line);
      }),
    );
  for (const head of heads) {
    const line = JSON.stringify({ type: 'chain-head', phase: 'chain', ...head });
    await connection.call('HSET', keys.heads(partitionOf(head.instance)), head.instance, line);
  }
  await connection.call('HSET', keys.chainKeys, key.id, knownKey(key));
}

export function knownKey({ id, publicKey }: Pick<LogKey, 'id' | 'publicKey'>): string {
  return JSON.stringify({ key: id, publicKey, instance: 'always', time: '2030-01-01T00:00:00Z' });
}

import { rollingRestarts } from '../../support/rolling-restarts.ts';
import type { Finding } from '../promises.ts';

const CALLS = 100_000;
const RESTARTS = 20;
/** For each way to a gate. */
const CALLERS = 8;

export async function prove(): Promise<Finding> {
  const { calls, failed, restarts, codes, seconds } = await rollingRestarts({
    calls: CALLS,
    restarts: RESTARTS,
    callers: CALLERS,
  });
  for (const line of failed.slice(0, 100)) console.log(line);
  const sum = Object.values(calls).reduce((total, count) => total + count, 0);
  const ways = Object.entries(calls).map(([way, count]) => `${way} ${count}`);
  return {
    promise: 'a rolling restart loses no call',
    kept: failed.length === 0 && codes.every((code) => code === 0),
    figures: `${failed.length} of ${sum} calls failed (${ways.join('; ')}) in ${restarts} restarts of one of two gates by SIGTERM, ${Math.round(sum / seconds)} calls/s, a quarter of them POST, nothing repeated`,
  };
}

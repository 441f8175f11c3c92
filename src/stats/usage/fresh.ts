import type { Clock } from '../../clock.ts';
import type { UsageReader } from './port.ts';
import type { UsageRecorder } from './recorder.ts';

const HOUR_MS = 3_600_000;
/** What was written is as fresh as that, however many ask. */
const FRESH_MS = 1_000;

/** Whoever asks a gate for the present hour is told of the calls that it has counted until now. */
export function freshReader(
  store: UsageReader,
  recorder: Pick<UsageRecorder, 'flush'>,
  clock: Clock,
): UsageReader {
  let writtenMs = Number.NEGATIVE_INFINITY;
  return {
    hours: (of, first, last) => store.hours(of, first, last),
    async minutes(of, hour) {
      const nowMs = clock.monotonicMs();
      if (hour === Math.floor(clock.wallMs() / HOUR_MS) && nowMs - writtenMs >= FRESH_MS) {
        writtenMs = nowMs;
        await recorder.flush();
      }
      return store.minutes(of, hour);
    },
  };
}

import * as z from 'zod';
import { component, moment } from './words.ts';

const count = z.int().min(0);

/** What the API says of work that is done in the background, one at a time (`OneRun`). */
export function runState<Result extends z.ZodType>(name: string, result: Result) {
  const about = {
    number: count.describe('Of this process, from 1 on.'),
    startedAt: moment,
    by: z.string().describe('Who began it.'),
  };
  return component(
    name,
    z.object({
      running: z.object({ ...about, events: count, of: count }).nullable(),
      last: z
        .object({
          ...about,
          endedAt: moment,
          fault: z.string().nullable().describe('Why it has no result.'),
          result: result.nullable(),
        })
        .nullable()
        .describe('Of this process, and forgotten with its end.'),
    }),
  );
}

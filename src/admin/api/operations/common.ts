import * as z from 'zod';
import { type AnswerDoc, type Call, defined } from '../operation.ts';
import * as parameters from '../schemas/parameters.ts';
import * as words from '../schemas/words.ts';

/** What many operations say in the same way. */

export const NAMED = z.strictObject({ name: words.name });
export const WAIT = z.strictObject(parameters.waitQuery);

/** How a change is to go about, as administration takes it. */
export function howOf({
  query,
  version,
}: Pick<Call<unknown, { readonly waitMs?: number | undefined }, unknown>, 'query' | 'version'>): {
  readonly waitMs?: number;
  readonly version?: number;
} {
  return defined({ waitMs: query.waitMs, version: version ?? undefined });
}

/** Answers of a change, with the record as it is now. */
export function changing(schema: z.ZodType): Readonly<Record<200 | 202, AnswerDoc>> {
  return {
    200: { description: 'Done, and in force everywhere.', schema, etag: true },
    202: { description: 'Done; not every instance has confirmed it yet.', schema, etag: true },
  };
}

/** Answers of a creation that takes `Idempotency-Key`. */
export function creating(schema: z.ZodType): Readonly<Record<200 | 201, AnswerDoc>> {
  return {
    200: { description: 'It was created by the first request with this key.', schema, etag: true },
    201: { description: 'Created.', schema, etag: true },
  };
}

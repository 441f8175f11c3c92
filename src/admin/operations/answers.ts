import type * as z from 'zod';
import type { AnswerDoc } from './row.ts';

/** What many routes say in the same way. */

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

/** Answers that hold a new token. */
export function issuing(schema: z.ZodType, etag: object): Readonly<Record<200 | 202, AnswerDoc>> {
  return {
    200: { description: 'The new token; the old one is refused everywhere.', schema, ...etag },
    202: {
      description: 'The new token; not every instance has confirmed it yet.',
      schema,
      ...etag,
    },
  };
}

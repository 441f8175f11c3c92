import * as z from 'zod';
import { orNull, whole } from '../values.ts';
import { redisStore } from './store.ts';

/** Of a field that may hold a credential. */
const SECRET =
  /auth|token|cookie|secret|passw|credential|session|signature|jwt|assertion|dpop|csrf|xsrf|api-?key|access-?key|private|cert|otp$|nonce|(?<!idempotency)-key$/;
/** Fields that hold a whole URL: its query may be a secret. */
const URLS: ReadonlySet<string> = new Set([
  'referer',
  'referrer',
  'link',
  'x-original-uri',
  'x-original-url',
  'x-rewrite-url',
  'x-forwarded-uri',
  'x-forwarded-url',
  'x-request-uri',
  'x-url',
]);

const recordedHeader = z
  .string()
  .regex(/^[A-Za-z0-9-]{1,64}$/, 'expected the name of a header: letters, digits and -')
  .transform((name) => name.toLowerCase())
  .refine((name) => !SECRET.test(name), 'may hold a credential, so it is never recorded')
  .refine((name) => !URLS.has(name), 'may hold a query, so it is never recorded');

export const auditSection = z
  .strictObject({
    guarantee: z
      .enum(['acknowledged', 'buffered'])
      .default('acknowledged')
      .describe(
        '`acknowledged`: no answer without an accepted record. `buffered`: a crash can lose the last moments.',
      ),
    store: orNull(
      redisStore,
      'A Redis for the audit alone, in the form of `store` (`kind: redis`), so that the audit cannot take the memory that the registry needs. Default: the Redis of `store`.',
    ),
    durability: z
      .enum(['store', 'local', 'both'])
      .default('store')
      .describe(
        'What a record waits for. `store`: the store, or the fsync of the local spool while the store is away. `local`: that fsync always. `both`: both, the fsync alone while the store is away. The same with the embedded store, which is a local file with an fsync.',
      ),
    spool: z
      .strictObject({
        maxBytes: whole(
          { min: 1_048_576, max: 2 ** 40, default: 2 ** 30 },
          'Size on disk at which the gate refuses instead of recording, in bytes, for all workers together; calls without an account get a quarter of it.',
        ),
      })
      .prefault({})
      .describe('Local files in `instance.dataDir` that take the records while Redis is away.'),
    retention: z
      .strictObject({
        days: whole({ min: 1, max: 36_500, default: 90 }, 'How long events are kept, in days.'),
        maxBytes: orNull(
          z
            .int()
            .min(0)
            .max(2 ** 50),
          'Size at which the oldest events go, in bytes; 0 = no limit. Default: half of the `maxmemory` of Redis, 1 GiB where it has none; 4 GiB with the embedded store.',
        ),
      })
      .prefault({})
      .describe('How long events are kept.'),
    clientAddress: z
      .enum(['full', 'truncated', 'hashed'])
      .default('full')
      .describe(
        '`truncated`: the record holds the /24 or /48 of a client. `hashed`: an HMAC of its address, by a key of the installation. Rules and limits judge the full address all the same.',
      ),
    headers: z
      .array(recordedHeader)
      .max(16)
      .default([])
      .describe(
        'Request fields that decisions of calls hold, 256 characters each; none that may hold a credential or a query.',
      ),
    foldRefusalsAfter: whole(
      { min: 1, max: 1_000_000, default: 50 },
      'Refusals of one account, or of one client address without an account, that are recorded one by one in ten seconds; further ones are counted.',
    ),
    activityPerAccount: whole(
      { min: 10, max: 10_000_000, default: 10_000 },
      "Events kept in one account's activity log.",
    ),
    activityMaxBytes: orNull(
      z
        .int()
        .min(1_048_576)
        .max(2 ** 50),
      'What the activity logs of all accounts may take together in Redis, in bytes: beyond, each has an equal share, and those that take less keep all. Default: an eighth of the `maxmemory` of Redis, 256 MiB where it has none. The embedded store has no such copies.',
    ),
  })
  .prefault({})
  .describe('The record of every call and every change.');

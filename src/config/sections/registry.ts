import * as z from 'zod';
import { whole } from '../values.ts';

/** Bounds of a lease. No instance can have a longer one. */
export const LEASE_MS = { min: 1000, max: 3_600_000 } as const;

export const registrySection = z
  .strictObject({
    leaseMs: whole(
      { ...LEASE_MS, default: 30_000 },
      'How long an instance may answer from its cache without proof that it is up to date, in milliseconds. Past it: 503.',
    ),
    minReplicaAcks: whole(
      { min: 0, max: 16, default: 0 },
      'Replicas that must confirm a change before it counts as made.',
    ),
    cacheAccounts: whole(
      { min: 100, max: 5_000_000, default: 50_000 },
      'Accounts that an instance keeps in memory at most.',
    ),
    expiryWarningDays: z
      .array(z.int().min(1).max(365))
      .max(8)
      .default([14, 3, 1])
      .describe(
        'So many days before an account expires it is told of in the record, once each. `[]`: never.',
      ),
  })
  .prefault({})
  .describe('The cache of the registry and its lease.');

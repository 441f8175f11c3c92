import { hostname } from 'node:os';
import * as z from 'zod';
import { live } from '../reloading.ts';
import { file, NAME_PATTERN, name, whole } from '../values.ts';

/**
 * The host's name where it is a valid name, which it is in every container; otherwise `sallyport`.
 */
function defaultName(): string {
  const host = hostname();
  return NAME_PATTERN.test(host) ? host : 'sallyport';
}

export const instanceSection = z
  .strictObject({
    name: name
      .optional()
      .transform((given) => given ?? defaultName())
      .describe(
        'What this instance is called in logs, leases and the audit; a random part is added to it. Default: the host name.',
      ),
    dataDir: file
      .default('./data')
      .describe(
        'Folder for what this instance keeps on disk (mode 0700), relative to this file. The embedded store lives here.',
      ),
    workers: whole(
      { min: 1, max: 256, default: 1 },
      'Worker processes on one port, each an instance of its own; more than one needs Redis. One per core is what pays.',
    ),
    lameDuckMs: live(
      whole(
        { min: 0, max: 3_600_000, default: 5000 },
        'How long a stopping instance that is no longer ready still answers, each answer closing its connection, in milliseconds; more than balancers take to see /readyz change. Then `drainMs` begins.',
      ),
    ),
    drainMs: live(
      whole(
        { min: 0, max: 3_600_000, default: 30_000 },
        'How long a stopping instance lets requests in flight finish, in milliseconds.',
      ),
    ),
  })
  .prefault({})
  .describe('This running copy of Sallyport.');

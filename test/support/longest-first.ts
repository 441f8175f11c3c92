import { BaseSequencer, type TestSpecification } from 'vitest/node';

/**
 * Files that take longest, of every ring: one that is begun last is waited for by a worker that has
 * nothing else to do. The order of the others is Vitest's, by their sizes. A name that is no file's
 * is found by test/house/sizes.test.ts.
 */
export const LONG = [
  'test/house/checks.test.ts',
  'test/clients/door-http1.test.ts',
  'test/clients/real-clients.test.ts',
  'test/engines/contracts.test.ts',
  'test/engines/check.test.ts',
  'test/engines/receipt.test.ts',
  'test/engines/permits.test.ts',
  'test/reload/live-keys.test.ts',
  'test/processes/cli/accounts.test.ts',
  'test/processes/cli/declared.test.ts',
  'test/processes/gateway/opening.test.ts',
  'test/processes/workers/workers.test.ts',
  'test/processes/package.test.ts',
  'test/processes/image.test.ts',
  'test/fault/record.test.ts',
  'test/fault/audit.test.ts',
  'test/fault/redis-away.test.ts',
  'test/fault/redis-topologies.test.ts',
  'test/security/calls.test.ts',
  'test/browser/console.test.ts',
  'test/browser/activity.test.ts',
];

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const placeOf = ({ moduleId }: TestSpecification) => {
      const place = LONG.findIndex((name) => moduleId.endsWith(name));
      return place < 0 ? LONG.length : place;
    };
    return (await super.sort(files)).toSorted((one, other) => placeOf(one) - placeOf(other));
  }
}

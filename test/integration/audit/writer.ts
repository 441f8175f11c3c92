import { openEmbeddedAudit } from '../../../src/audit/log/embedded/log.ts';
import { batchOf } from '../../support/audit-batch.ts';

/**
 * A process that appends to the audit file named on its command line until it is killed, and prints
 * each number once it is accepted.
 */
const audit = await openEmbeddedAudit({
  path: process.argv[2] ?? '',
  retention: { days: 90, maxBytes: 0 },
  activityPerAccount: 10,
});
for (let seq = 1; seq <= 100_000; seq += 10) {
  const entries = Array.from({ length: 10 }, (_, i) => ({
    event: JSON.stringify({ instance: 'writer', seq: seq + i }),
    account: null,
  }));
  await audit.append(batchOf('writer', seq, entries));
  process.stdout.write(`${seq + 9}\n`);
}

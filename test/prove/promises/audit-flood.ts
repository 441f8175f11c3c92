import { flood, startStage } from '../../support/audit-flood.ts';

/** One row of the table in docs/RELIABILITY.md. */
interface Finding {
  /** What was promised, in a few words. */
  readonly promise: string;
  readonly kept: boolean;
  /** What was done and found, with its figures, in one line. */
  readonly figures: string;
}

/** Minutes, and size of the Redis: what ships has 1 GB. */
const MINUTES = Number(process.env.FLOOD_MINUTES ?? 10);
const MEMORY = process.env.FLOOD_MEMORY ?? '1gb';
/** A deactivated and a powerless account and a wrong token together, calls per second. */
const ACCOUNTS_PER_SECOND = Number(process.env.FLOOD_PER_SECOND ?? 900);
const STRANGERS = 100;

/**
 * A flood of what is refused, against a gate on a Redis with the settings and users that ship
 * (`FLOOD_MINUTES`, `FLOOD_MEMORY` and `FLOOD_PER_SECOND` make it shorter, smaller, slower).
 */
export async function prove(): Promise<readonly Finding[]> {
  const stage = await startStage(MEMORY, true);
  try {
    const report = await flood(stage, {
      durationMs: MINUTES * 60_000,
      accountsPerSecond: ACCOUNTS_PER_SECOND,
      strangers: STRANGERS,
    });
    const sum = (counts: Readonly<Record<number, number>>) =>
      Object.values(counts).reduce((total, count) => total + count, 0);
    const flooded = sum(report.refused);
    const failed = sum(report.validFailed);
    for (const fault of report.revocationFaults.slice(0, 50)) console.log(fault);
    const setting = `${MINUTES} min, Redis with config/redis/redis.conf and ${MEMORY}, ${flooded} refused calls`;
    const used = `${Math.round(report.auditBytes / 2 ** 20)} MiB of audit, memory at most ${Math.round(100 * report.mostUsedShare)} % full`;
    return [
      {
        promise: 'a flood of refusals costs no valid call',
        kept: failed === 0 && report.validCalls > 0,
        figures: `${failed} of ${report.validCalls} valid calls failed; ${setting}; ${used}`,
      },
      {
        promise: 'revocation works throughout a flood',
        kept: report.revocationFaults.length === 0 && report.revocations > 0,
        figures: `${report.revocations} tokens rotated or accounts deactivated, each refused after its receipt, the slowest in ${report.slowestRevocationMs} ms; ${report.revocationFaults.length} faults`,
      },
      {
        promise: 'a flood pushes out nobody else’s history',
        kept: report.historyAfter === report.historyBefore && report.historyBefore > 0,
        figures: `${report.historyAfter} of ${report.historyBefore} calls made before the flood are on record after it`,
      },
    ];
  } finally {
    await stage.stop();
  }
}

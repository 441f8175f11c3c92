import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openEmbeddedAudit } from '../../src/audit/log/embedded/log.ts';
import { type AuditBackend, auditContract } from './audit.ts';

const CAP = 300;

auditContract('embedded', createBackend);

async function createBackend(): Promise<AuditBackend> {
  const directory = await mkdtemp(join(tmpdir(), 'sallyport-audit-'));
  return {
    async open() {
      const audit = await openEmbeddedAudit({
        path: join(directory, 'audit.db'),
        retention: { days: 90, maxBytes: 0 },
        activityPerAccount: CAP,
      });
      return { log: audit, reader: audit, close: () => audit.close() };
    },
    crash: { not: 'it lives in this process; the durability test kills a process of its own' },
    freeze: {
      not: 'a thread cannot be stopped from outside; the test of the thread uses a worker that hangs',
    },
    activity: { cap: CAP, slack: 0 },
    dispose: () => rm(directory, { recursive: true, force: true }),
  };
}

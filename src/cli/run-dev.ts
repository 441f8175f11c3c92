import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { storeOwner } from '../admin/actor.ts';
import { AdminError } from '../admin/error.ts';
import { connectOwner } from '../admin/owner-client.ts';
import { systemClock } from '../clock.ts';
import { prepareDataDir } from '../config/data-dir.ts';
import { type Gateway, startGateway } from '../gateway/gateway.ts';
import { RegistryUnavailable } from '../registry/port.ts';
import { startSample } from '../sample/start.ts';
import { createLog } from '../telemetry/log.ts';
import { ensureLocalCertificate } from '../tls/local-ca.ts';
import { writeDevConfig } from './dev-config.ts';
import { DEV_CONFIG, DEV_DATA_DIR } from './dev-folder.ts';
import { startPage } from './dev-page.ts';
import { ensureSampleAccounts, type SampleAccounts } from './dev-seed.ts';
import { Refused, UsageError } from './exit.ts';
import { failureOf } from './failure.ts';
import { loadChecked } from './load.ts';
import { signalled } from './signals.ts';
import { note, say } from './terminal.ts';

/** How often a registry that does not count is looked at again. */
const FOREIGN_PAUSE_MS = 500;

export interface DevOptions {
  readonly port: number;
  readonly adminPort: number;
  readonly opsPort: number;
}

/**
 * Runs a gate on loopback over ./data, with the sample service behind it, until it is asked to
 * stop.
 */
export async function runDev(options: DevOptions): Promise<void> {
  for (const line of prepareDataDir(DEV_DATA_DIR)) note(line);
  await mustBeAlone();
  const stop = signalled();
  await ensureLocalCertificate(DEV_DATA_DIR, systemClock.wallMs());
  const sample = await startSample();
  // The page is what people look at here; the log only speaks up when something is wrong.
  const log = createLog({ level: 'warn' });
  try {
    writeDevConfig(DEV_CONFIG, { ...options, sampleUrl: sample.url });
    const { config } = loadChecked(DEV_CONFIG);
    const gateway = await startGateway(config, { log }).catch((error: unknown) => {
      throw explained(error);
    });
    try {
      const seeded = await Promise.race([seededSample(gateway), stop.then(() => null)]);
      if (seeded !== null)
        say(startPage({ addresses: gateway.addresses, sampleUrl: sample.url, seeded }));
      await stop;
      note('closing: calls under way may finish (Ctrl-C again ends at once)');
    } finally {
      await gateway.close();
    }
  } finally {
    await sample.close();
    log.close();
  }
}

/**
 * The sample accounts, as soon as the registry counts: where the folder's registry is gone, or
 * another one, the gate answers 503 until somebody has done what is said here.
 */
async function seededSample({ control }: Gateway): Promise<SampleAccounts> {
  if (control === null) throw new Error('the embedded store has no owner');
  const actor = storeOwner('dev', 'dev');
  let said = '';
  for (;;) {
    try {
      return await ensureSampleAccounts(control.administration, actor, DEV_DATA_DIR);
    } catch (error) {
      const why = foreignness(error);
      if (why === null) throw error;
      if (why !== said) note(`The gate answers 503 to every call: ${why}`);
      said = why;
      await sleep(FOREIGN_PAUSE_MS);
    }
  }
}

/** In `dev` no configuration need be named: ./data is found. */
function foreignness(error: unknown): string | null {
  const cause = error instanceof AdminError ? error.cause : error;
  if (!(cause instanceof RegistryUnavailable) || cause.why !== 'foreign') return null;
  return cause.message.replaceAll(' --config FILE', '');
}

/** Before anything is written: the files of a gate that runs here are not to be touched. */
async function mustBeAlone(): Promise<void> {
  const owner = await connectOwner(resolve(DEV_DATA_DIR));
  if (owner === null) return;
  owner.close();
  throw new Refused(
    `a gate is running on ./${DEV_DATA_DIR} already: stop it first, or start this one in another folder`,
  );
}

/** A taken port is the commonest way for a first start to fail; it must not be the last. */
function explained(error: unknown): unknown {
  if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') return error;
  const { lines } = failureOf(error);
  return new UsageError(
    `${lines.join(' ')}; choose other ports with --port, --admin-port and --ops-port`,
  );
}

import { ConfigFaults, showFault } from '../config/faults.ts';
import { type Gateway, startGateway } from '../gateway/gateway.ts';
import { createLog, type Log } from '../telemetry/log.ts';
import { UsageError } from './exit.ts';
import { loadChecked } from './load.ts';
import { signalled } from './signals.ts';

/** Runs the gate that a configuration file describes until it is asked to stop, and drains it. */
export async function runServe(file: string): Promise<void> {
  const loaded = loadChecked(file);
  const { proxy, ops } = loaded.config.listen;
  if (proxy === null && ops === null) throw new UsageError(`${file} opens no listener: name listen.proxy`);
  const log = createLog();
  const stop = signalled();
  for (const warning of loaded.warnings) log.warn(showFault(file, warning));
  const gateway = await startGateway(loaded.config, { log });
  const reloading = reloadOnHangup(gateway, file, log);
  try {
    log.info('asked to stop', { signal: await stop });
  } finally {
    reloading.close();
    await gateway.close();
    log.close();
  }
}

/** A file that has faults changes nothing: the last good configuration stays in force, and the log and readiness say so. */
function reloadOnHangup(gateway: Gateway, file: string, log: Log): { close(): void } {
  const reload = () => {
    try {
      const loaded = loadChecked(file);
      for (const warning of loaded.warnings) log.warn(showFault(file, warning));
      gateway.reload(loaded.config);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      gateway.reloadRefused(why);
      log.error('the configuration was not taken over; the one before stays in force', {
        faults: error instanceof ConfigFaults ? why.split('\n') : [why],
      });
    }
  };
  process.on('SIGHUP', reload);
  return { close: () => process.off('SIGHUP', reload) };
}

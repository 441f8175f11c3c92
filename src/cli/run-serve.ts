import type { ConfigChange } from '../config/change.ts';
import { ConfigFaults, showFault } from '../config/faults.ts';
import type { LoadedConfig } from '../config/load.ts';
import { ConfigReloader } from '../config/reload.ts';
import { type CloseOptions, startGateway } from '../gateway/gateway.ts';
import { startWorkers } from '../gateway/workers.ts';
import { createLog, type Log } from '../telemetry/log.ts';
import { UsageError } from './exit.ts';
import { loadChecked } from './load.ts';
import { loadApart } from './load-apart.ts';
import { signalled } from './signals.ts';

/** A gate in this process, or several in processes of their own. */
interface Served {
  reload(next: LoadedConfig): void | Promise<void>;
  reloadRefused(why: string): void;
  reopenLogs(): void;
  close(options: CloseOptions): Promise<void>;
}

/** Runs the gate that a configuration file describes until it is asked to stop, and drains it. */
export async function runServe(file: string): Promise<void> {
  const loaded = loadChecked(file);
  const { proxy, admin, ops } = loaded.config.listen;
  if (proxy === null && admin === null && ops === null)
    throw new UsageError(`${file} opens no listener: name listen.proxy`);
  const log = createLog(loaded.config.log);
  const stop = signalled();
  // Whoever rotates logs while the gate opens must not end it.
  process.on('SIGUSR2', () => {});
  for (const warning of loaded.warnings) log.warn(showFault(file, warning));
  const served = await start(loaded, log);
  process.on('SIGUSR2', () => served.reopenLogs());
  const reloader = reloading(served, loaded, file, log);
  let signal: NodeJS.Signals = 'SIGTERM';
  try {
    signal = await stop;
    log.info('asked to stop', { signal });
  } finally {
    await reloader.close();
    // SIGINT: somebody waits at a terminal.
    await served.close({ lameDuck: signal !== 'SIGINT' });
    log.close();
  }
}

async function start(loaded: LoadedConfig, log: Log): Promise<Served> {
  if (loaded.config.instance.workers > 1) return startWorkers(loaded, log);
  const gateway = await startGateway(loaded.config, { log });
  return {
    reload: async ({ config }) => {
      await gateway.prepareReload(config);
      gateway.reload(config);
    },
    reloadRefused: (why) => gateway.reloadRefused(why),
    reopenLogs: () => gateway.reopenLogs(),
    close: (options) => gateway.close(options),
  };
}

/**
 * A file that has faults changes nothing: the last good configuration stays in force, and the log
 * and readiness say so.
 */
function reloading(served: Served, loaded: LoadedConfig, file: string, log: Log): ConfigReloader {
  return new ConfigReloader(
    loaded,
    { load: loadApart },
    {
      async apply(next: LoadedConfig, { changed, needRestart, needApply }: ConfigChange) {
        for (const warning of next.warnings) log.warn(showFault(file, warning));
        await served.reload(next);
        log.info('the configuration file was read again', { changed });
        if (needRestart.length > 0)
          log.warn('some changes count only after a restart', { keys: needRestart });
        if (needApply.length > 0)
          log.warn('a gate does not read declared accounts: run `sallyport apply`', {
            keys: needApply,
          });
      },
      refused(fault) {
        const why = fault instanceof Error ? fault.message : String(fault);
        served.reloadRefused(why);
        log.error('the configuration was not taken over; the one before stays in force', {
          faults: fault instanceof ConfigFaults ? why.split('\n') : [why],
        });
      },
    },
  );
}

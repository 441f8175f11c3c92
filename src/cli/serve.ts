import type { Command } from 'commander';
import { ConfigFaults, showFault } from '../config/faults.ts';
import type { LoadedConfig } from '../config/load.ts';
import { type Gateway, startGateway } from '../gateway/gateway.ts';
import { createLog, type Log } from '../telemetry/log.ts';
import { UsageError } from './exit.ts';
import { loadChecked } from './load.ts';
import { examples } from './options.ts';
import { signalled } from './signals.ts';

export function addServeCommand(program: Command): void {
  const summary = 'run the gate';
  const serve = program
    .command('serve')
    .summary(summary)
    .description(
      `${summary}.\nSIGTERM or SIGINT drains and ends it, a second one ends it at once; SIGHUP reads the configuration again.`,
    )
    .requiredOption('--config <file>', 'the configuration file')
    .action(async (options: { readonly config: string }) => {
      const loaded = loadChecked(options.config);
      const { proxy, ops } = loaded.config.listen;
      if (proxy === null && ops === null) throw new UsageError(`${options.config} opens no listener: name listen.proxy`);
      const log = createLog();
      const stop = signalled();
      for (const warning of loaded.warnings) log.warn(showFault(options.config, warning));
      const gateway = await startGateway(loaded.config, { log });
      const reloading = reloadOnHangup(gateway, options.config, log);
      try {
        log.info('asked to stop', { signal: await stop });
      } finally {
        reloading.close();
        await gateway.close();
        log.close();
      }
    });
  examples(serve, 'sallyport serve --config sallyport.yaml');
}

/** A file that has faults changes nothing: the last good configuration stays in force, and the log and readiness say so. */
function reloadOnHangup(gateway: Gateway, file: string, log: Log): { close(): void } {
  const reload = () => {
    try {
      const loaded: LoadedConfig = loadChecked(file);
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

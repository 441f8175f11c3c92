import type { Command } from 'commander';
import { count, examples } from './options.ts';
import type { DevOptions } from './run-dev.ts';

export function addDevCommand(program: Command): void {
  const summary =
    'try it: a gate on this machine, with a sample service behind it and sample accounts';
  const dev = program
    .command('dev')
    .summary(summary)
    .description(
      `${summary}.\nNeeds nothing and listens on loopback only. Everything it keeps is in ./data; a second start goes on with it.`,
    )
    .option('--port <port>', 'port of the gate', count(0, 65_535), 8443)
    .option('--admin-port <port>', 'port of the admin API and the console', count(0, 65_535), 9443)
    .option('--ops-port <port>', 'port of health and metrics', count(0, 65_535), 9464)
    .action(async (options: DevOptions) => {
      const { runDev } = await import('./run-dev.ts');
      await runDev(options);
    });
  examples(dev, 'sallyport dev', 'sallyport dev --port 9000');
}

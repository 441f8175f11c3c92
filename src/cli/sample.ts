import type { Command } from 'commander';
import { count, examples } from './options.ts';
import { signalled } from './signals.ts';
import { note } from './terminal.ts';

export function addSampleCommand(program: Command): void {
  const summary = 'run the sample deployment service alone, without a gate (for trying things out)';
  const sample = program
    .command('sample')
    .summary(summary)
    .description(`${summary}.\nIt lets in everybody who reaches it: keep it behind the gate.`)
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--port <port>', 'port to listen on', count(0, 65_535), 8080)
    .action(async (options: { readonly host: string; readonly port: number }) => {
      const { startSample } = await import('../sample/start.ts');
      const started = await startSample(options);
      note(`the sample service listens on ${started.url}`);
      await signalled();
      await started.close();
    });
  examples(sample, 'sallyport sample --port 8080');
}

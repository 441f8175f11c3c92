import type { Command } from 'commander';
import { examples } from './options.ts';

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
      // Loaded only now: a command that lists accounts has no use for a whole gate.
      const { runServe } = await import('./run-serve.ts');
      await runServe(options.config);
    });
  examples(serve, 'sallyport serve --config sallyport.yaml');
}

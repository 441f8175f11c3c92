import { connect } from 'node:net';
import type { Command } from 'commander';
import { connectOwner } from '../admin/owner-client.ts';
import { openStores } from '../admin/stores.ts';
import { systemClock } from '../clock.ts';
import { showFault } from '../config/faults.ts';
import type { Config } from '../config/schema.ts';
import { RegistryUnavailable } from '../registry/port.ts';
import { EXIT, failureOf } from './exit.ts';
import { loadChecked } from './load.ts';
import { examples } from './options.ts';
import { note, say, sayJson } from './terminal.ts';

interface CheckOptions {
  readonly config: string;
  readonly connect?: boolean;
  readonly json?: boolean;
}

export function addCheckCommand(program: Command): void {
  const summary = 'say everything that is wrong with a configuration file';
  const check = program
    .command('check')
    .summary(summary)
    .description(summary)
    .requiredOption('--config <file>', 'the configuration file')
    .option('--connect', 'also try the store and the upstreams')
    .option('--json', 'answer in JSON')
    .action(async (options: CheckOptions) => {
      const { config, warnings, file } = loadChecked(options.config);
      for (const warning of warnings) note(`warning: ${showFault(options.config, warning)}`);
      const unreachable = options.connect === true ? await tryConnections(config) : [];
      if (options.json === true)
        sayJson({ file, warnings, unreachable, routes: config.routes.length, upstreams: config.upstreams.length });
      else if (unreachable.length === 0) say(`${options.config} is in order: ${counted(config)}`);
      for (const line of options.json === true ? [] : unreachable) note(line);
      if (unreachable.length > 0) process.exitCode = EXIT.unreachable;
    });
  examples(check, 'sallyport check --config sallyport.yaml', 'sallyport check --config sallyport.yaml --connect');
}

function counted(config: Config): string {
  const plural = (n: number, noun: string) => `${n} ${noun}${n === 1 ? '' : 's'}`;
  return `${plural(config.routes.length, 'route')}, ${plural(config.upstreams.length, 'upstream')}, store ${config.store.kind}`;
}

/** One line for each thing that did not answer. */
async function tryConnections(config: Config): Promise<readonly string[]> {
  const upstreams = config.upstreams.flatMap(({ name, addresses, connectTimeoutMs }) =>
    addresses.map(async ({ host, port }) => {
      const fault = await connectionFault(host, port, connectTimeoutMs);
      return fault === null ? [] : [`upstream ${name}: ${host}:${port} does not answer (${fault})`];
    }),
  );
  return (await Promise.all([tryStore(config), ...upstreams])).flat();
}

async function tryStore(config: Config): Promise<readonly string[]> {
  try {
    const owner = config.store.kind === 'embedded' ? await connectOwner(config.instance.dataDir) : null;
    if (owner !== null) {
      owner.close();
      return [];
    }
    const stores = await openStores(config, { clock: systemClock, create: false, note });
    try {
      await stores.store.snapshot();
    } finally {
      await stores.close();
    }
    return [];
  } catch (error) {
    // An empty store is one that answers.
    if (error instanceof RegistryUnavailable && error.why === 'empty') return [];
    return failureOf(error).lines;
  }
}

function connectionFault(host: string, port: number, timeoutMs: number): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: timeoutMs });
    const end = (fault: string | null) => {
      socket.destroy();
      resolve(fault);
    };
    socket.once('connect', () => end(null));
    socket.once('timeout', () => end(`nothing within ${timeoutMs} ms`));
    socket.once('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
  });
}

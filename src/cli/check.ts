import { connect } from 'node:net';
import type { Command } from 'commander';
import { connectOwner } from '../admin/owner-client.ts';
import { openStores } from '../admin/stores.ts';
import { systemClock } from '../clock.ts';
import { showFault } from '../config/faults.ts';
import type { Config, RedisStoreConfig } from '../config/schema.ts';
import { undecidedRoutes } from '../config/undecided-routes.ts';
import { RegistryUnavailable } from '../registry/port.ts';
import type { Finding } from '../store/redis-finding.ts';
import { findUnapprovable } from './check-approvals.ts';
import { findOwnLinks } from './check-links.ts';
import { type InspectorOptions, inspectRedis, showFinding } from './check-redis.ts';
import { checkWritten } from './check-written.ts';
import { EXIT } from './exit-code.ts';
import { failureOf } from './failure.ts';
import { loadChecked } from './load.ts';
import { examples } from './options.ts';
import { withOutput } from './output/format.ts';
import { note, say, sayJson } from './terminal.ts';

interface CheckOptions extends InspectorOptions {
  readonly config: string;
  readonly connect?: boolean;
  readonly json?: boolean;
}

export function addCheckCommand(program: Command): void {
  const summary = 'say everything that is wrong with a configuration file';
  const check = program
    .command('check')
    .summary(summary)
    .description(
      `${summary}; exit code 1 where --connect finds Redis unsafe, 3 where something does not answer`,
    )
    .requiredOption('--config <file>', 'the configuration file')
    .option(
      '--connect',
      'also try the store and the upstreams, and look whether Redis is set up as the promises need it and whether upstreams write links to themselves',
    )
    .option(
      '--redis-user <name>',
      'look at Redis as this user, who may use INFO, CONFIG GET and ACL GETUSER',
    )
    .option('--redis-password-file <file>', 'its password')
    .action(runCheck);
  withOutput(check);
  examples(
    check,
    'sallyport check --config sallyport.yaml',
    'sallyport check --config sallyport.yaml --connect',
    'sallyport check --config sallyport.yaml --connect --redis-user inspector --redis-password-file inspector.password',
  );
}

async function runCheck(options: CheckOptions): Promise<void> {
  const { config, warnings, file } = loadChecked(options.config, [checkWritten]);
  for (const warning of warnings) note(`warning: ${showFault(options.config, warning)}`);
  const undecided = undecidedRoutes(config);
  const { unreachable, findings } =
    options.connect === true ? await tried(config, options) : NOTHING;
  const unsafe = findings.some(({ severity }) => severity === 'unsafe');
  if (options.json === true) {
    const { routes, upstreams } = config;
    sayJson({
      file,
      warnings,
      unreachable,
      findings,
      undecided,
      routes: routes.length,
      upstreams: upstreams.length,
    });
  } else {
    for (const { route, why } of undecided)
      note(`listen.decision: route ${route} holds through the gate only (${why})`);
    for (const line of unreachable) note(line);
    for (const finding of findings) showFinding(finding);
    if (unreachable.length === 0 && !unsafe)
      say(`${options.config} is in order: ${counted(config)}`);
  }
  if (unreachable.length > 0) process.exitCode = EXIT.unreachable;
  else if (unsafe) process.exitCode = EXIT.refused;
}

interface Tried {
  /** One line for each thing that did not answer. */
  readonly unreachable: readonly string[];
  readonly findings: readonly Finding[];
}

const NOTHING: Tried = { unreachable: [], findings: [] };

async function tried(config: Config, options: CheckOptions): Promise<Tried> {
  const [store, upstreams, links] = await Promise.all([
    tryStore(config),
    tryUpstreams(config),
    findOwnLinks(config),
  ]);
  const redis =
    store.length === 0 && config.store.kind === 'redis'
      ? await lookedInto(config, config.store, options)
      : NOTHING;
  const audit =
    config.audit.store === null ? NOTHING : await lookedInto(config, config.audit.store, options);
  const approvals = store.length === 0 ? await findUnapprovable(config, options) : [];
  const ofAudit = audit.unreachable.map((line) => `audit.store: ${line}`);
  return {
    unreachable: [...store, ...redis.unreachable, ...ofAudit, ...upstreams],
    findings: [...redis.findings, ...audit.findings, ...links, ...approvals],
  };
}

async function lookedInto(
  config: Config,
  store: RedisStoreConfig,
  options: CheckOptions,
): Promise<Tried> {
  try {
    return { unreachable: [], findings: await inspectRedis(config, store, options) };
  } catch (error) {
    const { code, lines } = failureOf(error);
    if (code !== EXIT.unreachable) throw error;
    return { unreachable: lines, findings: [] };
  }
}

function counted(config: Config): string {
  const plural = (n: number, noun: string) => `${n} ${noun}${n === 1 ? '' : 's'}`;
  return `${plural(config.routes.length, 'route')}, ${plural(config.upstreams.length, 'upstream')}, store ${config.store.kind}`;
}

async function tryUpstreams(config: Config): Promise<readonly string[]> {
  const upstreams = config.upstreams.flatMap(({ name, addresses, connectTimeoutMs }) =>
    addresses.map(async ({ host, port }) => {
      const fault = await connectionFault(host, port, connectTimeoutMs);
      return fault === null ? [] : [`upstream ${name}: ${host}:${port} does not answer (${fault})`];
    }),
  );
  return (await Promise.all(upstreams)).flat();
}

async function tryStore(config: Config): Promise<readonly string[]> {
  try {
    const owner =
      config.store.kind === 'embedded' ? await connectOwner(config.instance.dataDir) : null;
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
    socket.once('timeout', () => end(`no response within ${timeoutMs} ms`));
    socket.once('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
  });
}

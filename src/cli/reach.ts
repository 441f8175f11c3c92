import { existsSync, readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { parseToken } from '../account/token.ts';
import { storeOwner } from '../admin/actor.ts';
import { administrationOf } from '../admin/administration.ts';
import { approvalsOf } from '../admin/approvals/configured.ts';
import { createControl } from '../admin/control.ts';
import { EMBEDDED_FILES } from '../admin/folder-registry.ts';
import { connectOwner } from '../admin/owner-client.ts';
import { WITHOUT_APPROVAL } from '../admin/schemas/inputs.ts';
import { openStores } from '../admin/stores.ts';
import { systemClock } from '../clock.ts';
import { parseConfig } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import { systemNames } from '../names/system.ts';
import { packageVersion } from '../telemetry/metrics.ts';
import { readCertificates } from '../tls/certificate.ts';
import { createDesk, type WebhookDesk } from '../webhooks/desk.ts';
import { hooksOf } from '../webhooks/hooks.ts';
import { Sender } from '../webhooks/sender.ts';
import { UsageError } from './exit.ts';
import { loadChecked } from './load.ts';
import type { AskedOptions, Reached, StoreOptions } from './reached.ts';
import { canAsk, note } from './terminal.ts';

export type { Reached, StoreOptions };

/** What `sallyport dev` keeps, and leaves for the commands beside it. */
export const DEV_DATA_DIR = 'data';
export const DEV_CONFIG = join(DEV_DATA_DIR, 'dev.yaml');

/**
 * `true`: a change is about to be made, so a data folder that has never held a registry gets one;
 * `any`: what is asked is about the registry itself, which need not be there.
 */
export type Purpose = boolean | 'any';

/**
 * From the command line's words to something that can be asked: the running owner of an embedded
 * store if there is one, else the store itself.
 */
async function reach(options: StoreOptions, purpose: Purpose): Promise<Reached> {
  if (options.server !== undefined) return reachServer(options, options.server);
  if (options.caFile !== undefined) throw new UsageError('--ca-file is for --server');
  const config = configurationOf(options);
  const routes = options.routes === undefined ? config.routes : routesOf(options.routes);
  const actor = storeOwner(userName(), 'command-line');
  if (config.store.kind === 'embedded') {
    const owner = await connectOwner(config.instance.dataDir);
    if (owner !== null) {
      if (options.routes !== undefined) {
        owner.close();
        throw new UsageError('--routes is for a store: the gate that is running has its own');
      }
      return { control: owner.control, actor, config, close: async () => owner.close() };
    }
  }
  const stores = await openStores(config, {
    clock: systemClock,
    create: purpose === true,
    any: purpose === 'any',
    note,
  });
  const control = createControl({
    ...stores,
    clock: systemClock,
    instance: null,
    // A file for administration has none, and says nothing about calls.
    routes: () => routes,
    webhooks: deskOf(config),
    approvals: approvalsOf(() => config),
  });
  return { control, actor, config, close: () => stores.close() };
}

/** What is sent to a webhook from here goes by this machine's network. */
function deskOf(config: Config): WebhookDesk {
  return createDesk({
    hooks: () => hooksOf(config),
    senderOf: (hook) => new Sender(hook, systemNames.lookup, packageVersion()),
    clock: systemClock,
  });
}

/**
 * The token comes by the environment alone: a command line can be read by every user of the
 * machine, and lands in histories.
 */
async function reachServer(
  { config, caFile, routes }: StoreOptions,
  server: string,
): Promise<Reached> {
  if (routes !== undefined)
    throw new UsageError('--routes is for a store: the gate of --server has its own');
  if (config !== undefined)
    throw new UsageError(
      'either --config (the store itself) or --server (a running gate), not both',
    );
  const url = serverUrl(server);
  const token = process.env.SALLYPORT_TOKEN?.trim() ?? '';
  if (parseToken(token) === null)
    throw new UsageError(
      `--server needs the token of a service account in SALLYPORT_TOKEN${token === '' ? '' : '; what is there is none'}`,
    );
  // Loaded only here: most commands speak to a store.
  const { connectServer } = await import('../admin/remote/server-control.ts');
  const { control, close } = connectServer({
    url,
    token,
    ca: caFile === undefined ? null : caText(caFile),
  });
  return {
    control,
    actor: storeOwner(userName(), 'command-line'),
    config: null,
    close: async () => close(),
  };
}

function serverUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url?.protocol !== 'https:')
    throw new UsageError('--server is an https:// address, such as https://gate.example:9443');
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '')
    throw new UsageError('--server is an address without credentials, query and fragment');
  return url;
}

function caText(path: string): string {
  // What holds no certificate would only make every server look like a stranger.
  readCertificates(path);
  return readFileSync(path, 'utf8');
}

/** Opens what the options name, does the work, and closes it again whatever happens. */
export async function withReach<T>(
  options: StoreOptions & AskedOptions,
  purpose: Purpose,
  work: (reached: Reached) => Promise<T>,
): Promise<T> {
  const reached = await reach(options, purpose);
  try {
    const held = options.withoutApproval === true ? unapproved(reached) : reached;
    return await work(await looking(held, options));
  } finally {
    await reached.close();
  }
}

/** Loaded only where somebody wants to see first what would be done. */
async function looking(reached: Reached, options: StoreOptions & AskedOptions): Promise<Reached> {
  const isShown = options.dryRun === true || options.replay !== undefined;
  if (!isShown && (options.yes === true || !canAsk())) return reached;
  const { previewed } = await import('./preview.ts');
  return previewed(reached, options);
}

/** Every operation is told that it needs no approval; those that need none take no notice. */
function unapproved(reached: Reached): Reached {
  const { control } = reached;
  const administration = administrationOf(
    (name) => (actor, input) =>
      control.administration[name](actor, {
        ...(input as object),
        [WITHOUT_APPROVAL]: true,
      } as never),
  );
  return { ...reached, control: { ...control, administration } };
}

function routesOf(file: string): Config['routes'] {
  const { routes } = loadChecked(file).config;
  if (routes.length === 0) throw new UsageError(`${file} has no routes`);
  return routes;
}

function configurationOf(options: StoreOptions): Config {
  if (options.config !== undefined) return loadChecked(options.config).config;
  if (existsSync(DEV_CONFIG)) return loadChecked(DEV_CONFIG).config;
  if (existsSync(join(DEV_DATA_DIR, EMBEDDED_FILES.registry)))
    return parseConfig('store: { kind: embedded }\n', 'sallyport.yaml').config;
  throw new UsageError(
    `which store? There is no ./${DEV_DATA_DIR} here: name a configuration file with --config`,
  );
}

/** For the audit: who used the rights of the store. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    // A container may run under a number that has no name.
    return `uid-${process.getuid?.() ?? 'unknown'}`;
  }
}

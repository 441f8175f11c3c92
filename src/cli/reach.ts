import { readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { storeOwner } from '../admin/actor.ts';
import { administrationOf } from '../admin/administration.ts';
import { approvalsOf } from '../admin/approvals/configured.ts';
import { createControl } from '../admin/control.ts';
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
import { type Place, placeOf, placeWords } from './place/place.ts';
import { serverUrl } from './place/server-url.ts';
import { turningFor } from './progress.ts';
import type { AskedOptions, Reached, StoreOptions } from './reached.ts';
import { canAsk, note } from './terminal.ts';

export type { Reached, StoreOptions };

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
  const place = placeOf(options);
  if (place.server !== null) return reachServer(options, place);
  const config = configurationOf(place.config);
  const routes = options.routes === undefined ? config.routes : routesOf(options.routes);
  const actor = storeOwner(userName(), 'command-line');
  if (config.store.kind === 'embedded') {
    const owner = await connectOwner(config.instance.dataDir);
    if (owner !== null) {
      if (options.routes !== undefined) {
        owner.close();
        throw new UsageError('--routes is for a store: the gate that is running has its own');
      }
      const close = async () => owner.close();
      return { control: owner.control, actor, config, place, token: null, close };
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
  return { control, actor, config, place, token: null, close: () => stores.close() };
}

/** What is sent to a webhook from here goes by this machine's network. */
function deskOf(config: Config): WebhookDesk {
  return createDesk({
    hooks: () => hooksOf(config),
    senderOf: (hook) => new Sender(hook, systemNames.lookup, packageVersion()),
    clock: systemClock,
  });
}

async function reachServer(
  { routes }: StoreOptions,
  place: Extract<Place, { readonly server: string }>,
): Promise<Reached> {
  if (routes !== undefined)
    throw new UsageError('--routes is for a store: the gate of --server has its own');
  const url = serverUrl(place.server);
  const token = place.token.read();
  // Loaded only here: most commands speak to a store.
  const { connectServer } = await import('../admin/remote/server-control.ts');
  const ca = place.caFile === null ? null : caText(place.caFile);
  const { control, close } = connectServer({ url, token, ca });
  const actor = storeOwner(userName(), 'command-line');
  return { control, actor, config: null, place, token, close: async () => close() };
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
  const done = async () => {
    const reached = await reach(options, purpose);
    try {
      const held = options.withoutApproval === true ? unapproved(reached) : reached;
      return await work(await looking(held, options));
    } finally {
      await reached.close();
    }
  };
  const words = `asking ${placeWords(placeOf(options))}`;
  return options.follow === true ? done() : turningFor(words, done);
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

/** Null: a data folder without a configuration. */
function configurationOf(file: string | null): Config {
  return file === null
    ? parseConfig('store: { kind: embedded }\n', 'sallyport.yaml').config
    : loadChecked(file).config;
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

import { identityRolesIn } from '../admin/advice/identity-roles.ts';
import { approvalsOf } from '../admin/approvals/configured.ts';
import { createControl } from '../admin/control.ts';
import { connectOwner } from '../admin/owner-client.ts';
import { openStores } from '../admin/stores.ts';
import { systemClock } from '../clock.ts';
import { parseConfig } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import { systemNames } from '../names/system.ts';
import { createDesk, type WebhookDesk } from '../webhooks/desk.ts';
import { hooksOf } from '../webhooks/hooks.ts';
import { Sender } from '../webhooks/sender.ts';
import { UsageError } from './exit.ts';
import { loadChecked } from './load.ts';
import type { Store } from './place/place.ts';
import type { Purpose, Reached, StoreOptions } from './reached.ts';
import { note } from './terminal.ts';
import { version } from './version.ts';
import { whoRuns } from './who-runs.ts';

/** The running owner of an embedded store if there is one, else the store itself. */
export async function reachStore(
  options: StoreOptions,
  place: Store,
  purpose: Purpose,
): Promise<Reached> {
  const config = configurationOf(place.config);
  const gate = options.routes === undefined ? config : gateOf(options.routes);
  const actor = whoRuns();
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
  // An embedded store has one gate, and a file with routes is its.
  const isOnlyGate = config.store.kind === 'embedded' && gate.routes.length > 0;
  const control = createControl({
    ...stores,
    clock: systemClock,
    instance: null,
    // A file for administration has none, and says nothing about calls.
    routes: () => gate.routes,
    webhooks: deskOf(config),
    approvals: approvalsOf(() => config),
    identityRoles: () => identityRolesIn([config, gate], isOnlyGate),
  });
  return { control, actor, config, place, token: null, close: () => stores.close() };
}

/** What is sent to a webhook from here goes by this machine's network. */
function deskOf(config: Config): WebhookDesk {
  return createDesk({
    hooks: () => hooksOf(config),
    senderOf: (hook) => new Sender(hook, systemNames.lookup, version()),
    clock: systemClock,
  });
}

function gateOf(file: string): Config {
  const { config } = loadChecked(file);
  if (config.routes.length === 0) throw new UsageError(`${file} has no routes`);
  return config;
}

/** Null: a data folder without a configuration. */
function configurationOf(file: string | null): Config {
  return file === null
    ? parseConfig('store: { kind: embedded }\n', 'sallyport.yaml').config
    : loadChecked(file).config;
}

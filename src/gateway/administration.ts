import { identityRolesIn } from '../admin/advice/identity-roles.ts';
import { approvalsOf } from '../admin/approvals/configured.ts';
import type { AdminContext } from '../admin/context.ts';
import { type Control, createControl } from '../admin/control.ts';
import { type OwnerSocket, openOwnerSocket } from '../admin/owner-socket.ts';
import type { IdentityProvider } from '../console/identity/provider.ts';
import type { RegistryStore } from '../registry/port.ts';
import type { Replica } from '../registry/replica/replica.ts';
import type { UsageReader } from '../stats/usage/port.ts';
import type { AccessLog } from '../telemetry/access/log.ts';
import type { GatewayAdmin } from './admin.ts';
import type { PendingSecret } from './checks.ts';
import { type GateContext, own, type PrepareReload } from './context.ts';
import type { GateCore } from './core.ts';
import type { ManagedStores } from './stores/port.ts';
import { openWebhooks } from './webhooks.ts';

/** All by which a gate is administered. */
export interface GateAdministration {
  readonly control: Control;
  /** Null: the store is not this process's alone. */
  readonly socket: OwnerSocket | null;
  /** Null: there is no `listen.admin`. */
  readonly listener: GatewayAdmin | null;
  readonly prepareReload: PrepareReload;
}

export interface AdministrationParts {
  /** Gets the secret at the identity provider, where there is one. */
  readonly pending: PendingSecret[];
  readonly accessLog: AccessLog | null;
  /** Who calls. */
  readonly usage: UsageReader;
}

/**
 * Opens what administers the registry; null: this process has no right to change it. Throws
 * `StoreInUse`, `SocketPathTooLong`, `ListenFault`, `CertificateFault`.
 */
export async function openAdministration(
  gate: GateContext,
  core: GateCore,
  parts: AdministrationParts,
): Promise<GateAdministration | null> {
  const { stores, registry } = core;
  const { managed } = stores;
  if (managed === null) return null;
  const ending = new AbortController();
  gate.owned.defer(async () => ending.abort());
  const webhooks = openWebhooks(gate, managed, core.records);
  const control = createControl({
    webhooks: webhooks.desk,
    ...adminContext(gate, registry.replica, managed.store),
    usage: parts.usage,
    underWay: (accounts) => registry.openCalls.countsOf(accounts),
    // Whose store is not its alone may have gates beside it that people sign in at.
    identityRoles: () => identityRolesIn([gate.state.config], stores.isOwner),
    served: stores.served,
    audit: managed.audit,
    routes: () => gate.state.config.routes,
    published: stores.published,
    ending: ending.signal,
    onFault: (error) => gate.log.error('the record of calls could not be verified', { error }),
  });
  const socket = stores.isOwner ? await openSocket(gate, control) : null;
  const opened = await openListener(gate, core, managed, control, parts);
  const prepareReload: PrepareReload = (next) => {
    const ready = [opened.prepareReload(next), webhooks.prepareReload(next)];
    return () => {
      for (const replace of ready) replace();
    };
  };
  return { control, socket, listener: opened.listener, prepareReload };
}

/** What changes of the registry are made with. */
export function adminContext(
  { clock, instance, metrics, state }: GateContext,
  replica: Replica,
  store: RegistryStore,
): AdminContext {
  return {
    store,
    clock,
    instance,
    known: (account) => replica.known(account),
    approvals: approvalsOf(() => state.config),
    onRevoked: (durationMs) => metrics.revocation(durationMs),
  };
}

async function openSocket(gate: GateContext, control: Control): Promise<OwnerSocket> {
  const { log, state } = gate;
  const socket = await openOwnerSocket({
    dataDir: state.config.instance.dataDir,
    control,
    onFault: (error) => log.error('a request of the command line failed', { error }),
  });
  return own(gate, socket);
}

/**
 * Loaded only where there is an admin listener: a gate without one starts a quarter sooner for it.
 */
async function openListener(
  gate: GateContext,
  { stores, registry, records, decision, assertions }: GateCore,
  managed: ManagedStores,
  control: Control,
  { pending, accessLog }: AdministrationParts,
): Promise<Pick<GateAdministration, 'listener' | 'prepareReload'>> {
  const { admin } = gate.state.config.listen;
  if (admin === null) return { listener: null, prepareReload: () => () => undefined };
  const { openIdentity, createSite } = await import('./console.ts');
  const { openAdmin } = await import('./admin.ts');
  const provider = openIdentity(gate);
  pending.push(() => pendingOf(provider));
  const { stats } = stores;
  const { lookups } = decision;
  const site = createSite(gate, { control, managed, stats, outbox: records.outbox, provider });
  const listener = await openAdmin(gate, admin.address, {
    control,
    managed,
    registry,
    lookups,
    records,
    assertions,
    site,
    accessLog,
  });
  return {
    listener,
    prepareReload: (next) => {
      const renew = listener.prepareReload(next);
      return () => {
        renew();
        if (next.identity !== null) provider?.changeSecret(next.identity);
      };
    },
  };
}

function pendingOf(provider: IdentityProvider | null): string | null {
  const why = provider?.pendingSecret ?? null;
  return why === null ? null : `identity.clientSecret: not taken over (${why})`;
}

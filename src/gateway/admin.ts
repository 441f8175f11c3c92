import { FoundTokens } from '../admin/api/found-tokens.ts';
import { ApiGuard } from '../admin/api/guard.ts';
import { IdempotencyKeys } from '../admin/api/idempotency.ts';
import { AdminRecorder } from '../admin/api/recorder.ts';
import type { ApiParts } from '../admin/api/requests.ts';
import { OpenStreams } from '../admin/api/streams.ts';
import type { Control } from '../admin/control.ts';
import { type AdminServer, createAdminApp, startAdminServer } from '../admin/server.ts';
import type { Config } from '../config/schema.ts';
import type { Console } from '../console/console.ts';
import type { GuessThrottle } from '../limits/guess-throttle.ts';
import { MemberKeeper } from '../registry/receipts/member-keeper.ts';
import type { AccessLog } from '../telemetry/access/log.ts';
import { packageVersion } from '../telemetry/metrics.ts';
import { ServerCertificates } from '../tls/server-certificates.ts';
import type { GateAssertions } from './assertions.ts';
import { type GateContext, own, type PrepareReload } from './context.ts';
import { ListUpkeep } from './lists.ts';
import { addressLimitOf } from './places.ts';
import type { Records } from './records.ts';
import type { GateRegistry } from './registry.ts';
import type { ManagedStores } from './stores/port.ts';

/** The admin listener of a gate. */
export interface GatewayAdmin {
  readonly address: AdminServer['address'];
  readonly certificates: ServerCertificates;
  /** Takes over certificates and realm. */
  readonly prepareReload: PrepareReload;
  /** From now on every response says that it is the last one on its connection. */
  announceEnd(): void;
  /** Ends streams and stops listening; requests under way have `deadlineMs` to finish. */
  drain(deadlineMs: number): Promise<void>;
}

export interface GatewayAdminParts {
  readonly control: Control;
  readonly managed: ManagedStores;
  readonly registry: GateRegistry;
  readonly lookups: GuessThrottle;
  readonly records: Records;
  readonly assertions: GateAssertions;
  /** The console; null = the API alone. */
  readonly site: Console | null;
  readonly accessLog: AccessLog | null;
}

/** Opens `listen.admin`. Throws `ListenFault`, `CertificateFault`. */
export async function openAdmin(
  gate: GateContext,
  address: AdminServer['address'],
  parts: GatewayAdminParts,
): Promise<GatewayAdmin> {
  const { clock, log, metrics, owned, state } = gate;
  const tls = tlsOf(state.config);
  const certificates = new ServerCertificates(tls.certificates, () => clock.wallMs(), tls);
  const api = createApiParts(gate, parts);
  const { realm, recorder, streams } = api;
  // The console's pages know more of a request than the API does; the listener gives both the same.
  const app = createAdminApp(api, parts.site as Parameters<typeof createAdminApp>[1]);
  const server = await startAdminServer({
    address,
    certificates,
    app,
    places: addressLimitOf(() => state.config),
    reached: (limit) => metrics.limits.count(limit),
    recordedAddress: gate.addresses.recorded,
    recorder,
    realm,
    log,
  });
  const drain = async (deadlineMs: number) => {
    streams.close();
    await server.close(deadlineMs);
  };
  // After a drain nothing is left of it.
  owned.defer(() => drain(0));
  // A caller who may no longer follow the activity loses the stream with the change that says so.
  parts.registry.changed.add(() => streams.judge());
  keepRegistry(gate, parts.managed);
  return {
    address: server.address,
    certificates,
    prepareReload: (next) => {
      const files = tlsOf(next);
      return certificates.prepare(files.certificates, files);
    },
    announceEnd: () => server.announceEnd(),
    drain,
  };
}

function createApiParts(
  { addresses, clock, instance, log, nextRequestId, state }: GateContext,
  { control, managed, registry, lookups, records, assertions, accessLog }: GatewayAdminParts,
): ApiParts {
  const { audit, listen } = state.config;
  return {
    control,
    guard: new ApiGuard({ view: registry.replica, lookups, clock }),
    recorder: new AdminRecorder({
      outbox: records.outbox,
      floods: records.adminFloods,
      honey: records.honey,
      instance,
      clock,
      guarantee: audit.guarantee,
      nextRequestId,
      recordedAddress: addresses.recorded,
      accessLog,
    }),
    streams: new OpenStreams(),
    idempotency: new IdempotencyKeys(clock),
    found: listen.admin?.foundTokens === true ? new FoundTokens(control, managed.tries) : null,
    used: (account, token, address) =>
      registry.uses.note(account, token, clock.wallMs(), addresses.recorded(address) ?? '-'),
    realm: () => state.config.realm,
    version: packageVersion(),
    keySet: assertions.keySet,
    log,
  };
}

/** What an instance that may write the registry does for it in the background. */
function keepRegistry(gate: GateContext, { store }: ManagedStores): void {
  const { clock, log } = gate;
  const members = own(
    gate,
    new MemberKeeper(store, clock, (error) =>
      log.error('the list of instances could not be kept', { error }),
    ),
  );
  members.start();
  own(gate, new ListUpkeep(store, clock, log));
}

/**
 * Its own certificates, else the gate's. Which clients may come is asked only where it is said for
 * this listener.
 */
function tlsOf({ listen: { admin, proxy } }: Config) {
  if (admin?.tls != null) return admin.tls;
  if (proxy?.tls == null) throw new TypeError('the admin listener has no certificates');
  return { certificates: proxy.tls.certificates, clientCaFile: null };
}

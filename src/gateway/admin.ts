import { setTimeout as sleep } from 'node:timers/promises';
import { FoundTokens } from '../admin/api/found-tokens.ts';
import { ApiGuard } from '../admin/api/guard.ts';
import { IdempotencyKeys } from '../admin/api/idempotency.ts';
import { AdminRecorder } from '../admin/api/recorder.ts';
import type { ApiParts } from '../admin/api/requests.ts';
import { OpenStreams } from '../admin/api/streams.ts';
import type { Control } from '../admin/control.ts';
import { type AdminServer, createAdminApp, startAdminServer } from '../admin/server.ts';
import type { FloodFold } from '../audit/floods/flood.ts';
import type { Outbox } from '../audit/port.ts';
import type { LastUses } from '../calls/last-uses.ts';
import type { Clock } from '../clock.ts';
import type { Config } from '../config/schema.ts';
import type { Console } from '../console/console.ts';
import type { GuessThrottle } from '../limits/guess-throttle.ts';
import type { AddressLimit } from '../limits/places.ts';
import type { TryStore } from '../limits/tries-port.ts';
import type { PlaceCount } from '../ops/places.ts';
import type { CheckResult } from '../ops/readiness.ts';
import { type RegistryStore, RegistryUnavailable } from '../registry/port.ts';
import { MemberKeeper } from '../registry/receipts/member-keeper.ts';
import type { Replica } from '../registry/replica/replica.ts';
import type { Log } from '../telemetry/log.ts';
import { packageVersion } from '../telemetry/metrics.ts';
import { ServerCertificates } from '../tls/server-certificates.ts';
import { ListUpkeep } from './lists.ts';

export interface GatewayAdminParts {
  readonly config: Config;
  readonly control: Control;
  readonly store: RegistryStore;
  readonly tries: TryStore;
  readonly replica: Replica;
  readonly lookups: GuessThrottle;
  readonly outbox: Outbox;
  readonly floods: FloodFold;
  readonly uses: LastUses;
  readonly places: AddressLimit;
  readonly reached: PlaceCount;
  readonly instance: string;
  readonly clock: Clock;
  readonly nextRequestId: () => string;
  readonly log: Log;
  /** The console; null = the API alone. */
  readonly site: Console | null;
}

/** The admin listener of a gate. */
export interface GatewayAdmin {
  readonly address: AdminServer['address'];
  readonly certificates: ServerCertificates;
  /**
   * The registry has changed: whoever may no longer follow a log is cut off before this returns.
   */
  changed(): void;
  /** For readiness: a warning when this process may not change the registry. */
  result(): CheckResult;
  /**
   * Reads certificates for a reload. Throws `CertificateFault`. What it answers takes them over,
   * and the realm.
   */
  prepareReload(config: Config): () => void;
  /** From now on every answer says that it is the last one on its connection. */
  announceEnd(): void;
  close(deadlineMs: number): Promise<void>;
}

/** Opens `listen.admin`. Throws `ListenFault`, `CertificateFault`. */
export async function openAdmin(parts: GatewayAdminParts): Promise<GatewayAdmin> {
  const {
    config,
    control,
    replica,
    lookups,
    outbox,
    floods,
    uses,
    instance,
    clock,
    nextRequestId,
    log,
  } = parts;
  const { admin } = config.listen;
  if (admin === null) throw new TypeError('there is no listen.admin');
  const tls = tlsOf(config);
  const certificates = new ServerCertificates(
    tls.certificates,
    () => clock.wallMs(),
    tls.clientCaFile,
  );
  let { realm } = config;
  const streams = new OpenStreams();
  const rights = new Rights(parts.store, log);
  const recorder = new AdminRecorder({
    outbox,
    floods,
    instance,
    clock,
    guarantee: config.audit.guarantee,
    nextRequestId,
  });
  const api: ApiParts = {
    control,
    guard: new ApiGuard({ view: replica, lookups, clock }),
    recorder,
    streams,
    idempotency: new IdempotencyKeys(clock),
    found: admin.foundTokens ? new FoundTokens(control, parts.tries) : null,
    used: (account, token, address) => uses.note(account, token, clock.wallMs(), address),
    realm: () => realm,
    version: packageVersion(),
    log,
  };
  // The console's pages know more of a request than the API does; the listener gives both the same.
  const app = createAdminApp(api, parts.site as Parameters<typeof createAdminApp>[1]);
  const { places, reached } = parts;
  const server = await startAdminServer({
    address: admin.address,
    certificates,
    app,
    places,
    reached,
    recorder,
    realm: () => realm,
    log,
  });
  rights.start();
  const members = new MemberKeeper(parts.store, clock, (error) =>
    log.error('the list of instances could not be kept', { error }),
  );
  members.start();
  const lists = new ListUpkeep(parts.store, clock, log);
  return {
    address: server.address,
    certificates,
    changed: () => streams.judge(),
    result: () => rights.result(),
    prepareReload: (next) => {
      const { certificates: files, clientCaFile } = tlsOf(next);
      const takeOver = certificates.prepare(files, clientCaFile);
      return () => {
        takeOver();
        realm = next.realm;
      };
    },
    announceEnd: () => server.announceEnd(),
    close: async (deadlineMs) => {
      streams.close();
      await rights.close();
      await members.close();
      await lists.close();
      await server.close(deadlineMs);
    },
  };
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

const RETRY_MS = 2_000;

/** Finds out, in the background, whether this process may change the registry. */
class Rights {
  readonly #store: RegistryStore;
  readonly #log: Log;
  readonly #closed = new AbortController();
  #running: Promise<void> | null = null;
  #why: string | null = null;

  constructor(store: RegistryStore, log: Log) {
    this.#store = store;
    this.#log = log;
  }

  start(): void {
    this.#running = this.#find();
  }

  result(): CheckResult {
    return this.#why === null ? { state: 'ok' } : { state: 'warning', why: this.#why };
  }

  async close(): Promise<void> {
    this.#closed.abort();
    await this.#running;
  }

  async #find(): Promise<void> {
    while (!this.#closed.signal.aborted) {
      try {
        await this.#store.assertWritable();
        return;
      } catch (error) {
        if (error instanceof RegistryUnavailable && error.why === 'forbidden') {
          this.#why =
            'listen.admin can change nothing: the store user has no right to write the registry (use the user manager)';
          this.#log.error(this.#why);
          return;
        }
        if (!(error instanceof RegistryUnavailable)) throw error;
        // The registry's own check says that the store is away.
        await sleep(RETRY_MS, undefined, { signal: this.#closed.signal }).catch(() => {});
      }
    }
  }
}

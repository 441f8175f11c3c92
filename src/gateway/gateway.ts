import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AdminContext } from '../admin/context.ts';
import { type Control, createControl } from '../admin/control.ts';
import { type OwnerSocket, openOwnerSocket } from '../admin/owner-socket.ts';
import { createEventWriter } from '../audit/event/call-event.ts';
import { LastUses } from '../calls/last-uses.ts';
import { OpenCalls } from '../calls/open-calls.ts';
import type { CallServices } from '../calls/port.ts';
import type { RenewToken } from '../calls/renewal.ts';
import { type Clock, systemClock } from '../clock.ts';
import { takeOver } from '../config/change.ts';
import { prepareDataDir } from '../config/data-dir.ts';
import type { Config } from '../config/schema.ts';
import type { IdentityProvider } from '../console/identity/provider.ts';
import { Deadlines } from '../deadlines.ts';
import { createDecider, type Decider } from '../decision/decide.ts';
import { createRouteTable } from '../decision/route-table.ts';
import { Http1Listener } from '../doors/listener.ts';
import { TrustedProxies } from '../http/client-address.ts';
import { createRequestIds } from '../http/request-id.ts';
import { BodyBudget } from '../limits/body-budget.ts';
import type { AddressLimit } from '../limits/places.ts';
import { tellFull } from '../ops/places.ts';
import { assessReadiness, type Check, type Readiness } from '../ops/readiness.ts';
import { type OpsServer, startOps } from '../ops/server.ts';
import type { RegistryStore } from '../registry/port.ts';
import type { Replica } from '../registry/replica/replica.ts';
import type { RevokedKeeper } from '../registry/revoked/keeper.ts';
import { StatsRecorder } from '../stats/recorder.ts';
import type { Log } from '../telemetry/log.ts';
import { createMetrics, type Metrics } from '../telemetry/metrics.ts';
import { ServerCertificates } from '../tls/server-certificates.ts';
import { type TicketKeys, TicketRotation } from '../tls/ticket-keys.ts';
import { turn } from '../turns.ts';
import type { GatewayAdmin } from './admin.ts';
import { createCallMeter } from './call-meter.ts';
import { checksOf } from './checks.ts';
import { Descriptors, descriptorLimit } from './descriptors.ts';
import { type GatewayLimits, openLimits } from './limits.ts';
import { addressLimitOf, partOf, prefacesOf } from './places.ts';
import { openRecords, type Records } from './records.ts';
import { renewalsBy, renewsTokens } from './renewals.ts';
import { openReplica } from './replica.ts';
import { keepRevoked } from './revoked.ts';
import { type GatewayStores, openGatewayStores } from './stores.ts';
import { UpstreamSet } from './upstream-set.ts';
import { addressUses } from './upstreams.ts';
import { openWarmStart, type WarmStart } from './warm.ts';

export interface GatewayAddresses {
  readonly proxy: { readonly host: string; readonly port: number; readonly secure: boolean } | null;
  readonly admin: { readonly host: string; readonly port: number } | null;
  readonly ops: { readonly host: string; readonly port: number } | null;
}

/** A running gate. */
export interface Gateway {
  readonly instance: string;
  readonly addresses: GatewayAddresses;
  /**
   * Administration; null with Redis and without an admin listener, where this process holds no
   * right to change the registry.
   */
  readonly control: Control | null;
  readonly metrics: Metrics;
  readonly ready: boolean;
  /** What `/readyz` says. */
  readonly readiness: Readiness;
  /** What takes longest of a reload, ahead of it, in turns of the loop of its own. */
  prepareReload(config: Config): Promise<void>;
  /**
   * Takes over what a running gate can take over: routes, upstreams, limits, certificates. Throws,
   * and changes nothing, when something does not fit.
   */
  reload(config: Config): void;
  /** Shown in readiness until the next reload succeeds. */
  reloadRefused(why: string): void;
  /** Seals TLS session tickets with other keys from now on. */
  setTicketKeys(keys: TicketKeys): void;
  /**
   * Drains in steps: not ready; then every answer closes its connection, for `instance.lameDuckMs`;
   * then no new connections, and requests in flight finish within `instance.drainMs`; records are
   * written out.
   */
  close(options?: CloseOptions): Promise<void>;
}

export interface CloseOptions {
  /** False: somebody waits at a terminal, and the step of `instance.lameDuckMs` is left out. */
  readonly lameDuck?: boolean;
}

export interface GatewayOptions {
  readonly log: Log;
  readonly clock?: Clock;
  /**
   * Of a worker: what it shares with the others, its port among them. Default: both are its own.
   */
  readonly shared?: { readonly ticketKeys: TicketKeys } | null;
}

/**
 * The name that `Via` and `Proxy-Status` give this gate. Not the instance's: that would tell
 * outsiders about the inside.
 */
const GATE = 'sallyport';
/** How often calls under way are looked at for what time alone has ended. */
const SWEEP_INTERVAL_MS = 1000;
/** How long requests to the admin API may go on once the gate closes. */
const ADMIN_CLOSE_MS = 2000;
/** The memory of all bodies by which is decided, in each process. */
const HELD_BODIES_BYTES = 64 * 1024 * 1024;
/** How long the last records may take to be written out. */
const FLUSH_MS = 5000;

const NO_CLIENTS = { arriving: 0, idle: 0, active: 0 } as const;

/**
 * The one composition root: knows every concrete class, and owns and closes every resource.
 *
 * Resolves as soon as the ports are open, whether or not the store is there: until the first lease
 * every call gets 503 and `/readyz` says why.
 */
export async function startGateway(config: Config, options: GatewayOptions): Promise<Gateway> {
  const parts = new GatewayParts(config, options);
  try {
    await parts.start();
  } catch (error) {
    await parts.close({ lameDuck: false });
    throw error;
  }
  return parts;
}

class GatewayParts implements Gateway {
  readonly instance: string;
  readonly metrics: Metrics = createMetrics();
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #deadlines = new Deadlines();
  readonly #descriptors: Descriptors;
  readonly #nextRequestId = createRequestIds();
  readonly #heldBodies = new BodyBudget(HELD_BODIES_BYTES, () => this.#config.limits.accountShare);
  /** On every listener; of a port that workers share, each has a part. */
  readonly #places: AddressLimit;
  #config: Config;
  #stores: GatewayStores | null = null;
  #records: Records | null = null;
  #replica: Replica | null = null;
  #warm: WarmStart | null = null;
  #revoked: RevokedKeeper | null = null;
  #openCalls: OpenCalls | null = null;
  #uses: LastUses | null = null;
  #sweeper: NodeJS.Timeout | null = null;
  #decider: Decider | null = null;
  #limits: GatewayLimits | null = null;
  readonly #upstreams: UpstreamSet;
  #renewToken: RenewToken | null = null;
  #certificates: ServerCertificates | null = null;
  readonly #sharesPort: boolean;
  #givenTicketKeys: TicketKeys | null;
  #ticketRotation: TicketRotation | null = null;
  #listener: Http1Listener | null = null;
  #ops: OpsServer | null = null;
  #socket: OwnerSocket | null = null;
  #control: Control | null = null;
  #admin: GatewayAdmin | null = null;
  #identity: IdentityProvider | null = null;
  #recorder: StatsRecorder | null = null;
  #proxyPort = 0;
  #draining = false;
  #reloadFault: string | null = null;
  #closing: Promise<void> | null = null;

  constructor(config: Config, { log, clock = systemClock, shared = null }: GatewayOptions) {
    this.#sharesPort = shared !== null;
    this.#givenTicketKeys = shared?.ticketKeys ?? null;
    this.#config = config;
    this.#places = addressLimitOf(() => this.#config);
    this.#clock = clock;
    this.instance = `${config.instance.name}-${randomBytes(4).toString('hex')}`;
    this.#log = log.with({ instance: this.instance });
    this.#descriptors = new Descriptors({
      config,
      limit: descriptorLimit(),
      clients: () => this.#listener?.taken ?? 0,
      count: (limit) => this.metrics.limits.count(limit),
      log: this.#log,
    });
    this.#upstreams = new UpstreamSet(() => clock.wallMs(), {
      deadlines: this.#deadlines,
      budget: this.#descriptors.budget,
      log: this.#log,
    });
  }

  get control(): Control | null {
    return this.#control;
  }

  get ready(): boolean {
    return (
      !this.#draining && this.#replica?.current === true && this.#records?.outbox.healthy === true
    );
  }

  get readiness(): Readiness {
    return assessReadiness(this.#checks());
  }

  get addresses(): GatewayAddresses {
    const proxy = this.#config.listen.proxy;
    return {
      proxy:
        proxy === null || this.#listener === null
          ? null
          : { host: proxy.address.host, port: this.#proxyPort, secure: proxy.tls !== null },
      admin: this.#admin?.address ?? null,
      ops: this.#ops?.address ?? null,
    };
  }

  async start(): Promise<void> {
    const config = this.#config;
    for (const note of prepareDataDir(config.instance.dataDir)) this.#log.warn(note);
    const activityLost = (count: number) => this.metrics.audit.count('activity_lost', count);
    this.#stores = await openGatewayStores(config, this.#clock, activityLost, this.#log);
    this.#records = openRecords({
      store: this.#stores.log,
      instance: this.instance,
      clock: this.#clock,
      metrics: this.metrics,
      log: this.#log,
      nextRequestId: this.#nextRequestId,
      foldRefusalsAfter: config.audit.foldRefusalsAfter,
      leaseMs: config.registry.leaseMs,
    });
    this.#warm = await openWarmStart(config, this.#clock, this.#log);
    const replica = openReplica({
      config,
      source: this.#stores.source,
      clock: this.#clock,
      instance: this.instance,
      warm: this.#warm.snapshot,
      log: this.#log,
      openCalls: () => this.#openCalls,
      changed: () => this.#admin?.changed(),
    });
    this.#replica = replica;
    this.#warm.keep(replica);
    this.#revoked = keepRevoked(config, this.#log, replica);
    const openCalls = new OpenCalls(replica, this.#clock, (nowMs) => replica.covers(nowMs));
    this.#openCalls = openCalls;
    this.#sweeper = setInterval(() => {
      openCalls.sweep();
      this.#descriptors.look();
    }, SWEEP_INTERVAL_MS);
    this.#sweeper.unref();
    this.#uses = new LastUses(this.#stores.source, (fault) =>
      this.#log.warn('the last uses of tokens could not be written', { error: fault }),
    );
    this.#upstreams.prepare(config)();
    this.#limits = openLimits({
      config,
      clock: this.#clock,
      view: replica,
      quotas: this.#stores.quotas,
      log: this.#log,
    });
    const { renewals } = this.#stores;
    if (renewals !== null) this.#renewToken = renewalsBy(this.#adminContext(renewals), this.#log);
    const { rates, lookups } = this.#limits;
    const { routes, limits } = config;
    this.#decider = createDecider({
      view: replica,
      routes,
      clock: this.#clock,
      limits,
      lookups,
      rates,
    });
    this.#connectMetrics(replica);
    this.#recorder = new StatsRecorder({
      store: this.#stores.stats,
      instance: this.instance,
      clock: this.#clock,
      totals: () => this.metrics.requests.totals(),
      onFault: (error) => this.#log.warn('what was counted could not be written', { error }),
    });
    if (config.listen.ops !== null) await this.#startOps(config.listen.ops.address);
    await replica.start();
    if (config.listen.proxy !== null) await this.#startListener(config.listen.proxy);
    const { owned, managed } = this.#stores;
    if (managed !== null) this.#control = this.#createControl(managed);
    if (owned !== null) await this.#serveOwner();
    if (managed !== null && config.listen.admin !== null) await this.#startAdmin(managed);
    this.#log.info('the gate is open', { ready: this.ready, ...this.addresses });
  }

  #connectMetrics(replica: Replica): void {
    const { leaseMs } = this.#config.registry;
    this.metrics.connect({
      lookups: () => {
        const { hit, miss, negative, unavailable } = replica.counts;
        return { hit, miss, absent: negative, unavailable };
      },
      registryLagSeconds: () => Math.max(0, leaseMs - replica.status().leaseRemainingMs) / 1000,
      leaseRemainingSeconds: () => replica.status().leaseRemainingMs / 1000,
      auditPending: () => this.#records?.outbox.pending ?? 0,
      auditSpoolBytes: () => 0,
      certificateExpirySeconds: () => this.#certificateExpirySeconds(),
      clientConnections: () => this.#listener?.counts() ?? NO_CLIENTS,
      upstreamConnections: () => this.#upstreams.connectionCounts(),
      upstreamAddresses: () => addressUses(this.#upstreams.upstreams),
    });
  }

  #certificateExpirySeconds(): number | null {
    const held = [this.#certificates, this.#admin?.certificates].flatMap(
      (one) => one?.certificates ?? [],
    );
    const expiries = held.map((certificate) => certificate.expiresAtMs / 1000);
    return expiries.length === 0 ? null : Math.min(...expiries);
  }

  async #startOps(address: { readonly host: string; readonly port: number }): Promise<void> {
    this.#ops = await startOps({
      address,
      places: this.#places,
      reached: (limit) => this.metrics.limits.count(limit),
      checks: this.#checks(),
      metrics: this.metrics,
      log: this.#log,
    });
  }

  #checks(): readonly Check[] {
    return checksOf({
      draining: () => this.#draining,
      registryWhy: () => this.#replica?.status().why ?? null,
      auditHealthy: () => this.#records?.outbox.healthy === true,
      auditProblem: () => this.#records?.problem ?? null,
      upstreams: () => this.#upstreams.upstreams,
      admin:
        this.#config.listen.admin === null ? null : () => this.#admin?.result() ?? { state: 'ok' },
      secrets: () => this.#secretsProblem(),
      reloadFault: () => this.#reloadFault,
    });
  }

  #secretsProblem(): string | null {
    const why = this.#identity?.pendingSecret ?? null;
    const identity = why === null ? [] : [`identity.clientSecret: not taken over (${why})`];
    const all = [...identity, this.#stores?.secrets?.problem ?? []].flat();
    return all.length === 0 ? null : all.join('; ');
  }

  async #startListener(proxy: NonNullable<Config['listen']['proxy']>): Promise<void> {
    const { address, tls } = proxy;
    if (tls === null)
      this.#log.warn('the gate listens on plain HTTP: tokens can be read on their way here', {
        address,
      });
    else
      this.#certificates = new ServerCertificates(
        tls.certificates,
        () => this.#clock.wallMs(),
        tls.clientCaFile,
      );
    const listener = new Http1Listener(
      {
        host: address.host,
        port: address.port,
        shared: this.#sharesPort,
        tls:
          this.#certificates === null
            ? null
            : { certificates: this.#certificates, ticketKeys: this.#ticketKeys() },
        maxConnections: () => this.#descriptors.clients,
        sendsPreface: prefacesOf(() => this.#config),
        full: tellFull(this.#log, 'listen.proxy', (limit) => this.metrics.limits.count(limit)),
        handshake: (result) => this.metrics.handshakes.count(result),
        halfOpen: () => this.metrics.limits.count('half_open'),
        ...partOf(this.#places, this.#sharesPort ? this.#config.instance.workers : 1),
      },
      this.#services(),
      this.#config.limits,
      this.#deadlines,
    );
    this.#listener = listener;
    this.#proxyPort = await listener.listen();
  }

  /** A worker's are its supervisor's; else they are our own. */
  #ticketKeys(): TicketKeys {
    if (this.#givenTicketKeys !== null) return this.#givenTicketKeys;
    this.#ticketRotation = new TicketRotation((keys) => this.#listener?.setTicketKeys(keys));
    return this.#ticketRotation.keys;
  }

  setTicketKeys(keys: TicketKeys): void {
    this.#givenTicketKeys = keys;
    this.#listener?.setTicketKeys(keys);
  }

  #services(): CallServices {
    const config = this.#config;
    return {
      decider: this.#decider!,
      outbox: this.#records!.outbox,
      events: createEventWriter(this.instance),
      floods: this.#records!.floods,
      meter: createCallMeter(this.metrics),
      openCalls: this.#openCalls!,
      uses: this.#uses!,
      upstreams: this.#upstreams.upstreams,
      renewToken: this.#renewToken,
      guarantee: config.audit.guarantee,
      bodyBytes: config.limits.bodyBytes,
      heldBodies: this.#heldBodies,
      traces: config.telemetry.traces,
      trustedProxies: new TrustedProxies(
        config.listen.proxy?.trustedProxies ?? [],
        config.listen.proxy?.clientAddressFrom,
      ),
      format: { errors: config.errors, realm: config.realm, gate: GATE },
      via: config.listen.proxy?.via === false ? '' : GATE,
      clock: this.#clock,
      log: this.#log,
      exhausted: (code) => this.#descriptors.exhausted(code),
      nextRequestId: this.#nextRequestId,
    };
  }

  #createControl(managed: NonNullable<GatewayStores['managed']>): Control {
    return createControl({
      ...this.#adminContext(managed.store),
      served: this.#stores!.served,
      audit: managed.audit,
      routes: () => this.#decider!.table,
    });
  }

  #adminContext(store: RegistryStore): AdminContext {
    return {
      store,
      clock: this.#clock,
      instance: this.instance,
      known: (account) => this.#replica?.known(account) ?? null,
      onRevoked: (durationMs) => this.metrics.revocation(durationMs),
    };
  }

  async #serveOwner(): Promise<void> {
    this.#socket = await openOwnerSocket({
      dataDir: this.#config.instance.dataDir,
      control: this.#control!,
      onFault: (error) => this.#log.error('a request of the command line failed', { error }),
    });
  }

  /**
   * Loaded only where there is an admin listener: a gate without one starts a quarter sooner for
   * it.
   */
  async #startAdmin({
    store,
    sessions,
    tries,
  }: NonNullable<GatewayStores['managed']>): Promise<void> {
    const { openConsole, openIdentity } = await import('./console.ts');
    const { openAdmin } = await import('./admin.ts');
    this.#identity = openIdentity(this.#config, this.#clock, this.#log);
    const site = openConsole({
      provider: this.#identity,
      config: this.#config,
      control: this.#control!,
      store,
      sessions,
      tries,
      stats: this.#stores!.stats,
      outbox: this.#records!.outbox,
      routes: () => this.#config.routes,
      instance: this.instance,
      clock: this.#clock,
      nextRequestId: this.#nextRequestId,
      log: this.#log,
    });
    this.#admin = await openAdmin({
      config: this.#config,
      control: this.#control!,
      store,
      tries,
      replica: this.#replica!,
      lookups: this.#limits!.lookups,
      outbox: this.#records!.outbox,
      floods: this.#records!.adminFloods,
      uses: this.#uses!,
      places: this.#places,
      reached: (limit) => this.metrics.limits.count(limit),
      instance: this.instance,
      clock: this.#clock,
      nextRequestId: this.#nextRequestId,
      log: this.#log,
      site,
    });
  }

  async prepareReload(given: Config): Promise<void> {
    await turn();
    createRouteTable(given.routes);
    await turn();
  }

  reload(given: Config): void {
    const next = takeOver(this.#config, given);
    if (renewsTokens(next) && this.#renewToken === null)
      throw new Error(
        'a route with action: renew-token counts only after a restart: this gate was started without the right to write the registry',
      );
    // Certificates are read before anything is replaced: a pair that does not fit stops the reload
    // as a whole.
    const tls = next.listen.proxy?.tls ?? null;
    const ready = [
      this.#upstreams.prepare(next),
      tls === null ? null : this.#certificates?.prepare(tls.certificates, tls.clientCaFile),
      this.#admin?.prepareReload(next),
      next.store.kind === 'redis' ? this.#stores?.secrets?.prepare(next.store) : null,
    ];
    for (const takesOver of ready) takesOver?.();
    this.#descriptors.replan(next);
    if (next.identity !== null) this.#identity?.changeSecret(next.identity);
    this.#decider!.setRoutes(next.routes);
    this.#decider!.setLimits(next.limits);
    this.#limits?.configure(next);
    this.#config = next;
    if (this.#listener !== null) {
      this.#listener.services = this.#services();
      this.#listener.limits = next.limits;
    }
    this.#reloadFault = null;
    this.metrics.reloads.count('applied');
    this.#log.info('the configuration was reloaded');
  }

  /**
   * Whoever asks `/readyz` needs time to hear of it, and a client with a kept connection an answer
   * that tells it: a connection that closed by itself could cross with its next request.
   */
  async #announceEnd(): Promise<void> {
    const { lameDuckMs } = this.#config.instance;
    if (lameDuckMs === 0 || (this.#listener === null && this.#admin === null)) return;
    this.#listener?.announceEnd();
    this.#admin?.announceEnd();
    this.#log.info('the gate is not ready any more, and still answers', { lameDuckMs });
    await sleep(lameDuckMs);
  }

  reloadRefused(why: string): void {
    this.#reloadFault = why;
    this.metrics.reloads.count('refused');
  }

  close({ lameDuck = true }: CloseOptions = {}): Promise<void> {
    this.#closing ??= this.#close(lameDuck);
    return this.#closing;
  }

  async #close(lameDuck: boolean): Promise<void> {
    this.#draining = true;
    if (lameDuck) await this.#announceEnd();
    this.#ticketRotation?.close();
    const cut = (await this.#listener?.drain(this.#config.instance.drainMs)) ?? 0;
    if (cut > 0)
      this.#log.warn('connections were cut off: their requests took longer than instance.drainMs', {
        connections: cut,
      });
    this.#identity?.close();
    await this.#admin?.close(ADMIN_CLOSE_MS);
    await this.#recorder?.close();
    await this.#socket?.close();
    const lost = (await this.#records?.close(FLUSH_MS)) ?? 0;
    if (lost > 0) this.#log.error('audit events could not be written out', { events: lost });
    this.#upstreams.close();
    this.#limits?.close();
    if (this.#sweeper !== null) clearInterval(this.#sweeper);
    await this.#uses?.close();
    await this.#warm?.close();
    await this.#revoked?.close();
    await this.#replica?.close();
    await this.#stores?.close();
    await this.#ops?.close(1000);
    this.#deadlines.close();
    this.#log.info('the gate is closed');
  }
}

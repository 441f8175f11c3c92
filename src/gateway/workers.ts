import { createServer } from 'node:net';
import { type Clock, systemClock } from '../clock.ts';
import { prepareDataDir } from '../config/data-dir.ts';
import { secretsIn } from '../config/handover.ts';
import type { LoadedConfig } from '../config/load.ts';
import { listen } from '../ops/listen.ts';
import { type Check, checkOf } from '../ops/readiness.ts';
import { type OpsServer, startOps } from '../ops/server.ts';
import {
  aggregatedText,
  aggregateSnapshots,
  countedIn,
  type MetricsSnapshot,
  TEXT_TYPE,
} from '../telemetry/aggregate.ts';
import type { Log } from '../telemetry/log.ts';
import { createWorkerMetrics } from '../telemetry/worker-metrics.ts';
import { TicketRotation } from '../tls/ticket-keys.ts';
import type { CloseOptions } from './gateway.ts';
import { addressLimitOf } from './places.ts';
import { WorkerSlot } from './workers-slot.ts';

/** Several gates on one port, each a process and an instance of its own, under one supervisor. */
export interface Workers {
  readonly ops: { readonly host: string; readonly port: number } | null;
  /** All take it over, or none. */
  reload(next: LoadedConfig): Promise<void>;
  reloadRefused(why: string): void;
  /** Drains all at once. */
  close(options?: CloseOptions): Promise<void>;
}

/** Above `instance.lameDuckMs` and `drainMs`: what a worker may need besides, for its last records. */
const CLOSE_MS = 15_000;
const SWEEP_MS = 1_000;
/** Below a scraper's usual patience of ten seconds. */
const METRICS_MS = 2_000;

/**
 * Opens `instance.workers` gates. Connections are dealt out by the system (SO_REUSEPORT), so the
 * supervisor stands in nobody's way: it starts workers anew when they die, hands out ticket keys
 * and configurations, and answers for all on one operations listener. Throws when one of them
 * cannot be opened now.
 */
export async function startWorkers(loaded: LoadedConfig, log: Log): Promise<Workers> {
  const supervisor = new Supervisor(loaded, log, systemClock);
  try {
    await supervisor.start();
  } catch (error) {
    await supervisor.close({ lameDuck: false });
    throw error;
  }
  return supervisor;
}

class Supervisor implements Workers {
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #slots: readonly WorkerSlot[];
  readonly #tickets: TicketRotation;
  readonly #metrics = createWorkerMetrics({
    deaths: () => this.#deaths,
    serving: () => this.#serving,
  });
  readonly #onExit = () => {
    for (const slot of this.#slots) slot.kill();
  };
  #loaded: LoadedConfig;
  #port: number | null = null;
  #ops: OpsServer | null = null;
  #sweeper: NodeJS.Timeout | null = null;
  #sweptMs: number;
  #deaths = 0;
  /** What workers that are no more have counted: a sum never falls. */
  #counted: MetricsSnapshot = [];
  #adding: Promise<void> = Promise.resolve();
  #reloadFault: string | null = null;
  #draining = false;
  #started = false;

  constructor(loaded: LoadedConfig, log: Log, clock: Clock) {
    this.#loaded = loaded;
    this.#log = log;
    this.#clock = clock;
    this.#sweptMs = clock.monotonicMs();
    this.#tickets = new TicketRotation((keys) => {
      for (const slot of this.#slots) slot.tell({ kind: 'ticket-keys', keys });
    });
    const options = {
      clock,
      died: (slot: WorkerSlot, how: string) => this.#onDeath(slot, how),
    };
    const optionsOf = (index: number) => ({
      ...options,
      start: () => {
        const { text, file } = this.#loaded;
        return {
          kind: 'start',
          text,
          file,
          port: this.#port,
          ticketKeys: this.#tickets.keys,
          admin: index === 0,
        } as const;
      },
    });
    const { workers } = loaded.config.instance;
    this.#slots = Array.from(
      { length: workers },
      (_, index) => new WorkerSlot(`worker-${index + 1}`, optionsOf(index)),
    );
  }

  get ops(): OpsServer['address'] | null {
    return this.#ops?.address ?? null;
  }

  async start(): Promise<void> {
    const { instance, listen: listeners } = this.#loaded.config;
    for (const note of prepareDataDir(instance.dataDir)) this.#log.warn(note);
    if (listeners.proxy !== null) this.#port = await findPort(listeners.proxy.address);
    // Whoever ends this process at once ends all.
    process.once('exit', this.#onExit);
    await Promise.all(this.#slots.map((slot) => slot.start()));
    this.#started = true;
    if (listeners.ops !== null) await this.#startOps(listeners.ops.address);
    this.#sweeper = setInterval(() => this.#sweep(), SWEEP_MS).unref();
    const proxy =
      listeners.proxy === null ? null : { host: listeners.proxy.address.host, port: this.#port };
    this.#log.info('the gate is open', { workers: this.#slots.length, proxy, ops: this.ops });
  }

  async #startOps(address: { readonly host: string; readonly port: number }): Promise<void> {
    const metrics = { contentType: TEXT_TYPE, text: () => this.#metricsText() };
    this.#ops = await startOps({
      address,
      places: addressLimitOf(() => this.#loaded.config),
      reached: (limit) => this.#metrics.limits.count(limit),
      checks: this.#checks(),
      metrics,
      log: this.#log,
    });
  }

  get #serving(): number {
    return this.#slots.filter((slot) => slot.trouble === null).length;
  }

  /**
   * Ready = at least one worker serves: a host that is taken out for one of its workers takes the
   * others with it. What ails a worker is shown as a warning.
   */
  #checks(): readonly Check[] {
    return [
      checkOf('draining', () => (this.#draining ? 'the gate is shutting down' : null)),
      checkOf('workers', () => (this.#serving > 0 ? null : 'no worker serves')),
      ...this.#slots.map(
        (slot): Check => ({ name: slot.name, result: () => warning(slot.trouble ?? slot.pending) }),
      ),
      { name: 'config', result: () => warning(this.#reloadFault) },
    ];
  }

  async #metricsText(): Promise<string> {
    await Promise.all(this.#slots.map((slot) => slot.refreshSnapshot(METRICS_MS)));
    const snapshots = this.#slots.map((slot) => slot.snapshot);
    return aggregatedText([...snapshots, this.#counted, await this.#metrics.snapshot()]);
  }

  #onDeath(slot: WorkerSlot, how: string): void {
    const counted = countedIn(slot.takeSnapshot());
    if (!this.#started) return;
    this.#deaths += 1;
    this.#log.error('a worker has ended and is started again', { worker: slot.name, how });
    // At once, so that no sum falls meanwhile.
    this.#counted = [...this.#counted, ...counted];
    this.#adding = this.#adding.then(() => this.#addUp());
  }

  /** One at a time: meanwhile there is only more at the end. */
  async #addUp(): Promise<void> {
    const all = this.#counted;
    try {
      const sum = await aggregateSnapshots([all]);
      this.#counted = [...sum, ...this.#counted.slice(all.length)];
    } catch (error) {
      this.#log.error('what workers have counted could not be added up', { error });
    }
  }

  #sweep(): void {
    const nowMs = this.#clock.monotonicMs();
    const slept = nowMs - this.#sweptMs > SWEEP_MS * 3;
    this.#sweptMs = nowMs;
    for (const slot of this.#slots) {
      if (slept) slot.forgiveSilence();
      else slot.endIfHung();
    }
  }

  async reload(next: LoadedConfig): Promise<void> {
    const before = this.#loaded;
    const open = this.#slots.filter((slot) => slot.open);
    // From now on for those that are started meanwhile, too.
    this.#loaded = next;
    const results = await Promise.allSettled(open.map((slot) => slot.ask(reloadTo(next))));
    const refusal = results.find((result) => result.status === 'rejected');
    if (refusal !== undefined) {
      this.#loaded = before;
      await Promise.allSettled(open.map((slot) => slot.ask(reloadTo(before))));
      throw refusal.reason;
    }
    this.#reloadFault = null;
  }

  reloadRefused(why: string): void {
    this.#reloadFault = why;
    for (const slot of this.#slots) slot.tell({ kind: 'reload-refused', why });
  }

  async close(options: CloseOptions = {}): Promise<void> {
    this.#draining = true;
    this.#tickets.close();
    const { lameDuckMs, drainMs } = this.#loaded.config.instance;
    const deadlineMs = lameDuckMs + drainMs + CLOSE_MS;
    await Promise.all(this.#slots.map((slot) => slot.stop(deadlineMs, options)));
    if (this.#sweeper !== null) clearInterval(this.#sweeper);
    process.off('exit', this.#onExit);
    await this.#ops?.close(1000);
    this.#log.info('all workers are closed');
  }
}

function reloadTo({ config }: LoadedConfig) {
  return { kind: 'reload', config, secrets: secretsIn(config) } as const;
}

function warning(why: string | null) {
  return why === null ? ({ state: 'ok' } as const) : ({ state: 'warning', why } as const);
}

/**
 * The port that all workers will share. Opened once by ourselves without sharing: a port that
 * another program has (also a gate that was started twice, whose workers would share theirs with
 * ours) is found out now, and port 0 becomes a number.
 */
async function findPort(address: {
  readonly host: string;
  readonly port: number;
}): Promise<number> {
  const probe = createServer();
  await listen(probe, address, 'listen.proxy');
  const { port } = probe.address() as { port: number };
  await new Promise<void>((resolve) => probe.close(() => resolve()));
  return port;
}

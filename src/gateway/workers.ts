import { createServer } from 'node:net';
import { type Clock, systemClock } from '../clock.ts';
import { prepareDataDir } from '../config/data-dir.ts';
import { secretsIn } from '../config/handover.ts';
import type { LoadedConfig } from '../config/load.ts';
import type { HostPort } from '../config/values.ts';
import { listen } from '../ops/listen.ts';
import type { Log } from '../telemetry/log.ts';
import { TicketRotation } from '../tls/ticket-keys.ts';
import { everySecond, own } from './context.ts';
import type { CloseOptions } from './gateway.ts';
import { FormerCounts } from './workers-counts.ts';
import { startWorkersOps } from './workers-ops.ts';
import type { SharedPorts } from './workers-protocol.ts';
import { WorkerSlot } from './workers-slot.ts';
import type { WorkersState } from './workers-state.ts';

/** Several gates on one port, each a process and an instance of its own, under one supervisor. */
export interface Workers {
  /** All take it over, or none. */
  reload(next: LoadedConfig): Promise<void>;
  reloadRefused(why: string): void;
  /** Each opens the file of its access log anew. */
  reopenLogs(): void;
  /** Drains all at once, and closes everything. A second call waits for the first one. */
  close(options?: CloseOptions): Promise<void>;
}

/**
 * Above `instance.lameDuckMs` and `drainMs`: what a worker may need besides, for its last records.
 */
const CLOSE_MS = 15_000;
const OPS_CLOSE_MS = 1_000;
/** When a second took so long, this process did not run. */
const SLEPT_MS = 3_000;

/**
 * Opens `instance.workers` gates. Connections are dealt out by the system (SO_REUSEPORT), so the
 * supervisor is on the way of no call: it starts workers anew when they end, hands out ticket keys
 * and configurations, and opens one operations listener for all. Throws when one of them
 * cannot be opened now; then what was opened is closed again.
 */
export async function startWorkers(loaded: LoadedConfig, log: Log): Promise<Workers> {
  const owned = new AsyncDisposableStack();
  try {
    return await openWorkers(loaded, log, owned);
  } catch (error) {
    await owned.disposeAsync().catch((fault: unknown) => {
      log.error('not all that was opened could be closed', { error: fault });
    });
    throw error;
  }
}

async function openWorkers(
  loaded: LoadedConfig,
  log: Log,
  owned: AsyncDisposableStack,
): Promise<Workers> {
  const state: WorkersState = {
    loaded,
    open: false,
    draining: false,
    reloadFault: null,
    deaths: 0,
    restarts: 0,
  };
  const { instance, listen: listeners } = loaded.config;
  for (const note of prepareDataDir(instance.dataDir)) log.warn(note);
  const { proxy, decision } = listeners;
  const ports = {
    proxy: proxy === null ? null : await findPort(proxy.address, 'listen.proxy'),
    decision: decision === null ? null : await findPort(decision.address, 'listen.decision'),
  };
  const former = new FormerCounts(log);
  const slots = openSlots(state, ports, former, log, owned);
  await Promise.all(slots.map((slot) => slot.start()));
  state.open = true;
  const ops =
    listeners.ops === null
      ? null
      : await startWorkersOps(listeners.ops.address, state, slots, former, log);
  owned.defer(async () => ops?.close(OPS_CLOSE_MS));
  watch(slots, systemClock, owned);
  log.info('the gate is open', {
    workers: slots.length,
    proxy: proxy === null ? null : { host: proxy.address.host, port: ports.proxy },
    decision: decision === null ? null : { host: decision.address.host, port: ports.decision },
    ops: ops?.address ?? null,
  });
  let closing: Promise<void> | null = null;
  return {
    reload: (next) => reload(state, slots, next),
    reloadRefused(why) {
      state.reloadFault = why;
      for (const slot of slots) slot.tell({ kind: 'reload-refused', why });
    },
    reopenLogs() {
      for (const slot of slots) slot.tell({ kind: 'reopen-logs' });
    },
    close(options = {}) {
      closing ??= close(state, slots, owned, log, options);
      return closing;
    },
  };
}

/** The places of the workers, none of them started yet. Closing `owned` stops them. */
function openSlots(
  state: WorkersState,
  ports: SharedPorts,
  former: FormerCounts,
  log: Log,
  owned: AsyncDisposableStack,
): readonly WorkerSlot[] {
  const tickets = own(
    { owned },
    new TicketRotation((keys) => {
      for (const slot of slots) slot.tell({ kind: 'ticket-keys', keys });
    }),
  );
  const died = (slot: WorkerSlot, how: string) => {
    const counted = slot.takeSnapshot();
    if (!state.open) return;
    state.deaths += 1;
    log.error('a worker has ended and is started again', { worker: slot.name, how });
    former.add(counted);
  };
  const start = (index: number) => {
    const { text, file } = state.loaded;
    const ticketKeys = tickets.keys;
    if (state.open) state.restarts += 1;
    return { kind: 'start', text, file, ports, ticketKeys, admin: index === 0 } as const;
  };
  const slots: readonly WorkerSlot[] = Array.from(
    { length: state.loaded.config.instance.workers },
    (_, index) =>
      new WorkerSlot(`worker-${index + 1}`, {
        clock: systemClock,
        start: () => start(index),
        died,
      }),
  );
  // A supervisor that ends at once, without draining, ends its workers too.
  const kill = () => {
    for (const slot of slots) slot.kill();
  };
  process.once('exit', kill);
  owned.defer(() => void process.off('exit', kill));
  owned.defer(() => stop(state, slots, { lameDuck: false }));
  return slots;
}

/** Ends workers that have hung. */
function watch(slots: readonly WorkerSlot[], clock: Clock, owned: AsyncDisposableStack): void {
  let lookedMs = clock.monotonicMs();
  everySecond({ owned }, () => {
    const nowMs = clock.monotonicMs();
    const slept = nowMs - lookedMs > SLEPT_MS;
    lookedMs = nowMs;
    for (const slot of slots) slot.endIfHung(slept);
  });
}

async function reload(
  state: WorkersState,
  slots: readonly WorkerSlot[],
  next: LoadedConfig,
): Promise<void> {
  const before = state.loaded;
  const open = slots.flatMap((slot) => slot.open ?? []);
  // From now on for those that are started meanwhile, too.
  state.loaded = next;
  const results = await Promise.allSettled(open.map((worker) => worker.ask(reloadTo(next))));
  const refusal = results.find((result) => result.status === 'rejected');
  if (refusal !== undefined) {
    state.loaded = before;
    await Promise.allSettled(open.map((worker) => worker.ask(reloadTo(before))));
    throw refusal.reason;
  }
  state.reloadFault = null;
}

function reloadTo({ config }: LoadedConfig) {
  return { kind: 'reload', config, secrets: secretsIn(config) } as const;
}

/** Each worker drains as a gate does (drain.ts); until all have, `/readyz` says no for them. */
async function close(
  state: WorkersState,
  slots: readonly WorkerSlot[],
  owned: AsyncDisposableStack,
  log: Log,
  options: CloseOptions,
): Promise<void> {
  state.draining = true;
  try {
    await stop(state, slots, options);
  } finally {
    await owned.disposeAsync();
  }
  log.info('all workers are closed');
}

async function stop(
  { loaded }: WorkersState,
  slots: readonly WorkerSlot[],
  options: CloseOptions,
): Promise<void> {
  const { lameDuckMs, drainMs } = loaded.config.instance;
  const deadlineMs = lameDuckMs + drainMs + CLOSE_MS;
  await Promise.all(slots.map((slot) => slot.stop(deadlineMs, options)));
}

/**
 * A port that all workers will share. Opened once by ourselves without sharing: a port that
 * another program has (also a gate that was started twice, whose workers would share theirs with
 * ours) is found out now, and port 0 becomes a number.
 */
async function findPort(address: HostPort, setting: string): Promise<number> {
  const probe = createServer();
  await listen(probe, address, setting);
  const { port } = probe.address() as { port: number };
  await new Promise<void>((resolve) => probe.close(() => resolve()));
  return port;
}

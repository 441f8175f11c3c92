import { closeSync, openSync, readFileSync } from 'node:fs';
import type { Config } from '../config/schema.ts';
import type { Log } from '../telemetry/log.ts';
import { DescriptorBudget, isOwnExhaustion } from '../upstream/descriptors.ts';
import { everySecond, type GateContext } from './context.ts';
import { DECISION_PLACES } from './places.ts';

/** How the descriptors of this process are shared out. */
export interface DescriptorPlan {
  /** Client connections at most. */
  readonly clients: number;
  /** Connections to all upstreams together at most. */
  readonly upstreams: number;
  /** Null: there are as many as the configuration asks for, or the limit is not known. */
  readonly shortage: DescriptorShortage | null;
}

export interface DescriptorShortage {
  /** RLIMIT_NOFILE. */
  readonly limit: number;
  /** What would let everything be used that the configuration allows. */
  readonly needed: number;
}

/**
 * What is neither a client's nor an upstream's: the ports for operations (128) and administration
 * (512), the decision endpoint (1,024), the store's connections and files, threads, the log,
 * look-ups of names, health checks.
 */
const RESERVE = { ports: { ops: 128, admin: 512, decision: DECISION_PLACES }, others: 96 } as const;
/** However few there are, so many clients and so many connections to upstreams are tried. */
const LEAST = 8;

/** RLIMIT_NOFILE of this process, which Node raises to the hard limit; null = not known. */
function descriptorLimit(): number | null {
  try {
    const limits = readFileSync('/proc/self/limits', 'utf8');
    const soft = /^Max open files\s+(\d+)/m.exec(limits)?.[1];
    return soft === undefined ? null : Number(soft);
  } catch {
    return null;
  }
}

/**
 * A client's connection needs one to an upstream at most, and only while a call is under way. So
 * where there are too few for all, what the reserve leaves is halved between the two sides, and
 * what upstreams do not ask for is the clients'. The reserve takes half at most.
 *
 * @param limit RLIMIT_NOFILE; null = not known
 */
export function planDescriptors(config: Config, limit: number | null): DescriptorPlan {
  const { connections } = config.limits;
  const wanted = config.upstreams.reduce(
    (sum, { addresses, maxConnections }) => sum + addresses.length * maxConnections,
    0,
  );
  const reserve = reserveOf(config);
  // As many calls can be under way as there are clients.
  const needed = connections + Math.min(wanted, connections) + reserve;
  if (limit === null)
    return { clients: connections, upstreams: Number.POSITIVE_INFINITY, shortage: null };
  const free = limit - Math.min(reserve, Math.floor(limit / 2));
  const forUpstreams = Math.min(wanted, Math.floor(free / 2));
  const clients = Math.max(LEAST, Math.min(connections, free - forUpstreams));
  return {
    clients,
    upstreams: Math.max(LEAST, free - clients),
    shortage: limit >= needed ? null : { limit, needed },
  };
}

function reserveOf({ listen }: Config): number {
  return (
    RESERVE.others +
    (listen.ops === null ? 0 : RESERVE.ports.ops) +
    (listen.admin === null ? 0 : RESERVE.ports.admin) +
    (listen.decision === null ? 0 : RESERVE.ports.decision)
  );
}

export interface DescriptorsOptions {
  readonly config: Config;
  readonly limit: number | null;
  /** How many clients are connected now. */
  readonly clients: () => number;
  readonly count: (limit: 'upstream_descriptors' | 'descriptors') => void;
  readonly log: Log;
}

/** The descriptors of this process: shared out at start and at each reload, and watched. */
export class Descriptors {
  readonly budget: DescriptorBudget;
  readonly #options: DescriptorsOptions;
  #plan: DescriptorPlan;

  constructor(options: DescriptorsOptions) {
    this.#options = options;
    this.#plan = planDescriptors(options.config, options.limit);
    this.budget = new DescriptorBudget(
      () => this.upstreams,
      () => this.#reserved(),
    );
    if (this.#plan.shortage !== null) this.#warn(this.#plan.shortage);
  }

  /** Client connections at most, now. */
  get clients(): number {
    const { clients, upstreams } = this.#plan;
    return Math.max(LEAST, clients - beyond(upstreams, this.budget.taken));
  }

  /** Connections to upstreams at most, now. */
  get upstreams(): number {
    const { clients, upstreams } = this.#plan;
    return Math.max(LEAST, upstreams - beyond(clients, this.#options.clients()));
  }

  /** A reload: other upstreams ask for more, or for less. */
  replan(config: Config): void {
    const before = this.#plan;
    this.#plan = planDescriptors(config, this.#options.limit);
    const { shortage, upstreams } = this.#plan;
    const same = before.upstreams === upstreams && before.shortage?.needed === shortage?.needed;
    if (shortage !== null && !same) this.#warn(shortage);
  }

  /**
   * Looks whether one more descriptor can be had: a connection that the system cannot accept for
   * want of one is closed by libuv without a word to anybody.
   */
  look(): void {
    try {
      closeSync(openSync('/dev/null', 'r'));
    } catch (error) {
      const { code = '' } = error as NodeJS.ErrnoException;
      if (isOwnExhaustion(code)) this.exhausted(code);
    }
  }

  /** The system had none for us. */
  exhausted(code: string): void {
    const { count, log, limit } = this.#options;
    count('descriptors');
    log.error(
      `no connection can be made or accepted: the system has no descriptor or memory for one (${ADVICE})`,
      { code, limit },
    );
  }

  #reserved(): void {
    const { count, log, limit } = this.#options;
    count('upstream_descriptors');
    log.warn(
      `connections to upstreams have all descriptors that clients, operations and the store can spare: calls are refused as overloaded (${ADVICE})`,
      { connections: this.upstreams, limit },
    );
  }

  #warn({ limit, needed }: DescriptorShortage): void {
    const { clients, upstreams } = this.#plan;
    this.#options.log.warn(
      `the limit on open files is lower than what the configuration allows needs: fewer connections are taken, so that operations, administration, the store and upstreams keep theirs (${ADVICE}, or lower limits.connections)`,
      { limit, needed, clientConnections: clients, upstreamConnections: upstreams },
    );
  }
}

/** @param clients how many are connected now */
export function openDescriptors(gate: GateContext, clients: () => number): Descriptors {
  const { log, metrics, state } = gate;
  const descriptors = new Descriptors({
    config: state.config,
    limit: descriptorLimit(),
    clients,
    count: (limit) => metrics.limits.count(limit),
    log,
  });
  everySecond(gate, () => descriptors.look());
  return descriptors;
}

/** What either side took under a former plan it keeps while it needs it: the other waits for it. */
function beyond(planned: number, taken: number): number {
  return Math.max(0, taken - planned);
}

const ADVICE =
  'raise the limit on open files: LimitNOFILE= of systemd, --ulimit nofile= of a container, ulimit -n';

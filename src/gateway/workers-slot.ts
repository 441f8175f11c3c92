import type { Clock } from '../clock.ts';
import type { MetricsSnapshot } from '../telemetry/aggregate.ts';
import type { CloseOptions } from './gateway.ts';
import { WorkerChild } from './workers-child.ts';
import type { ToWorker } from './workers-protocol.ts';

export interface SlotOptions {
  readonly clock: Clock;
  /** What a new process is told first; asked anew for each. */
  start(): ToWorker & { kind: 'start' };
  /** A process has ended without being asked to. */
  died(slot: WorkerSlot, how: string): void;
}

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 10_000;
/** A process that has served for so long counts as healthy: when it ends, the pauses begin anew. */
const STEADY_MS = 30_000;
/** A process that was silent for so long will never respond. */
const HUNG_MS = 30_000;

/** A worker's place: a process, and the next one when it ends. */
export class WorkerSlot {
  readonly name: string;
  readonly #options: SlotOptions;
  /** Null: none yet, or the next one is not started yet. */
  #child: WorkerChild | null = null;
  #snapshot: MetricsSnapshot = [];
  /** How the last process ended. */
  #failure: string | null = null;
  #pauseMs = FIRST_PAUSE_MS;
  #again: NodeJS.Timeout | undefined;
  #stopping = false;

  constructor(name: string, options: SlotOptions) {
    this.name = name;
    this.#options = options;
  }

  /** Resolves when the gate is open; rejects with its reason when it cannot be opened. */
  start(): Promise<void> {
    const child = new WorkerChild(this.name, this.#options.clock, this.#options.start());
    this.#child = child;
    void child.ended.then((how) => this.#onEnd(child, how));
    return child.opened;
  }

  /** The process whose gate is open; null: there is none now. */
  get open(): WorkerChild | null {
    return this.#child?.isOpen === true ? this.#child : null;
  }

  /** Null when it serves, else why it does not. */
  get trouble(): string | null {
    if (this.open !== null) return this.open.trouble;
    return this.#failure === null ? 'is being started' : `is being started again: ${this.#failure}`;
  }

  /** What it serves without: secrets that it has not taken over. Null when there is nothing. */
  get pending(): string | null {
    return this.#child?.pending ?? null;
  }

  /**
   * A process that has hung is ended: connections that the system deals to it would wait for ever.
   *
   * @param slept this process did, so silence says nothing
   */
  endIfHung(slept: boolean): void {
    if (slept) this.#child?.forgiveSilence();
    else if (this.#child !== null && this.#child.silentMs > HUNG_MS) this.#child.kill();
  }

  /** Asks for metrics. A worker that does not respond in time is known by what it said last. */
  async refreshSnapshot(limitMs: number): Promise<void> {
    const { open } = this;
    const told = (await open?.metrics(limitMs)) ?? null;
    if (told !== null && this.#child === open) this.#snapshot = told;
  }

  /** The last metrics that came from the process that runs now. */
  get snapshot(): MetricsSnapshot {
    return this.#snapshot;
  }

  /** Takes what the last process counted, once. */
  takeSnapshot(): MetricsSnapshot {
    const taken = this.#snapshot;
    this.#snapshot = [];
    return taken;
  }

  tell(message: ToWorker): void {
    this.#child?.tell(message);
  }

  /** Drains it; at the deadline it is killed. Nothing is started in its place. */
  async stop(deadlineMs: number, { lameDuck = true }: CloseOptions): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#again);
    const child = this.#child;
    if (child === null) return;
    child.tell({ kind: 'drain', lameDuck });
    const timer = setTimeout(() => child.kill(), deadlineMs);
    await child.ended;
    clearTimeout(timer);
  }

  kill(): void {
    this.#child?.kill();
  }

  #onEnd(child: WorkerChild, how: string): void {
    this.#child = null;
    this.#failure = how;
    if (this.#stopping) return;
    this.#options.died(this, how);
    if (child.openMs >= STEADY_MS) this.#pauseMs = FIRST_PAUSE_MS;
    this.#again = setTimeout(() => void this.start().catch(() => {}), this.#pauseMs);
    this.#pauseMs = Math.min(this.#pauseMs * 2, LONGEST_PAUSE_MS);
  }
}

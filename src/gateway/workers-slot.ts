import { type ChildProcess, fork } from 'node:child_process';
import type { Clock } from '../clock.ts';
import type { Readiness } from '../ops/readiness.ts';
import type { MetricsSnapshot } from '../telemetry/aggregate.ts';
import type { MetricPiece } from '../telemetry/text.ts';
import type { CloseOptions } from './gateway.ts';
import type { FromWorker, ToWorker } from './workers-protocol.ts';

export interface SlotOptions {
  readonly clock: Clock;
  /** What a new process is told first; asked anew for each. */
  start(): ToWorker & { kind: 'start' };
  /** A process has ended that nobody asked to end. */
  died(slot: WorkerSlot, how: string): void;
}

type Outgoing<Message> = Message extends { readonly id: number } ? Omit<Message, 'id'> : never;

interface Waiting {
  readonly pieces: MetricPiece[];
  resolve(value: unknown): void;
  reject(fault: Error): void;
}

const ENTRY = import.meta.url.endsWith('.ts')
  ? new URL('./workers-process.ts', import.meta.url)
  : new URL('./workers-process.js', import.meta.url);

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 10_000;
/** Who has lived for so long was well: if it dies now, the pauses begin anew. */
const STEADY_MS = 30_000;
/** Who has not been heard of for so long serves nobody. */
const SILENT_MS = 5_000;
/** Who has not been heard of for so long never will be. */
const HUNG_MS = 30_000;
const ANSWER_MS = 10_000;

/** A worker's place: a process, and the next one when it dies. */
export class WorkerSlot {
  readonly name: string;
  readonly #options: SlotOptions;
  readonly #waiting = new Map<number, Waiting>();
  #process: ChildProcess | null = null;
  #opened: PromiseWithResolvers<void> = Promise.withResolvers();
  #openedMs: number | null = null;
  #heardMs = 0;
  #readiness: Readiness | null = null;
  #snapshot: MetricsSnapshot = [];
  #failure: string | null = null;
  #pauseMs = FIRST_PAUSE_MS;
  #again: NodeJS.Timeout | null = null;
  #stopping = false;
  #nextId = 1;

  constructor(name: string, options: SlotOptions) {
    this.name = name;
    this.#options = options;
  }

  /** Resolves when the gate is open; rejects with its reason when it cannot be opened. */
  async start(): Promise<void> {
    this.#fork();
    await this.#opened.promise;
  }

  /** Null when it serves, else why it does not. */
  get trouble(): string | null {
    if (this.#openedMs === null)
      return this.#failure === null
        ? 'is being started'
        : `is being started again: ${this.#failure}`;
    if (this.silentMs > SILENT_MS) return 'does not answer';
    if (this.#readiness === null || this.#readiness.ready) return null;
    const failed = this.#readiness.checks.flatMap((check) =>
      check.state === 'failed' ? [`${check.name}: ${check.why}`] : [],
    );
    return failed.join('; ');
  }

  /** What it serves without: secrets that it has not taken over. Null when there is nothing. */
  get pending(): string | null {
    const check = this.#readiness?.checks.find(({ name }) => name === 'secrets');
    return check === undefined || check.state === 'ok' ? null : check.why;
  }

  get silentMs(): number {
    return this.#openedMs === null ? 0 : this.#options.clock.monotonicMs() - this.#heardMs;
  }

  /**
   * A process that has hung is ended: connections that the system deals to it would wait for ever.
   */
  endIfHung(): void {
    if (this.silentMs > HUNG_MS) this.#process?.kill('SIGKILL');
  }

  /** We were the ones who slept, so its silence says nothing. */
  forgiveSilence(): void {
    this.#heardMs = this.#options.clock.monotonicMs();
  }

  /** The last metrics that came from the process that runs now. */
  get snapshot(): MetricsSnapshot {
    return this.#snapshot;
  }

  /** Asks for metrics. Whoever does not answer in time is known by what it said last. */
  async refreshSnapshot(limitMs: number): Promise<void> {
    if (this.#openedMs === null) return;
    const asked = this.#process;
    const pieces: MetricPiece[] = [];
    const told = await this.ask({ kind: 'metrics' }, limitMs, pieces).then(
      () => true,
      () => false,
    );
    if (told && this.#process === asked) this.#snapshot = pieces;
  }

  /** Takes what the last process counted, once. */
  takeSnapshot(): MetricsSnapshot {
    const taken = this.#snapshot;
    this.#snapshot = [];
    return taken;
  }

  get open(): boolean {
    return this.#openedMs !== null;
  }

  tell(message: ToWorker): void {
    // A process that is ending hears nothing, and need not.
    if (this.#process?.connected === true) this.#process.send(message, () => {});
  }

  /**
   * Rejects when it says no, dies, or does not answer in time. `pieces` gets the metrics that come
   * before the answer.
   */
  ask<Value>(
    message: Outgoing<ToWorker>,
    limitMs = ANSWER_MS,
    pieces: MetricPiece[] = [],
  ): Promise<Value> {
    const id = this.#nextId++;
    return new Promise<Value>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        reject(new Error(`${this.name} did not answer within ${limitMs} ms`));
      }, limitMs);
      const settle = () => {
        clearTimeout(timer);
        this.#waiting.delete(id);
      };
      this.#waiting.set(id, {
        pieces,
        resolve: (value) => {
          settle();
          resolve(value as Value);
        },
        reject: (fault) => {
          settle();
          reject(fault);
        },
      });
      this.tell({ ...message, id } as ToWorker);
    });
  }

  /** Drains it; at the deadline it is killed. Nothing is started in its place. */
  async stop(deadlineMs: number, { lameDuck = true }: CloseOptions): Promise<void> {
    this.#stopping = true;
    if (this.#again !== null) clearTimeout(this.#again);
    const running = this.#process;
    if (running === null) return;
    const ended = new Promise<void>((resolve) => running.once('exit', () => resolve()));
    this.tell({ kind: 'drain', lameDuck });
    const timer = setTimeout(() => running.kill('SIGKILL'), deadlineMs);
    await ended;
    clearTimeout(timer);
  }

  kill(): void {
    this.#process?.kill('SIGKILL');
  }

  #fork(): void {
    this.#opened = Promise.withResolvers();
    // Who waits for the first opening only does not hear of the others.
    this.#opened.promise.catch(() => {});
    const child = fork(ENTRY, [], {
      serialization: 'advanced',
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.#process = child;
    child.on('message', (message: FromWorker) => this.#onMessage(message));
    child.on('error', (fault) => this.#onFailure(fault.message));
    child.once('exit', (code, signal) => this.#onExit(signal ?? `exit code ${code}`));
    this.tell(this.#options.start());
  }

  #onMessage(message: FromWorker): void {
    this.#heardMs = this.#options.clock.monotonicMs();
    switch (message.kind) {
      case 'opened':
        this.#openedMs = this.#heardMs;
        this.#failure = null;
        this.#opened.resolve();
        break;
      case 'failed':
        this.#onFailure(message.why);
        break;
      case 'status':
        this.#readiness = message.readiness;
        break;
      case 'metrics':
        this.#waiting.get(message.id)?.pieces.push(message.piece);
        break;
      case 'answer':
        this.#waiting.get(message.id)?.resolve(message.value);
        break;
      case 'refused':
        this.#waiting.get(message.id)?.reject(new Error(message.why));
        break;
    }
  }

  #onFailure(why: string): void {
    this.#failure = why;
  }

  #onExit(how: string): void {
    const livedMs =
      this.#openedMs === null ? 0 : this.#options.clock.monotonicMs() - this.#openedMs;
    const why = this.#failure ?? how;
    this.#process = null;
    this.#openedMs = null;
    this.#readiness = null;
    this.#failure = why;
    this.#opened.reject(new Error(`${this.name}: ${why}`));
    for (const waiting of this.#waiting.values())
      waiting.reject(new Error(`${this.name} has ended (${how})`));
    if (this.#stopping) return;
    this.#options.died(this, why);
    if (livedMs >= STEADY_MS) this.#pauseMs = FIRST_PAUSE_MS;
    this.#again = setTimeout(() => this.#fork(), this.#pauseMs);
    this.#pauseMs = Math.min(this.#pauseMs * 2, LONGEST_PAUSE_MS);
  }
}
